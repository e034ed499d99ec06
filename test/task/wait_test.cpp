#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>
#include "base/sanitizers.hpp"

// D23: blocking waits inside tasks.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class WaitOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, WaitOnWorkers, Widths(), WidthName);

struct Nested {
  int depth;
  int operator()(Context& context) const {
    return depth == 0 ? 0 : 1 + Invoke(context, Nested{depth - 1}).Get();
  }
};

// D23
TEST_P(WaitOnWorkers, InsideATaskMakesProgress) { EXPECT_EQ(Invoke(ctx_, Nested{200}).Get(), 200); }

#if defined(ORCHESTRATE_TSAN) || defined(ORCHESTRATE_ASAN)
constexpr int kDeep = 5'000;  // each allocation there records the whole stack
#else
constexpr int kDeep = 100'000;
#endif

// D23
TEST_P(WaitOnWorkers, InsideATaskMakesProgressAtAnyDepth) {
  const Watchdog watchdog(60s);
  const auto outcome = Invoke(ctx_, Nested{kDeep}).Outcome();
  ASSERT_TRUE(outcome) << outcome.Failure().Message();
  EXPECT_EQ(*outcome, kDeep);
}

// D23: the waits nest on stacks of one thread.
TEST(WaitOnOneWorker, AtAnyDepthNeedsNoOther) {
  const Watchdog watchdog(60s);
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const auto root = Invoke(runtime.Background(), [](Context& context) {
    const auto thread = std::this_thread::get_id();
    const auto sum = Nested{kDeep}(context);
    EXPECT_EQ(std::this_thread::get_id(), thread);
    return sum;
  });
  EXPECT_TRUE(
      Eventually([&root] { return root.IsDone(); }));  // not run by this thread, which has no part in it
  EXPECT_EQ(root.Get(), kDeep);
}

int Fib(Context& context, int n) {
  if (n < 2) return n;
  auto first = Invoke(context, [n](Context& own) { return Fib(own, n - 1); });
  auto second = Invoke(context, [n](Context& own) { return Fib(own, n - 2); });
  return first.Get() + second.Get();
}

// D23
TEST_P(WaitOnWorkers, ForTheOldestOfSeveralChildrenMakesProgress) {
  EXPECT_EQ(Invoke(ctx_, [](Context& context) { return Fib(context, 15); }).Get(), 610);
}

TEST_P(WaitOnWorkers, InABodyThatGoesOnKeepsNothingOfWhatItWaitedFor) {
  const auto kept = Invoke(ctx_, [](Context& context) {
    const auto before = detail::Stats().live_blocks;
    for (int round = 0; round < 10000; ++round) {
      const auto spawn = [&context] { return Invoke(context, [] {}); };
      const Task<void> tasks[] = {spawn(), spawn(), spawn(), spawn()};
      for (const std::size_t i : {1U, 3U, 0U, 2U}) EXPECT_FALSE(tasks[i].Wait());
    }
    return detail::Stats().live_blocks - before;
  });
  EXPECT_LT(kept.Get(), 2000U);
}

// H26, D23
TEST_P(WaitOnWorkers, ForATaskStartedElsewhereMakesProgress) {
  for (int round = 0; round < 100; ++round) {
    auto other = NewTask([] { return 5; });
    auto task = Invoke(ctx_, [this, other] { return runtime_.BlockOn(other).Value(); });
    other.Run(ctx_);
    ASSERT_EQ(task.Get(), 5);
  }
}

// D23
TEST_P(WaitOnWorkers, ForAPromiseGivesTheWorkerAway) {
  Promise<int> promise;
  std::vector<Task<int>> waiting;
  for (int i = 0; i < 50; ++i)
    waiting.push_back(Invoke(ctx_, [task = promise.Task()] { return task.Get(); }));
  auto setter = Invoke(ctx_, [&promise] { promise.TrySet(1); });
  EXPECT_FALSE(setter.Wait());
  int sum = 0;
  for (const auto& task : waiting) sum += task.Get();
  EXPECT_EQ(sum, 50);
}

// D23
TEST_P(WaitOnWorkers, BeyondTheSpareWorkersFailsInsteadOfHanging) {
  RuntimeOptions options(GetParam());
  options.spare_workers = 3;
  Runtime runtime(std::move(options));
  Promise<int> promise;
  std::atomic<int> refused{0};
  std::vector<Task<void>> waiting;
  for (int i = 0; i < 20; ++i) {
    waiting.push_back(Invoke(runtime.Background(), [&refused, task = promise.Task()] {
      if (task.Wait().Is(Errc::OutOfResources)) ++refused;
    }));
  }
  EXPECT_TRUE(Eventually([&refused] { return refused == 17; }));
  promise.TrySet(1);
  for (const auto& task : waiting) EXPECT_FALSE(task.Wait());
  EXPECT_EQ(refused, 17);
}

// D23
TEST_P(WaitOnWorkers, ForItselfWouldDeadlock) {
  Task<int> task;
  Gate set;
  task = Invoke(ctx_, [&] {
    set.Wait();
    EXPECT_TRUE(task.Wait().Is(Errc::WouldDeadlock));
    EXPECT_TRUE(task.Outcome().Failure().Is(Errc::WouldDeadlock));
    EXPECT_FALSE(task.WaitFor(1h)) << "a bounded wait need not wait for what cannot come";
    EXPECT_THROW((void)task.Get(), ErrorException);
    return 1;
  });
  set.Open();
  EXPECT_EQ(task.Get(), 1);
}

// D23
TEST_P(WaitOnWorkers, ForTheTaskThatWaitsForUsWouldDeadlock) {
  const Watchdog watchdog;
  Task<int> outer;
  Gate set;
  outer = Invoke(ctx_, [&](Context& context) {
    set.Wait();
    auto inner = Invoke(context, [&outer] { return outer.Wait().Is(Errc::WouldDeadlock) ? 1 : 0; });
    return inner.Get();
  });
  set.Open();
  // Whichever of the two waits second is told.
  const auto outcome = outer.Outcome();
  EXPECT_TRUE(outcome ? *outcome == 1 : outcome.Failure().Is(Errc::WouldDeadlock));
  EXPECT_FALSE(runtime_.Run());  // the inner task may still refer to the outer one
}

// D23
TEST_P(WaitOnWorkers, InACircleOfRunningTasksWouldDeadlock) {
  const Watchdog watchdog;
  Gate started(2);
  Gate set;
  Task<void> first;
  Task<void> second;
  std::atomic<int> noticed{0};
  const auto wait_for = [&](Task<void>& other) {
    return [&] {
      set.Wait();
      if (other.Wait().Is(Errc::WouldDeadlock)) ++noticed;
    };
  };
  first = Invoke(ctx_, wait_for(second));
  second = Invoke(ctx_, wait_for(first));
  set.Open();
  EXPECT_FALSE(first.Wait());
  EXPECT_FALSE(second.Wait());
  EXPECT_GE(noticed, 1);
}

// D23
TEST_P(WaitOnWorkers, ForAContinuationOfItselfWouldDeadlock) {
  const Watchdog watchdog;
  Task<void> task;
  Gate set;
  bool noticed = false;
  task = Invoke(ctx_, [&] {
    set.Wait();
    noticed = task.Then([] {}).Wait().Is(Errc::WouldDeadlock);
  });
  set.Open();
  EXPECT_FALSE(task.Wait());
  EXPECT_TRUE(noticed);
}

// D23
TEST_P(WaitOnWorkers, RunsNothingButWhatItWaitsFor) {
  thread_local bool waiting = false;
  std::atomic<int> intruders{0};
  std::vector<Task<void>> others;
  auto task = Invoke(ctx_, [&](Context& context) {
    for (int i = 0; i < 50; ++i)
      others.push_back(Invoke(context, [&intruders] { intruders += waiting ? 1 : 0; }));
    auto child = Invoke(context, [] {});
    for (int i = 0; i < 50; ++i)
      others.push_back(Invoke(context, [&intruders] { intruders += waiting ? 1 : 0; }));
    waiting = true;
    (void)child.Wait();
    waiting = false;
  });
  EXPECT_FALSE(task.Wait());
  for (const auto& other : others) EXPECT_FALSE(other.Wait());
  EXPECT_EQ(intruders, 0);
}

// D23
TEST_P(WaitOnWorkers, StaysOnItsThread) {
  auto task = Invoke(ctx_, [](Context& context) {
    const auto before = std::this_thread::get_id();
    Promise<void> promise;
    auto setter = Invoke(context, [&promise] { promise.TrySet(); });
    (void)promise.Task().Wait();
    (void)setter.Wait();
    return before == std::this_thread::get_id();
  });
  EXPECT_TRUE(task.Get());
}

TEST_P(WaitOnWorkers, AfterWakingNeverMoreThanTheWidthKeepTakingNewWork) {
  Promise<void> promise;
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 30; ++i) tasks.push_back(Invoke(ctx_, [task = promise.Task()] { (void)task.Wait(); }));
  for (int i = 0; i < 500; ++i) {
    tasks.push_back(Invoke(ctx_, [&] {
      const int now = ++running;
      int seen = most;
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      --running;
    }));
    if (i == 250) promise.TrySet();
  }
  for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  EXPECT_LE(most, static_cast<int>(GetParam()));
}

TEST_P(WaitOnWorkers, BoundedNeverRunsTheTaskItself) {
  const auto here = std::this_thread::get_id();
  for (int round = 0; round < 200; ++round) {
    auto task = Invoke(ctx_, [here] { return std::this_thread::get_id() == here; });
    ASSERT_TRUE(task.WaitFor(1h));
    ASSERT_FALSE(task.Get());
  }
}

TEST_P(WaitOnWorkers, BoundedInTheOnlyWorkerMakesProgress) {
  auto task = Invoke(ctx_, [](Context& context) {
    auto child = Invoke(context, [] { return 1; });
    return child.WaitFor(1h) && child.Get() == 1;
  });
  EXPECT_TRUE(task.Get());
}

TEST_P(WaitOnWorkers, BoundedGivesUpAndCanBeRepeated) {
  Promise<void> promise(ctx_);
  const auto task = promise.Task();
  EXPECT_FALSE(task.WaitFor(0ms));
  EXPECT_FALSE(task.WaitFor(-1h));
  EXPECT_FALSE(task.WaitFor(1ms));
  EXPECT_FALSE(task.WaitUntil(TimePoint::min()));
  EXPECT_TRUE(Invoke(ctx_, [task] { return !task.WaitFor(1ms); }).Get());
  promise.TrySet();
  EXPECT_TRUE(task.WaitFor(0ms));
  EXPECT_TRUE(task.WaitFor(-1h));
}

TEST_P(WaitOnWorkers, BoundedWaitsByTheThousandGiveUpWhileTheTaskEnds) {
  for (int round = 0; round < 30; ++round) {
    Promise<void> promise;
    const auto task = promise.Task();
    RunThreads(4, [&](int index) {
      if (index == 0) {
        std::this_thread::yield();
        promise.TrySet();
        return;
      }
      while (!task.WaitFor(std::chrono::microseconds(index))) {
      }
    });
  }
}

TEST_P(WaitOnWorkers, BoundedByAnHourOfVirtualTimeReturnsAtOnce) {
  ManualClock clock(ManualClock::Auto);
  RuntimeOptions options(GetParam());
  options.clock = &clock;
  Runtime runtime(std::move(options));
  auto task = Invoke(runtime.Background(), [&clock] {
    EXPECT_FALSE(Promise<void>().Task().WaitFor(1h));
    EXPECT_GE(clock.Elapsed(), 1h);
  });
  EXPECT_FALSE(task.Wait());
  EXPECT_LT(clock.Elapsed(), 1h + 10ms);
}

TEST(RealWait, BoundedIsNeverEarlyAndHardlyLate) {
  Runtime runtime(2);
  Promise<void> promise;
  const auto begin = Clock::now();
  EXPECT_FALSE(promise.Task().WaitFor(20ms));
  EXPECT_GE(Clock::now() - begin, 20ms);
  EXPECT_LT(Clock::now() - begin, 60ms);
  auto inside = Invoke(runtime.Background(), [task = promise.Task()] {
    const auto start = Clock::now();
    EXPECT_FALSE(task.WaitFor(20ms));
    return Clock::now() - start;
  });
  EXPECT_GE(inside.Get(), 20ms);
  EXPECT_LT(inside.Get(), 60ms);
}

TEST_P(WaitOnWorkers, FromManyThreadsOnOneTask) {
  for (int round = 0; round < 50; ++round) {
    auto task = Invoke(ctx_, [] { return 1; });
    RunThreads(8, [&](int index) {
      if (index % 2 == 0) {
        EXPECT_EQ(task.Get(), 1);
      } else {
        EXPECT_TRUE(task.WaitFor(1h));
      }
    });
  }
}

TEST_P(WaitOnWorkers, ForATaskOfAnotherRuntimeGivesItsOwnWorkerAway) {
  Runtime other(GetParam());
  const Watchdog watchdog;
  for (int round = 0; round < 200; ++round) {
    Promise<void> promise;
    auto outer = Invoke(ctx_, [&] {
      auto inner = Invoke(other.Background(), [task = promise.Task()] { return task.Wait(); });
      return inner.Wait();
    });
    std::vector<Task<void>> fill;
    for (std::size_t i = 1; i < GetParam(); ++i)
      fill.push_back(Invoke(ctx_, [task = promise.Task()] { (void)task.Wait(); }));
    auto setter = Invoke(ctx_, [&promise] { promise.TrySet(); });
    ASSERT_TRUE(setter.WaitFor(kPatience));
    ASSERT_FALSE(outer.Wait());
    for (const auto& task : fill) (void)task.Wait();
  }
}

TEST_P(WaitOnWorkers, InsideACallbackOfAContextMakesProgress) {
  const auto context = ctx_.WithCancel();
  Promise<int> result;
  const auto registration = context.OnDone([&] { result.TrySet(Invoke(ctx_, [] { return 4; }).Get()); });
  context.Cancel();
  EXPECT_EQ(result.Task().Get(), 4);
}

}  // namespace
}  // namespace orchestrate::test
