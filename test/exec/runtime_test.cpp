#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/virtual_time.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class RuntimeOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, RuntimeOnWorkers, Widths(), WidthName);

class RuntimeInVirtualTime : public InVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Over, RuntimeInVirtualTime, Widths(), WidthName);

// The text of what `fn` throws, "" when it throws nothing of the library.
template <class Fn>
Error Thrown(Fn fn) {
  try {
    fn();
  } catch (const ErrorException& exception) {
    return exception.Failure();
  }
  return {};
}

// ---- how wide ----

// H01
TEST_P(RuntimeOnWorkers, StartsAndStopsWithoutAnyTask) {
  const Watchdog watchdog;
  for (int round = 0; round < 20; ++round) {
    const Runtime runtime(GetParam());
    ASSERT_EQ(runtime.Workers(), GetParam());
    ASSERT_TRUE(runtime.IsRunning());
  }
}

// H01
TEST(Runtime, HasAsManyWorkersAsTheProcessHasCpusUnlessToldOtherwise) {
  EXPECT_GE(AvailableCpus(), 1U);
  EXPECT_EQ(Runtime().Workers(), AvailableCpus());
  EXPECT_EQ(Runtime(0).Workers(), AvailableCpus());
}

// H01
TEST(Runtime, CountsTheCpusThatAffinityAllows) {
  // On a thread of its own, as the mask cannot be widened again for sure.
  std::thread narrow([] {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    std::size_t cpu = 0;
    while (!CPU_ISSET(cpu, &allowed)) ++cpu;
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(AvailableCpus(), 1U);
    EXPECT_EQ(Runtime().Workers(), 1U);
  });
  narrow.join();
}

TEST_P(RuntimeOnWorkers, RunsAsManyBodiesAtOnceAsItHasWorkers) {
  const auto width = static_cast<int>(GetParam());
  Gate all_run(width);
  std::vector<Task<void>> tasks;
  for (int i = 0; i < width; ++i) {
    tasks.push_back(Invoke(ctx_, [&all_run] {
      all_run.Open();
      all_run.Wait();  // for the others, too
    }));
  }
  for (const auto& task : tasks) EXPECT_FALSE(task.WaitFor(1h) ? task.Wait() : Errc::NotStarted);
}

TEST_P(RuntimeOnWorkers, RunsNeverMoreBodiesAtOnceThanItHasWorkers) {
  const auto width = static_cast<int>(GetParam());
  Gate all_run(width);
  Gate leave;
  std::atomic<int> started{0};
  std::vector<Task<void>> tasks;
  const OpenAtEnd open(leave);
  for (int i = 0; i < width + 10; ++i) {
    tasks.push_back(Invoke(ctx_, [&] {
      ++started;
      all_run.Open();
      leave.Wait();
    }));
  }
  all_run.Wait();
  for (int i = 0; i < 20; ++i) std::this_thread::yield();
  EXPECT_EQ(started, width);
  leave.Open();
  for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
}

// ---- waiting for tasks and for all of them ----

// Its bodies are long enough for work from outside to go first each time, and there is none.
TEST(Runtime, GivesTheOldestItsTurnBesideLongBodiesThatGoOn) {
  Runtime runtime(1);
  std::atomic<bool> oldest_ran{false};
  std::atomic<int> rounds{0};
  struct Loop {
    std::atomic<bool>& done;
    std::atomic<int>& rounds;
    void operator()(Context& own) const {
      const auto begin = Clock::now();
      while (Clock::now() - begin < 40us) continue;
      if (!done && ++rounds < 2000) (void)Invoke(own, *this);
    }
  };
  (void)Invoke(runtime.Background(), [&](Context& own) {
    (void)Invoke(own, [&oldest_ran] { oldest_ran = true; });
    Loop{oldest_ran, rounds}(own);
  });
  EXPECT_FALSE(runtime.Run());
  EXPECT_LT(rounds, 200) << "its turn is one of 61";
}

// H02
TEST_P(RuntimeOnWorkers, BlockOnReturnsTheOutcomeTwiceOnOneRuntime) {
  EXPECT_EQ(runtime_.BlockOn(Completed(100)).Value(), 100);
  EXPECT_EQ(runtime_.BlockOn(Completed(100)).Value(), 100);
  EXPECT_EQ(runtime_.BlockOn(Invoke(ctx_, [] { return 7; })).Value(), 7);
}

TEST_P(RuntimeOnWorkers, BlockOnReturnsTheErrorOfAFailedTask) {
  const auto outcome = runtime_.BlockOn(Invoke(ctx_, []() -> Error { return {Errc::Closed, "gone"}; }));
  EXPECT_TRUE(outcome.Failure().Is(Errc::Closed));
}

// H03
TEST_P(RuntimeOnWorkers, AHundredReadyTasksGiveAHundredResults) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(Invoke(ctx_, [i] { return i; }));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(runtime_.BlockOn(tasks[static_cast<std::size_t>(i)]).Value(), i);
}

TEST_P(RuntimeOnWorkers, RunReturnsAtOnceWhenNothingIsLeft) {
  EXPECT_FALSE(runtime_.Run());
  EXPECT_FALSE(runtime_.Run());
}

TEST_P(RuntimeOnWorkers, RunReturnsWhenTheLastTimerIsDisarmed) {
  const Watchdog watchdog;
  for (int round = 0; round < 100; ++round) {
    const auto sleep = Sleep(ctx_, 1h);
    const auto repeat = Repeat(ctx_, 1h, [] {});
    std::thread disarms([&] { (void)(sleep.Cancel() && repeat.Cancel()); });
    EXPECT_FALSE(runtime_.Run());
    disarms.join();
  }
}

TEST_P(RuntimeOnWorkers, RunReturnsWhenTheLastOfATreeOfTasksHasEnded) {
  std::atomic<int> ran{0};
  struct Tree {
    std::atomic<int>& ran;
    int depth;
    void operator()(Context& context) const {
      ++ran;
      if (depth == 0) return;
      (void)Invoke(context, Tree{ran, depth - 1});
      (void)Invoke(context, Tree{ran, depth - 1});
    }
  };
  for (int round = 1; round <= 20; ++round) {
    (void)Invoke(ctx_, Tree{ran, 7});
    EXPECT_FALSE(runtime_.Run());
    ASSERT_EQ(ran, 255 * round);
  }
}

TEST_P(RuntimeOnWorkers, RunWaitsForWhatRunsAlready) {
  Gate started;
  Gate leave;
  std::atomic<bool> returned{false};
  (void)Invoke(ctx_, [&] {
    started.Open();
    leave.Wait();
  });
  started.Wait();
  std::thread waiter([&] {
    EXPECT_FALSE(runtime_.Run());
    returned = true;
  });
  for (int i = 0; i < 20; ++i) std::this_thread::yield();
  EXPECT_FALSE(returned);
  leave.Open();
  waiter.join();
}

TEST_P(RuntimeOnWorkers, RunServesManyThreadsAtOnce) {
  std::atomic<int> ran{0};
  RunThreads(4, [&](int) {
    for (int round = 0; round < 50; ++round) {
      auto task = Invoke(ctx_, [&ran] { ++ran; });
      EXPECT_FALSE(runtime_.Run());
      EXPECT_TRUE(task.IsDone());
    }
  });
  EXPECT_EQ(ran, 200);
}

TEST_P(RuntimeInVirtualTime, RunWaitsForSleepsAndRepeats) {
  std::atomic<int> runs{0};
  auto nap = Sleep(ctx_, 1h);
  RepeatOptions dozen;
  dozen.max_runs = 12;
  const auto job = Repeat(
      ctx_, 10min, [&runs] { ++runs; }, dozen);
  EXPECT_FALSE(runtime_.Run());
  EXPECT_TRUE(nap.IsDone());
  EXPECT_EQ(runs, 12);
  EXPECT_EQ(Elapsed(), 2h);
}

TEST_P(RuntimeOnWorkers, RunFromItsOwnWorkerIsNotSupported) {
  auto task = Invoke(ctx_, [this] { return runtime_.Run(); });
  const Error error = task.Wait();
  EXPECT_TRUE(error.Is(Errc::NotSupported));
  EXPECT_THAT(error.Message(), HasSubstr("Runtime::Run: called by a worker of the same runtime"));
}

// ---- exceptions ----

// K15, K16
TEST_P(RuntimeOnWorkers, AnExceptionNeverLeavesABody) {
  struct Odd : std::exception {
    const char* what() const noexcept override { return ""; }
  };
  for (int round = 0; round < 50; ++round) {
    auto standard = NewTask([] { throw std::runtime_error("boom"); });
    auto number = NewTask([] { throw 42; });
    auto odd = NewTask([] { throw Odd(); });
    auto nested = NewTask([] { std::throw_with_nested(std::logic_error("outer")); });
    standard.Run(ctx_);
    number.Run(ctx_);
    odd.Run(ctx_);
    EXPECT_FALSE(runtime_.Run());  // so that workers ran them all, not this thread
    EXPECT_THROW(standard.Get(), std::runtime_error);
    EXPECT_THROW(number.Get(), int);
    EXPECT_THROW(odd.Get(), Odd);
  }
}

TEST_P(RuntimeOnWorkers, AThrowingCallBackIsReportedAndHarmsNobody) {
  const auto context = ctx_.WithCancel();
  Gate second;
  const auto first_call = context.OnDone([] { throw std::runtime_error("boom"); });
  const auto second_call = context.OnDone([&second] { second.Open(); });
  context.Cancel();
  second.Wait();
  EXPECT_TRUE(Eventually([this] { return reports_.Size() == 1; }));
  const auto reports = reports_.Take();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_THAT(reports[0].error.Message(), HasSubstr("boom"));
}

TEST_P(RuntimeOnWorkers, AThrowingReportSinkFallsBackToStandardError) {
  testing::internal::CaptureStderr();
  {
    RuntimeOptions options(GetParam());
    options.on_report = [](const Report&) { throw std::runtime_error("sink"); };
    Runtime runtime(std::move(options));
    (void)Invoke(Where(runtime.Background()).Named("upload"), [] { throw std::runtime_error("boom"); });
    EXPECT_FALSE(runtime.Run());
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("task upload"));
  EXPECT_THAT(text, HasSubstr("boom"));
}

// ---- bad arguments, limits ----

// D27
TEST(Runtime, BadArgumentsNameFunctionValueAndLimit) {
  const Error width = Thrown([] { const Runtime runtime(1025); });
  EXPECT_TRUE(width.Is(Errc::InvalidArgument));
  EXPECT_EQ(width.Message(), "Runtime: 1025 workers, must be 0 to 1024");

  RuntimeOptions spares(1);
  spares.spare_workers = 5000;
  const Error many = Thrown([&spares] { const Runtime runtime(std::move(spares)); });
  EXPECT_TRUE(many.Is(Errc::InvalidArgument));
  EXPECT_EQ(many.Message(), "Runtime: 5000 spare workers, must be 0 to 4096");

  RuntimeOptions grace(1);
  grace.grace = -1ms;
  const Error negative = Thrown([&grace] { const Runtime runtime(std::move(grace)); });
  EXPECT_TRUE(negative.Is(Errc::InvalidArgument));
  EXPECT_EQ(negative.Message(), "Runtime: grace -1 ms, must be >= 0");
}

TEST(Runtime, AWidthThatIsRefusedLeavesNothingBehind) {
  for (int round = 0; round < 100; ++round)
    EXPECT_THROW(const Runtime runtime(~std::size_t{0}), ErrorException);
  Runtime runtime(1);
  EXPECT_EQ(Invoke(runtime.Background(), [] { return 1; }).Get(), 1);
}

// D23
TEST_P(RuntimeOnWorkers, WithoutSpareWorkersABlockedWaitFailsAndTheRestGoesOn) {
  RuntimeOptions options(GetParam());
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const auto context = runtime.Background();
  Promise<int> promise;
  auto blocked = Invoke(context, [task = promise.Task()] { return task.Wait(); });
  const Error error = blocked.Wait();
  EXPECT_TRUE(error.Is(Errc::OutOfResources)) << error.Message();
  auto claims = Invoke(context, [](Context& own) { return Invoke(own, [] { return 5; }).Get(); });
  const Error claimed = claims.Wait();
  // A wait that runs the task itself needs none; with several workers another one may be faster.
  EXPECT_TRUE(!claimed || (GetParam() > 1 && claimed.Is(Errc::OutOfResources))) << claimed.Message();
}

// ---- the default one ----

// D31
TEST(DefaultRuntime, IsOneAndServesWhoeverNamesNoOther) {
  Runtime& first = Runtime::Default();
  EXPECT_EQ(&first, &Runtime::Default());
  EXPECT_EQ(first.Workers(), AvailableCpus());
  EXPECT_EQ(&Context::Background().GetExecutor(), &first.GetExecutor());
  EXPECT_EQ(Invoke([](Context& own) { return &own.GetExecutor(); }).Get(), &first.GetExecutor());
  EXPECT_EQ(NewTask([] { return 3; }).Run().Get(), 3);
}

// D31
TEST(RuntimeInItsOwnProcess, TheDefaultOneIsMadeOnceByWhoeverComesFirst) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    std::vector<Runtime*> seen(8);
    RunThreads(8, [&seen](int i) {
      seen[static_cast<std::size_t>(i)] = &Runtime::Default();
      Invoke([] {}).Get();
    });
    for (Runtime* runtime : seen) {
      if (runtime != seen[0]) std::exit(1);
    }
    std::exit(0);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace orchestrate::test
