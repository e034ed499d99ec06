#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// How long the end of a runtime waits, and for what.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Time stands still, so that no timer expires by itself.
class DrainWhileBodiesWait : public testing::TestWithParam<std::size_t> {
 protected:
  DrainWhileBodiesWait()
      : runtime_([this] {
          RuntimeOptions options(GetParam());
          options.clock = &clock_;
          return options;
        }()),
        ctx_(runtime_.Background()) {}

  ManualClock clock_;
  Runtime runtime_;
  Context ctx_;
};
INSTANTIATE_TEST_SUITE_P(Over, DrainWhileBodiesWait, Widths(), WidthName);

class ShutdownGrace : public testing::TestWithParam<std::size_t> {
 protected:
  ReportLog reports_;
};
INSTANTIATE_TEST_SUITE_P(Over, ShutdownGrace, Widths(), WidthName);

// D44
TEST_P(DrainWhileBodiesWait, EndsAtOnceWhatNothingElseWaitsFor) {
  const Watchdog watchdog;
  Gate began;
  Gate leave;
  const auto busy = Invoke(ctx_, [&] {
    began.Open();
    leave.Wait();
    return 1;
  });
  if (GetParam() > 1) began.Wait();
  const auto sleep = Sleep(ctx_, 1h);
  const auto awaited = Sleep(ctx_, 1h);
  const auto next = awaited.Then([] {});
  const auto repeat = Repeat(ctx_, 1h, [] {});
  const auto retry = Retry(ctx_, {.attempts = 3, .first_delay = 1h}, [] { return Error(Errc::Closed); });
  std::thread drains([&] { EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 1h).Value(), 0U); });
  const OpenAtEnd open(leave);
  if (GetParam() > 1) {
    EXPECT_TRUE(Eventually([&] { return sleep.IsDone() && repeat.IsDone() && retry.IsDone(); }));
    EXPECT_FALSE(awaited.IsDone());
    EXPECT_FALSE(next.IsDone());
  } else {
    EXPECT_TRUE(Eventually([&] { return sleep.IsDone(); }));
    EXPECT_FALSE(awaited.IsDone());
  }
  leave.Open();
  drains.join();
  EXPECT_EQ(busy.Get(), 1);
  for (const Error& error : {sleep.Wait(), next.Wait(), repeat.Wait(), retry.Wait()}) {
    EXPECT_TRUE(error.Is(Errc::ShutDown)) << error.Message();
  }
}

// D44
TEST_P(DrainWhileBodiesWait, EndsWhatBodiesWaitForWhenAllThatRemainWaitForTimers) {
  const Watchdog watchdog;
  Gate started(3);
  auto naps = Invoke(ctx_, [&started](Context& own) {
    started.Open();
    return Sleep(own, 1h).Wait();
  });
  auto naps_before = Invoke(ctx_, [&started](Context& own) {
    auto last = Sleep(own, 1h).Then([] { return 1; }).Then([](int value) { return value; });
    started.Open();
    return last.Wait();
  });
  auto waits_for_it = Invoke(ctx_, [&started, naps] {
    started.Open();
    return naps.Wait();
  });
  started.Wait();
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, std::chrono::hours::max()).Value(), 0U);
  for (const auto& task : {naps, naps_before, waits_for_it}) {
    EXPECT_TRUE(task.Wait().Is(Errc::ShutDown)) << task.Wait().Message();
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled)) << task.Wait().Message();
  }
}

// D44
TEST_P(DrainWhileBodiesWait, LetsTimersExpireWhileABodyWaitsForSomethingElse) {
  const Watchdog watchdog;
  Promise<int> promise;
  Gate started(2);
  auto naps = Invoke(ctx_, [&started](Context& own) {
    started.Open();
    return Sleep(own, 1h).Wait();
  });
  auto waits = Invoke(ctx_, [&started, task = promise.Task()] {
    started.Open();
    return task.Get();
  });
  started.Wait();
  std::thread outside([&] {
    EXPECT_TRUE(Eventually([this] { return !runtime_.IsRunning(); }));
    clock_.Advance(1h);
    EXPECT_FALSE(naps.Wait());
    promise.Set(1);
  });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
  outside.join();
  EXPECT_EQ(waits.Get(), 1);
}

// D19
TEST_P(ShutdownGrace, OfAnySizeWaitsAsLongAsItTakes) {
  for (const auto end : {+[](Runtime& runtime, ShutdownMode mode) {
                           return runtime.Shutdown(mode, std::chrono::milliseconds::max()).Value();
                         },
                         +[](Runtime& runtime, ShutdownMode mode) {
                           return runtime.Shutdown(mode, std::chrono::hours::max()).Value();
                         }}) {
    Gate leave;
    Runtime runtime(GetParam());
    auto body = Invoke(runtime.Background(), [&leave] { leave.Wait(); });
    std::thread opener([&] {
      EXPECT_TRUE(Eventually([&runtime] { return !runtime.IsRunning(); }));
      leave.Open();
    });
    EXPECT_EQ(end(runtime, ShutdownMode::Drain), 0U);
    opener.join();
    EXPECT_TRUE(body.IsDone());
  }
}

// D19
TEST_P(ShutdownGrace, OfAnySizeIsKeptByTheDestructor) {
  Gate leave;
  Gate started;
  std::atomic<bool> left{false};
  RuntimeOptions options(GetParam());
  options.grace = std::chrono::milliseconds::max();
  options.on_report = reports_.Sink();
  auto runtime = std::make_unique<Runtime>(std::move(options));
  Executor* const executor = &runtime->GetExecutor();
  const Context ctx = runtime->Background();
  auto body = Invoke(ctx, [&](Context& own) {
    started.Open();
    EXPECT_TRUE(Eventually([&own] { return own.IsDone(); }));
    leave.Wait();
    left = true;
  });
  started.Wait();
  std::thread opener([&] {
    EXPECT_TRUE(Eventually([executor] { return !executor->IsRunning(); }));
    leave.Open();
  });
  runtime.reset();
  EXPECT_TRUE(left);
  opener.join();
  EXPECT_EQ(reports_.Size(), 0U);
}

}  // namespace
}  // namespace orchestrate::test
