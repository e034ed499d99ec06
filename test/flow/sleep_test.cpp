#include <orchestrate/flow/sleep.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/exec/strand.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class SleepInVirtualTime : public InVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Over, SleepInVirtualTime, Widths(), WidthName);

// D20
TEST_P(SleepInVirtualTime, CompletesWhenItsTimeHasCome) {
  for (const auto time : {1ms, 10ms, 255ms, 256ms, 300ms, 1000ms}) {
    const Nanoseconds before = Elapsed();
    const auto task = Sleep(ctx_, time);
    EXPECT_EQ(task.State(), TaskState::Running);
    EXPECT_FALSE(task.Wait());
    EXPECT_EQ(task.State(), TaskState::Completed);
    EXPECT_EQ(Elapsed() - before, time);
    EXPECT_EQ(task.Duration(), 0ns);
  }
}

// D20
TEST_P(SleepInVirtualTime, IsNeverEarlyBetweenTwoTicks) {
  EXPECT_FALSE(Sleep(ctx_, 1500us).Wait());
  EXPECT_EQ(Elapsed(), 2ms);
}

// D20
TEST_P(SleepInVirtualTime, TakesAnyDuration) {
  const auto forever = Sleep(ctx_, std::chrono::hours::max());
  const auto years = Sleep(ctx_, 24h * 365 * 100);
  EXPECT_FALSE(years.Wait());
  EXPECT_EQ(Elapsed(), 24h * 365 * 100);
  EXPECT_EQ(forever.State(), TaskState::Running);
  forever.Cancel();
}

// D20, H16
TEST_P(SleepInVirtualTime, OfZeroTakesNoTime) {
  EXPECT_FALSE(Sleep(ctx_, 0ms).Wait());
  EXPECT_EQ(Elapsed(), 0ns);
}

// D20, H16
TEST(Sleep, OfZeroEndsWithTheNextTurnNotInsideTheCall) {
  ManualExecutor executor;
  const auto task = Sleep(executor.Background(), 0ms);
  EXPECT_EQ(task.State(), TaskState::Running);
  executor.RunUntilIdle();
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_EQ(executor.Now(), ManualClock::kStart);
}

// D27
TEST_P(SleepInVirtualTime, OfLessThanZeroFails) {
  const auto task = Sleep(ctx_, -5ms);
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_TRUE(task.Wait().Is(Errc::InvalidArgument));
  EXPECT_EQ(task.Wait().Message(), "Sleep: duration -5000000 ns, must be >= 0");
}

TEST_P(SleepInVirtualTime, UntilATimeEndsThen) {
  EXPECT_FALSE(SleepUntil(ctx_, clock_.Now() + 7ms).Wait());
  EXPECT_EQ(Elapsed(), 7ms);
  EXPECT_FALSE(SleepUntil(ctx_, clock_.Now() - 7ms).Wait());
  EXPECT_EQ(Elapsed(), 7ms);
}

TEST_P(SleepInVirtualTime, OccupiesNoWorker) {
  std::vector<Task<void>> sleeps;
  for (int i = 0; i < 100; ++i) sleeps.push_back(Sleep(ctx_, 1h));
  EXPECT_EQ(Invoke(ctx_, [] { return 1; }).Get(), 1);
  EXPECT_EQ(Elapsed(), 0ns);
  for (auto& task : sleeps) EXPECT_FALSE(task.Wait());
}

TEST_P(SleepInVirtualTime, InsideATaskGivesTheWorkerAway) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 20; ++i)
    tasks.push_back(Invoke(ctx_, [](Context& own) { return Sleep(own, 10ms).Wait(); }));
  for (auto& task : tasks) EXPECT_FALSE(task.Wait());
  EXPECT_EQ(Elapsed(), 10ms);
}

TEST_P(SleepInVirtualTime, CanBeReturnedByWork) {
  EXPECT_FALSE(Invoke(ctx_, [](Context& own) { return Sleep(own, 10ms); }).Wait());
  EXPECT_EQ(Elapsed(), 10ms);
}

TEST_P(SleepInVirtualTime, GoesOnWithoutHandles) {
  std::atomic<bool> ran{false};
  (void)Sleep(ctx_, 10ms).Then([&ran] { ran = true; });
  EXPECT_FALSE(runtime_.Run());
  EXPECT_TRUE(ran);
  EXPECT_EQ(Elapsed(), 10ms);
}

TEST_P(SleepInVirtualTime, KeepsItsName) { EXPECT_EQ(Sleep(Where(ctx_).Named("nap"), 0ms).Name(), "nap"); }

// D20
TEST_P(SleepInVirtualTime, IsGoneWhenItIsCancelled) {
  const LiveCounts before = CountLive();
  auto task = Sleep(ctx_, 1h);
  EXPECT_TRUE(task.Cancel());
  EXPECT_FALSE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(task.IsDone());
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(CountLive().timers, before.timers);
  task = {};
  EXPECT_EQ(WaitForLive(before), before);
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(Elapsed(), 0ns);
}

// D4
TEST_P(SleepInVirtualTime, KeepsTheCauseOfItsCancel) {
  const auto task = Sleep(ctx_, 1h);
  task.Cancel({Errc::Cancelled, "enough"});
  EXPECT_EQ(task.Wait().Message(), "enough");
}

// H17
TEST_P(SleepInVirtualTime, CannotBeCancelledAfterItsEnd) {
  const auto task = Sleep(ctx_, 1ms);
  EXPECT_FALSE(task.Wait());
  EXPECT_FALSE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Completed);
}

TEST_P(SleepInVirtualTime, EndsAtOnceWithItsContext) {
  const Context own = ctx_.WithCancel();
  const auto task = Sleep(own, 1h);
  own.Cancel({Errc::Cancelled, "the context"});
  EXPECT_EQ(task.Wait().Message(), "the context");
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_EQ(Elapsed(), 0ns);
}

TEST_P(SleepInVirtualTime, EndsAtTheDeadlineOfItsContext) {
  const auto task = Sleep(ctx_.WithTimeout(20ms), 1h);
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_EQ(Elapsed(), 20ms);
}

TEST_P(SleepInVirtualTime, EndsWithTheTaskItBelongsTo) {
  Task<void> inner;
  Gate started;
  const auto outer = Invoke(ctx_, [&](Context& own) {
    inner = Sleep(own, 1h);
    started.Open();
    return inner.Wait();
  });
  started.Wait();
  EXPECT_TRUE(outer.Cancel());
  EXPECT_TRUE(outer.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(inner.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(Elapsed(), 0ns);
}

// D6
TEST_P(SleepInVirtualTime, UnderAnEndedContextIsEndedAtBirth) {
  const Context own = ctx_.WithCancel();
  own.Cancel();
  const auto task = Sleep(own, 1h);
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

// D19
TEST_P(SleepInVirtualTime, EndsWhenItsRuntimeIsCancelled) {
  const auto task = Sleep(ctx_, 1h);
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 10s).Value(), 0U);
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(task.Wait().Is(Errc::ShutDown));
  EXPECT_EQ(Elapsed(), 0ns);
}

// D19
TEST_P(SleepInVirtualTime, EndsWhenItsRuntimeHasDrained) {
  const auto task = Sleep(ctx_, 1h);
  const auto shielded = Sleep(ctx_.Shield(), 1h);
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 10s).Value(), 0U);
  EXPECT_TRUE(task.Wait().Is(Errc::ShutDown));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(shielded.Wait().Is(Errc::ShutDown));
}

// D19
TEST_P(SleepInVirtualTime, AfterTheShutdownFails) {
  (void)runtime_.Shutdown(ShutdownMode::Drain, 10s);
  const auto task = Sleep(ctx_, 1ms);
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_TRUE(task.Wait().Is(Errc::ShutDown));
}

TEST_P(SleepInVirtualTime, WorksOnAStrand) {
  Strand strand(runtime_.GetExecutor());
  EXPECT_FALSE(Sleep(Where(ctx_).On(strand), 10ms).Wait());
  EXPECT_EQ(Elapsed(), 10ms);
  const auto task = Sleep(strand.Background(), 1h);
  task.Cancel();
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(Elapsed(), 10ms);
}

TEST_P(SleepInVirtualTime, CostsTwoHundredBytesAtMost) {
  constexpr std::size_t kCount = 100'000;
  const auto before = detail::Stats();
  std::vector<Task<void>> tasks;
  tasks.reserve(kCount);
  for (std::size_t i = 0; i < kCount; ++i) tasks.push_back(Sleep(ctx_, 1h));
  const auto after = detail::Stats();
  EXPECT_EQ(after.live_blocks - before.live_blocks, kCount);
  EXPECT_LE((after.slabs_in_use - before.slabs_in_use) * after.slab_bytes / kCount, 200U);
  for (auto& task : tasks) ASSERT_FALSE(task.Wait());
}

TEST_P(SleepInVirtualTime, EndsOnceUnderRacingCancels) {
  for (int round = 0; round < 200; ++round) {
    const Context own = ctx_.WithCancel();
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 8; ++i) tasks.push_back(Sleep(own, std::chrono::milliseconds(i % 3)));
    std::atomic<int> told{0};
    std::vector<Task<int>> after;
    for (auto& task : tasks) {
      after.push_back(ContinueWith(ctx_, task, [&told](const Result<void>&) { return ++told; }));
    }
    RunThreads(3, [&](int thread) {
      if (thread == 0) own.Cancel();
      for (auto& task : tasks)
        thread == 1 ? static_cast<void>(task.Cancel()) : static_cast<void>(task.Wait());
    });
    for (auto& task : after) (void)task.Wait();
    ASSERT_EQ(told, 8);
  }
}

// The handle may be cancelled while the runtime goes: whoever is later touches it no more.
TEST(SleepLifetime, OutlivesItsRuntime) {
  for (int round = 0; round < 100; ++round) {
    std::vector<Task<void>> tasks;
    std::atomic<bool> go{false};
    std::thread canceller;
    {
      Runtime runtime(1);
      for (int i = 0; i < 50; ++i) tasks.push_back(Sleep(runtime.Background(), i % 2 == 0 ? 0ms : 1h));
      canceller = std::thread([&] {
        while (!go) std::this_thread::yield();
        for (auto& task : tasks) task.Cancel();
      });
      go = true;
    }
    canceller.join();
    for (auto& task : tasks) ASSERT_TRUE(task.IsDone());
  }
}

// A context whose deadline somebody waited for may outlive the timers that kept it.
TEST(SleepLifetime, LetsItsDeadlineOutliveTheRuntime) {
  Context left = Context::Background();
  {
    Runtime runtime(1);
    left = runtime.Background().WithTimeout(1h);
    (void)Sleep(left, 2h);
  }
  left = Context::Background();
}

TEST(SleepOnTheDefaultRuntime, NeedsNoContext) {
  EXPECT_FALSE(Sleep(1ms).Wait());
  EXPECT_FALSE(SleepUntil(Clock::now()).Wait());
  EXPECT_TRUE(Sleep(-1ms).Wait().Is(Errc::InvalidArgument));
}

// D20, H15: in real time; never early, at most 20 ms late.
TEST(RealSleep, EndsOnTime) {
  for (const auto time : {1ms, 10ms, 255ms, 256ms, 300ms, 1000ms}) {
    EXPECT_TRUE(InTimeOnce([time] {
      const TimePoint start = Clock::now();
      EXPECT_FALSE(Sleep(time).Wait());
      const auto took = Clock::now() - start;
      EXPECT_GE(took, time);
      return took <= time + 20ms;
    }));
  }
}

TEST(RealSleep, EndsSoonWhenItIsCancelled) {
  EXPECT_TRUE(InTimeOnce([] {
    const Context own = Context::Background().WithCancel();
    const auto task = Sleep(own, 1h);
    const TimePoint start = Clock::now();
    own.Cancel();
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
    return Clock::now() - start <= 50ms;
  }));
}

}  // namespace
}  // namespace orchestrate::test
