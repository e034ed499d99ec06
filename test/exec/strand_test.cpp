#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/virtual_time.hpp>
#include <test/support/with_strand.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class StrandOnWorkers : public WithStrand {};
INSTANTIATE_TEST_SUITE_P(Over, StrandOnWorkers, Widths(), WidthName);

class StrandInVirtualTime : public InVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Over, StrandInVirtualTime, Widths(), WidthName);

// Notices when two are inside at once.
class OneInside {
 public:
  void Pass() {
    if (inside_.exchange(true)) overlapped_ = true;
    if (++passed_ % 64 == 0) std::this_thread::yield();
    inside_ = false;
  }
  [[nodiscard]] bool Overlapped() const { return overlapped_; }

 private:
  std::atomic<bool> inside_{false};
  std::atomic<bool> overlapped_{false};
  std::atomic<int> passed_{0};
};

TEST_P(StrandOnWorkers, RunsInTheOrderOfArrival) {
  std::vector<int> order;  // without a lock: ThreadSanitizer would see two at once
  for (int i = 0; i < 1000; ++i) (void)Invoke(on_strand_, [&order, i] { order.push_back(i); });
  EXPECT_FALSE(runtime_.Run());
  ASSERT_EQ(order.size(), 1000U);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
}

// A body that takes longer than a turn, while the base has something else to do.
TEST(Strand, GivesWayAfterALongBody) {
  ManualExecutor base;
  Strand strand(base);
  const Context on_strand = strand.Background();
  std::vector<std::string> order;
  const auto note = [&order](const char* what) { return [&order, what] { order.emplace_back(what); }; };
  const auto first = Invoke(on_strand, [&] {
    const auto begin = Clock::now();
    while (Clock::now() - begin < 2ms) {
    }
    order.emplace_back("first");
  });
  const auto other = Invoke(base.Background(), note("other"));
  const auto second = Invoke(on_strand, note("second"));
  base.RunUntilIdle();
  EXPECT_EQ(order, (std::vector<std::string>{"first", "other", "second"}));
}

TEST_P(StrandOnWorkers, RunsOneAtATimeForManyThreadsEachInItsOrder) {
  OneInside inside;
  std::vector<std::pair<int, int>> order;
  RunThreads(4, [&](int thread) {
    for (int i = 0; i < 300; ++i) {
      (void)Invoke(on_strand_, [&inside, &order, thread, i] {
        inside.Pass();
        order.emplace_back(thread, i);
      });
    }
  });
  EXPECT_FALSE(runtime_.Run());
  EXPECT_FALSE(inside.Overlapped());
  ASSERT_EQ(order.size(), 1200U);
  std::vector<int> next(4, 0);
  for (const auto& [thread, i] : order) ASSERT_EQ(i, next[static_cast<std::size_t>(thread)]++);
}

TEST_P(StrandOnWorkers, WhatItsTasksSpawnRunsOnItAfterThem) {
  std::vector<int> order;
  (void)Invoke(on_strand_, [&order](Context& own) {
    for (int i = 1; i <= 3; ++i) (void)Invoke(own, [&order, i] { order.push_back(i); });
    order.push_back(0);
  });
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

// D29
TEST_P(StrandOnWorkers, ContinuationsOfItsTasksRunOnItUnlessToldOtherwise) {
  auto first = Invoke(on_strand_, [](Context& own) { return &own.GetExecutor(); });
  auto second = first.Then([](Context& own, Executor* /*before*/) { return &own.GetExecutor(); });
  auto third = After(ctx_, second, [](Context& own, Executor* /*before*/) { return &own.GetExecutor(); });
  EXPECT_EQ(first.Get(), &strand_);
  EXPECT_EQ(second.Get(), &strand_);
  EXPECT_EQ(third.Get(), &runtime_.GetExecutor());
}

TEST_P(StrandOnWorkers, TwoOfThemDoNotHoldUpEachOther) {
  Strand other(runtime_.GetExecutor());
  Promise<void> promise;
  auto waits = Invoke(on_strand_, [task = promise.Task()] { return task.Wait(); });
  auto sets = Invoke(Where(ctx_).On(other), [&promise] { promise.TrySet(); });
  EXPECT_FALSE(waits.Wait());
  EXPECT_FALSE(sets.Wait());
}

TEST_P(StrandOnWorkers, DoesNotKeepAWorkerFromOtherWork) {
  struct Endless {
    std::atomic<bool>& stop;
    void operator()(Context& context) const {
      if (!stop) (void)Invoke(context.Shield(), *this);
    }
  };
  std::atomic<bool> stop{false};
  (void)Invoke(on_strand_, Endless{stop});
  for (int i = 0; i < 20; ++i) {
    auto other = NewTask([] {});
    other.Run(ctx_);
    EXPECT_TRUE(other.WaitFor(kPatience)) << "a strand that always has work starves the rest";
  }
  stop = true;
  EXPECT_FALSE(runtime_.Run());
}

TEST_P(StrandOnWorkers, AFailingTaskDoesNotStopTheNext) {
  auto fails = Invoke(on_strand_, [] { throw 42; });
  auto next = Invoke(on_strand_, [] { return 1; });
  EXPECT_EQ(next.Get(), 1);
  EXPECT_THROW(fails.Get(), int);
}

// D2
TEST_P(StrandOnWorkers, ACancelledTaskIsSkipped) {
  Gate leave;
  const OpenAtEnd open(leave);
  auto first = Invoke(on_strand_, [&leave] { leave.Wait(); });
  std::atomic<bool> ran{false};
  auto second = Invoke(on_strand_, [&ran] { ran = true; });
  auto third = Invoke(on_strand_, [] { return 3; });
  EXPECT_TRUE(second.Cancel());
  EXPECT_TRUE(second.IsDone()) << "at once, although the strand is busy";
  leave.Open();
  EXPECT_EQ(third.Get(), 3);
  EXPECT_FALSE(first.Wait());
  EXPECT_FALSE(ran);
}

TEST_P(StrandOnWorkers, AContextsEndIsToldWhileItIsBusy) {
  Gate told;
  auto busy = Invoke(on_strand_, [&told](Context& own) {
    const auto call = own.OnDone([&told] { told.Open(); });
    told.Wait();
  });
  EXPECT_TRUE(Eventually([&busy] { return busy.State() == TaskState::Running; }));
  EXPECT_TRUE(busy.Cancel());
  EXPECT_TRUE(busy.Wait().Is(Errc::Cancelled));
}

// D23
TEST_P(StrandOnWorkers, AWaitInsideGivesTheWorkerAway) {
  Promise<int> promise;
  auto waits = Invoke(on_strand_, [task = promise.Task()] { return task.Get(); });
  auto sets = Invoke(ctx_, [&promise] { promise.TrySet(7); });
  EXPECT_EQ(waits.Get(), 7);
  EXPECT_FALSE(sets.Wait());
}

struct Nested {
  int depth;
  int operator()(Context& context) const {
    return depth == 0 ? 0 : 1 + Invoke(context, Nested{depth - 1}).Get();
  }
};

// D23
TEST_P(StrandOnWorkers, AWaitInsideForALaterTaskOfItRunsThatOne) {
  const Watchdog watchdog;
  OneInside inside;
  auto nested = Invoke(on_strand_, Nested{200});
  auto other = Invoke(on_strand_, [&inside] { inside.Pass(); });
  EXPECT_EQ(nested.Get(), 200);
  EXPECT_FALSE(other.Wait());
}

// D23
TEST_P(StrandOnWorkers, AWaitThroughOthersForWhatIsQueuedBehindWouldDeadlock) {
  const Watchdog watchdog;
  const bool parallel = GetParam() > 1;  // a single worker may run one of the tasks inside the other
  for (int round = 0; round < 50; ++round) {
    Task<void> behind;
    Gate set;
    Gate outside_runs;
    auto outside = Invoke(ctx_, [&] {
      outside_runs.Open();
      set.Wait();
      return behind.Wait().Is(Errc::WouldDeadlock);
    });
    auto inside = Invoke(on_strand_, [&] {
      set.Wait();
      if (parallel) outside_runs.Wait();
      return outside.Wait().Is(Errc::WouldDeadlock);
    });
    behind = Invoke(on_strand_, [] {});
    set.Open();
    const bool told_inside = inside.Get();
    const bool told_outside = outside.Get();
    EXPECT_TRUE(!parallel || told_inside || told_outside) << "whichever of the two waits second is told";
    EXPECT_FALSE(behind.Wait());
  }
}

// D19
TEST_P(StrandOnWorkers, WhatIsQueuedUnderItsRootIsCancelledWithItsExecutor) {
  Gate started;
  Gate leave;
  std::atomic<int> ran{0};
  auto running = Invoke(strand_.Background(), [&](Context& own) {
    started.Open();
    leave.Wait();
    return own.IsDone();
  });
  started.Wait();
  std::vector<Task<void>> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(Invoke(strand_.Background(), [&ran] { ++ran; }));
  const auto closing = strand_.Background().OnDone([&leave] { leave.Open(); });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 20s).Value(), 0U);
  EXPECT_EQ(ran, 0);
  EXPECT_TRUE(running.Wait().Is(Errc::Cancelled));
  for (const auto& task : queued) EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

// D23
TEST_P(StrandOnWorkers, AWaitInsideForATaskOfAStrandOnItWouldDeadlock) {
  Strand upper(static_cast<Executor&>(strand_));
  auto refused = Invoke(on_strand_, [&upper](Context& own) {
    return Invoke(Where(own).On(upper), [] {}).Wait().Is(Errc::WouldDeadlock);
  });
  EXPECT_TRUE(refused.Get());
}

// D23
TEST_P(StrandOnWorkers, AWaitInsideForAJobOnItWouldDeadlock) {
  auto refused = Invoke(on_strand_, [](Context& context) {
    const Job job = InvokeAll(context, 2, NewTasks([] {}, [] {}));
    const Error error = job.Wait();
    job.Cancel();
    return error.Is(Errc::WouldDeadlock);
  });
  EXPECT_TRUE(refused.Get());
}

TEST_P(StrandOnWorkers, AStrandOnAStrandKeepsOneAtATime) {
  Strand upper(static_cast<Executor&>(strand_));
  OneInside inside;
  for (int i = 0; i < 100; ++i) {
    (void)Invoke(Where(ctx_).On(upper), [&inside] { inside.Pass(); });
    (void)Invoke(Where(ctx_).On(strand_), [&inside] { inside.Pass(); });
  }
  EXPECT_FALSE(runtime_.Run());
  EXPECT_FALSE(inside.Overlapped());
}

TEST_P(StrandOnWorkers, WorkThatItAcceptedRunsAfterItHasGone) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> ran{0};
    {
      Strand short_lived(runtime_.GetExecutor());
      const Context context = short_lived.Background();
      for (int i = 0; i < 20; ++i) (void)Invoke(context, [&ran] { ++ran; });
    }
    EXPECT_FALSE(runtime_.Run());
    ASSERT_EQ(ran, 20);
  }
}

TEST_P(StrandOnWorkers, HasTheCapabilitiesOfItsExecutorButRunsOneAtATime) {
  EXPECT_FALSE(strand_.GetCapabilities().parallel);
  EXPECT_TRUE(strand_.GetCapabilities().blocking);
  EXPECT_EQ(&strand_.Timers(), &runtime_.GetExecutor().Timers());
  EXPECT_EQ(&strand_.Background().GetExecutor(), &strand_);
  EXPECT_TRUE(strand_.IsRunning());
}

// D19
TEST_P(StrandOnWorkers, EndsWithItsRuntime) {
  auto before = Invoke(on_strand_, [] { return 1; });
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
  EXPECT_EQ(before.Get(), 1);
  EXPECT_FALSE(strand_.IsRunning());
  EXPECT_TRUE(Invoke(on_strand_, [] {}).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(Invoke(strand_.Background(), [] {}).Wait().Is(Errc::ShutDown));
}

// D19
TEST_P(StrandOnWorkers, WhatIsQueuedOnItIsCancelledWithItsRuntime) {
  Gate leave;
  Gate started;
  auto running = Invoke(on_strand_, [&] {
    started.Open();
    leave.Wait();
  });
  started.Wait();
  std::vector<Task<void>> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(Invoke(on_strand_, [] {}));
  (void)runtime_.Shutdown(ShutdownMode::Cancel, 0ns);
  leave.Open();
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 20s).Value(), 0U);
  for (const auto& task : queued) EXPECT_TRUE(task.Wait().Is(Errc::Cancelled)) << task.Wait().Message();
  EXPECT_TRUE(running.Wait().Is(Errc::Cancelled));
}

TEST_P(StrandInVirtualTime, SleepsByTheClockOfItsExecutor) {
  Strand strand(runtime_.GetExecutor());
  auto nap = Invoke(Where(ctx_).On(strand), [](Context& own) { return Sleep(own, 1h); });
  EXPECT_FALSE(nap.Wait());
  EXPECT_EQ(Elapsed(), 1h);
  EXPECT_EQ(strand.Now(), runtime_.GetExecutor().Now());
}

TEST_P(StrandInVirtualTime, ItsSleepsAndRepeatsKeepTheRuntimeBusy) {
  Strand strand(runtime_.GetExecutor());
  auto nap = Sleep(Where(ctx_).On(strand), 1h);
  EXPECT_FALSE(runtime_.Run());
  EXPECT_TRUE(nap.IsDone());
}

// ---- one step at a time ----

TEST(Strand, LiesInItsExecutorAsOnePieceOfWork) {
  ManualExecutor executor;
  Strand strand(executor);
  std::vector<int> order;
  for (int i = 0; i < 10; ++i) (void)Invoke(strand.Background(), [&order, i] { order.push_back(i); });
  EXPECT_EQ(executor.Queued(), 1U);
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(order.size(), 10U);
  EXPECT_FALSE(executor.RunOne());
}

TEST(Strand, LetsOthersGoFirstAfterABoundedTime) {
  ManualExecutor executor;
  Strand strand(executor);
  int ran = 0;
  for (int i = 0; i < 1000; ++i) (void)Invoke(strand.Background(), [&ran] { ++ran; });
  bool other = false;
  (void)Invoke(executor.Background(), [&other] { other = true; });
  EXPECT_TRUE(executor.RunOne());
  EXPECT_GT(ran, 0);
  EXPECT_LT(ran, 1000);
  EXPECT_TRUE(executor.RunOne());
  EXPECT_TRUE(other) << "the strand went to the end of the queue";
  executor.RunUntilIdle();
  EXPECT_EQ(ran, 1000);
}

// D19
TEST(Strand, IsRefusedWithItsExecutor) {
  ManualExecutor executor;
  Strand strand(executor);
  auto queued = Invoke(Where(executor.Background()).On(strand), [] {});
  executor.Shutdown(ShutdownMode::Cancel);
  EXPECT_EQ(queued.State(), TaskState::Cancelled);
  EXPECT_TRUE(queued.Wait().Is(Errc::ShutDown)) << queued.Wait().Message();
  EXPECT_TRUE(Invoke(strand.Background(), [] {}).Wait().Is(Errc::ShutDown));
}

}  // namespace
}  // namespace orchestrate::test
