#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// D19: how a runtime ends.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

// D19
TEST(Shutdown, EndsAlsoARootThatIsMadeLater) {
  Runtime runtime(1);
  EXPECT_EQ(runtime.Shutdown(ShutdownMode::Cancel, 1s).Value(), 0U);
  auto after = After(runtime.Background(), Completed(1), [](int) { ADD_FAILURE() << "ran"; });
  EXPECT_TRUE(after.Wait().Is(Errc::ShutDown)) << after.Wait().Message();
}

struct Ending {
  std::size_t width;
  ShutdownMode mode;
};

std::string EndingName(const testing::TestParamInfo<Ending>& info) {
  return std::to_string(info.param.width) + (info.param.mode == ShutdownMode::Drain ? "Drain" : "Cancel");
}

auto Endings() {
  return testing::Values(Ending{1, ShutdownMode::Drain}, Ending{2, ShutdownMode::Drain},
                         Ending{8, ShutdownMode::Drain}, Ending{1, ShutdownMode::Cancel},
                         Ending{2, ShutdownMode::Cancel}, Ending{8, ShutdownMode::Cancel});
}

// A runtime whose time stands still, so that no timer expires by itself.
class WithRuntimeThatEnds {
 protected:
  explicit WithRuntimeThatEnds(std::size_t width)
      : runtime_([this, width] {
          RuntimeOptions options(width);
          options.clock = &clock_;
          options.on_report = reports_.Sink();
          return options;
        }()),
        ctx_(runtime_.Background()),
        width_(static_cast<int>(width)) {}

  // Bodies that listen to nobody, one for each worker; returns when all run.
  std::vector<Task<int>> OccupyAll(Gate& leave) {
    auto all_run = std::make_shared<Gate>(width_);
    std::vector<Task<int>> tasks;
    for (int i = 0; i < width_; ++i) {
      tasks.push_back(Invoke(ctx_, [&leave, all_run] {
        all_run->Open();
        leave.Wait();
        return 1;
      }));
    }
    all_run->Wait();
    return tasks;
  }

  ManualClock clock_;
  ReportLog reports_;
  Runtime runtime_;
  Context ctx_;
  int width_;
};

class ShutdownEither : public testing::TestWithParam<Ending>, protected WithRuntimeThatEnds {
 protected:
  ShutdownEither() : WithRuntimeThatEnds(GetParam().width) {}
  std::size_t End(std::chrono::nanoseconds grace = 20s) {
    return runtime_.Shutdown(GetParam().mode, grace).Value();
  }
};
INSTANTIATE_TEST_SUITE_P(Over, ShutdownEither, Endings(), EndingName);

class ShutdownDrain : public testing::TestWithParam<std::size_t>, protected WithRuntimeThatEnds {
 protected:
  ShutdownDrain() : WithRuntimeThatEnds(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Over, ShutdownDrain, Widths(), WidthName);

class ShutdownCancel : public testing::TestWithParam<std::size_t>, protected WithRuntimeThatEnds {
 protected:
  ShutdownCancel() : WithRuntimeThatEnds(GetParam()) {}
};
INSTANTIATE_TEST_SUITE_P(Over, ShutdownCancel, Widths(), WidthName);

// ---- both modes ----

// D19
TEST_P(ShutdownEither, OfAnIdleRuntimeLeavesNothing) {
  EXPECT_TRUE(runtime_.IsRunning());
  EXPECT_EQ(End(0ns), 0U);
  EXPECT_FALSE(runtime_.IsRunning());
}

// D19
TEST_P(ShutdownEither, IsIdempotentInAnyOrderOfModes) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
    EXPECT_EQ(End(), 0U);
    EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 20s).Value(), 0U);
  }
}

// D19
TEST_P(ShutdownEither, WhatComesLaterFailsWithShutDown) {
  auto created = NewTask([] { return 1; });
  const auto child = ctx_.WithCancel();
  EXPECT_EQ(End(), 0U);

  const auto invoked = Invoke(ctx_, [] { return 1; });
  EXPECT_EQ(invoked.State(), TaskState::Failed);
  EXPECT_TRUE(invoked.Wait().Is(Errc::ShutDown));
  EXPECT_EQ(invoked.Duration(), 0ns);
  created.Run(ctx_);
  EXPECT_EQ(created.State(), TaskState::Failed);
  EXPECT_TRUE(created.Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(Invoke(child, [] {}).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(Sleep(ctx_, 1h).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(Repeat(ctx_, 1h, [] {}).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(After(ctx_, Completed(1), [](int) { ADD_FAILURE() << "ran"; }).Wait().Is(Errc::ShutDown));
  std::vector<Task<int>> tasks = NewTasks([] { return 1; }, [] { return 2; });
  EXPECT_TRUE(InvokeAll(ctx_, 2, tasks).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(tasks[0].IsDone() && tasks[1].IsDone());
}

// D19
TEST_P(ShutdownEither, WhatOnlyATimerWouldWakeEndsAtOnce) {
  auto nap = Sleep(ctx_, 1h);
  auto job = Repeat(ctx_, 1h, [] {});
  EXPECT_EQ(End(), 0U);
  for (const Error& error : {nap.Wait(), job.Wait()}) {
    EXPECT_TRUE(error.Is(Errc::Cancelled)) << error.Message();
    EXPECT_TRUE(error.Is(Errc::ShutDown)) << "the cause: " << error.Message();
  }
  EXPECT_EQ(job.Runs(), 0U);
  EXPECT_EQ(clock_.Elapsed(), 0s);
}

// D19
TEST_P(ShutdownEither, BodiesThatDoNotLeaveAreCountedWhenTheGraceIsOver) {
  Gate leave;
  const OpenAtEnd open(leave);
  const auto running = OccupyAll(leave);
  std::vector<Task<int>> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(Invoke(ctx_, [] { return 2; }));

  EXPECT_EQ(End(1ms), running.size());
  for (const auto& task : queued) {
    ASSERT_TRUE(task.IsDone()) << "every queued task is terminal";
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled)) << task.Wait().Message();
  }
  for (const auto& task : running) EXPECT_FALSE(task.IsDone());
  leave.Open();
  EXPECT_EQ(End(), 0U);
  for (const auto& task : running) EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

// D19
TEST_P(ShutdownEither, NoGraceAtAllIsAllowed) {
  Gate leave;
  const OpenAtEnd open(leave);
  const auto running = OccupyAll(leave);
  EXPECT_EQ(End(0ns), running.size());
  leave.Open();
  EXPECT_EQ(End(std::chrono::nanoseconds::max()), 0U);
}

// D19
TEST_P(ShutdownEither, FromItsOwnWorkerIsNotSupported) {
  auto task = Invoke(ctx_, [this]() -> Error {
    auto result = runtime_.Shutdown(GetParam().mode, 20s);
    return result ? Error() : result.Failure();
  });
  EXPECT_TRUE(task.Wait().Is(Errc::NotSupported));
  EXPECT_THAT(task.Wait().Message(), HasSubstr("Runtime::Shutdown"));
  EXPECT_TRUE(runtime_.IsRunning());
}

// D19
TEST_P(ShutdownEither, FromAWorkerOfAnotherRuntimeIsPossible) {
  Runtime other(1);
  auto mine = Invoke(ctx_, [] { return 1; });
  EXPECT_EQ(Invoke(other.Background(), [this] { return End(); }).Get(), 0U);
  EXPECT_TRUE(mine.IsDone());
}

// D27
TEST_P(ShutdownEither, ANegativeGraceIsRefused) {
  const auto result = runtime_.Shutdown(GetParam().mode, -1ns);
  EXPECT_TRUE(result.Failure().Is(Errc::InvalidArgument));
  EXPECT_EQ(result.Failure().Message(), "Runtime::Shutdown: grace -1 ns, must be >= 0");
  EXPECT_TRUE(runtime_.IsRunning());
}

// D19
TEST_P(ShutdownEither, BySeveralThreadsWhileOthersSubmitEndsEveryTask) {
  const Watchdog watchdog;
  std::vector<std::vector<Task<int>>> tasks(2);
  RunThreads(4, [&](int index) {
    if (index >= 2) {
      const auto mode = index == 2 ? GetParam().mode : ShutdownMode::Cancel;
      EXPECT_TRUE(runtime_.Shutdown(mode, 20s));
      return;
    }
    for (int i = 0; i < 500; ++i) {
      tasks[static_cast<std::size_t>(index)].push_back(
          Invoke(ctx_, [](Context& own) { return Invoke(own, [] { return 1; }).Outcome() ? 1 : 0; }));
    }
  });
  for (const auto& list : tasks) {
    for (const auto& task : list) {
      const Error error = task.Wait();
      EXPECT_TRUE(!error || error.Is(Errc::ShutDown) || error.Is(Errc::Cancelled)) << error.Message();
    }
  }
}

// ---- Drain ----

// D19
TEST_P(ShutdownDrain, RunsWhatIsQueued) {
  Gate leave;
  const auto running = OccupyAll(leave);
  std::vector<Task<int>> queued;
  for (int i = 0; i < 100; ++i) queued.push_back(Invoke(ctx_, [] { return 2; }));
  std::thread opener([&] {
    EXPECT_TRUE(Eventually([this] { return !runtime_.IsRunning(); }));
    leave.Open();
  });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
  opener.join();
  for (const auto& task : running) EXPECT_EQ(task.Get(), 1);
  for (const auto& task : queued) EXPECT_EQ(task.Get(), 2);
}

// D19
TEST_P(ShutdownDrain, RunsContinuationsOfWhatWasAccepted) {
  Gate leave;
  auto last = Invoke(ctx_, [&leave] {
    leave.Wait();
    return 0;
  });
  for (int i = 0; i < 10; ++i) last = last.Then([](int value) { return value + 1; });
  std::thread opener([&] {
    EXPECT_TRUE(Eventually([this] { return !runtime_.IsRunning(); }));
    leave.Open();
  });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
  opener.join();
  EXPECT_EQ(last.Get(), 10);
}

// D19
TEST_P(ShutdownDrain, TakesNothingNewFromTheBodiesThatItRuns) {
  auto body = Invoke(ctx_, [this](Context& own) {
    EXPECT_TRUE(Eventually([this] { return !runtime_.IsRunning(); }));
    return Invoke(own, [] { return 1; }).Wait().Is(Errc::ShutDown);
  });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
  EXPECT_TRUE(body.Get());
}

// D19
TEST_P(ShutdownDrain, AContextThatABodyIsUnderDoesNotEnd) {
  auto body = Invoke(ctx_, [this](Context& own) {
    EXPECT_TRUE(Eventually([this] { return !runtime_.IsRunning(); }));
    return own.IsDone();
  });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
  EXPECT_FALSE(body.Get());
}

// D19
TEST_P(ShutdownDrain, CancelsWhatStillRunsWhenTheGraceIsOver) {
  Gate ended;
  auto body = Invoke(ctx_, [&ended](Context& own) {
    const auto call = own.OnDone([&ended] { ended.Open(); });
    ended.Wait();
  });
  EXPECT_LE(runtime_.Shutdown(ShutdownMode::Drain, 1ms).Value(), 1U);
  EXPECT_TRUE(body.Wait().Is(Errc::Cancelled));
}

// ---- Cancel ----

// D19
TEST_P(ShutdownCancel, EndsWhatRunsAndWhatIsQueued) {
  std::atomic<int> ran{0};
  Gate all_run(width_);
  std::vector<Task<void>> running;
  for (int i = 0; i < width_; ++i) {
    running.push_back(Invoke(ctx_, [&all_run](Context& own) {
      Gate ended;
      const auto call = own.OnDone([&ended] { ended.Open(); });
      all_run.Open();
      ended.Wait();
    }));
  }
  all_run.Wait();
  std::vector<Task<void>> queued;
  for (int i = 0; i < 100; ++i) queued.push_back(Invoke(ctx_, [&ran] { ++ran; }));
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 20s).Value(), 0U);
  EXPECT_EQ(ran, 0);
  for (const auto& list : {running, queued}) {
    for (const auto& task : list) {
      EXPECT_EQ(task.State(), TaskState::Cancelled);
      EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
    }
  }
}

// D19
TEST_P(ShutdownCancel, WakesBodiesThatWait) {
  const Channel<int> channel(1);
  Gate started(2);
  auto receives = Invoke(ctx_, [&](Context& own) {
    started.Open();
    return channel.Recv(own);
  });
  auto naps = Invoke(ctx_, [&started](Context& own) {
    started.Open();
    return Sleep(own, 1h).Wait();
  });
  started.Wait();
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 20s).Value(), 0U);
  EXPECT_TRUE(naps.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(receives.Wait().Is(Errc::Cancelled));
}

// ---- the destructor ----

// D19
TEST_P(ShutdownCancel, TheDestructorDoesTheSame) {
  Gate ended;
  Task<void> running;
  Task<void> nap;
  {
    Runtime runtime(GetParam());
    Gate started;
    running = Invoke(runtime.Background(), [&](Context& own) {
      const auto call = own.OnDone([&ended] { ended.Open(); });
      started.Open();
      ended.Wait();
    });
    started.Wait();
    nap = Sleep(runtime.Background(), 1h);
  }
  EXPECT_TRUE(running.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(nap.Wait().Is(Errc::Cancelled));
}

// D19
TEST_P(ShutdownCancel, TheDestructorTellsWhoRemainsAndTheyMayStillLeave) {
  Gate leave;
  Gate started;
  Task<int> body;
  {
    RuntimeOptions options(GetParam());
    options.name = "stuck";
    options.grace = 0ms;
    options.on_report = reports_.Sink();
    Runtime runtime(std::move(options));
    body = Invoke(runtime.Background(), [&] {
      started.Open();
      leave.Wait();
      return 1;
    });
    started.Wait();
  }
  const auto reports = reports_.Take();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].what, "1 body still runs after the grace period of runtime stuck");
  EXPECT_FALSE(body.IsDone());
  leave.Open();
  EXPECT_TRUE(body.Wait().Is(Errc::Cancelled));
}

}  // namespace
}  // namespace orchestrate::test
