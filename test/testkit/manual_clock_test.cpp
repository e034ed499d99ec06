#include <orchestrate/testkit/manual_clock.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

TEST(ManualClock, StartsAtAFixedTimeThatIsNotZero) {
  const ManualClock first;
  const ManualClock second;
  EXPECT_EQ(first.Now(), second.Now());
  EXPECT_GT(first.Now(), TimePoint());
  EXPECT_EQ(first.Elapsed(), 0ns);
}

TEST(ManualClock, MovesByWhatItIsTold) {
  ManualClock clock;
  clock.Advance(3ms);
  clock.Advance(2us);
  EXPECT_EQ(clock.Elapsed(), 3ms + 2us);
  clock.AdvanceTo(ManualClock::kStart + 1s);
  EXPECT_EQ(clock.Elapsed(), 1s);
}

TEST(ManualClock, NeverGoesBack) {
  ManualClock clock;
  clock.Advance(5ms);
  clock.Advance(-3ms);
  clock.AdvanceTo(ManualClock::kStart);
  EXPECT_EQ(clock.Elapsed(), 5ms);
}

TEST(ManualClock, StopsAtTheEndOfTime) {
  ManualClock clock;
  clock.Advance(std::chrono::hours::max());
  EXPECT_EQ(clock.Now(), TimePoint::max());
}

class CountingListener final : public ClockListener {
 public:
  void ClockMoved() noexcept override { ++calls; }
  int calls = 0;
};

TEST(ManualClock, TellsItsListenersUntilTheyLeave) {
  ManualClock clock;
  CountingListener stays;
  CountingListener leaves;
  clock.Subscribe(stays);
  clock.Subscribe(leaves);
  clock.Advance(1ms);
  clock.Unsubscribe(leaves);
  clock.Advance(1ms);
  EXPECT_EQ(stays.calls, 2);
  EXPECT_EQ(leaves.calls, 1);
  clock.Unsubscribe(stays);
}

TEST(ManualClock, JumpsOnlyInModeAuto) {
  ManualClock clock;
  EXPECT_FALSE(clock.OfferJump(clock.Now() + 1ms));
  EXPECT_EQ(clock.Elapsed(), 0ns);
  clock.SetMode(ManualClock::Auto);
  EXPECT_TRUE(clock.OfferJump(clock.Now() + 1ms));
  EXPECT_EQ(clock.Elapsed(), 1ms);
}

TEST(ManualClock, MayBeMovedByManyThreads) {
  ManualClock clock;
  CountingListener listener;
  clock.Subscribe(listener);
  RunThreads(4, [&](int) {
    for (int i = 0; i < 1000; ++i) clock.Advance(1us);
  });
  clock.Unsubscribe(listener);
  EXPECT_EQ(clock.Elapsed(), 4ms);
  EXPECT_EQ(listener.calls, 4000);
}

class ManualClockOfARuntime : public InVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Over, ManualClockOfARuntime, Widths(), WidthName);

TEST_P(ManualClockOfARuntime, JumpsFromTimerToTimer) {
  std::vector<Nanoseconds> seen;
  std::vector<Task<void>> tasks;
  for (const auto time : {30ms, 10ms, 20ms}) {
    tasks.push_back(Sleep(ctx_, time).Then([&seen, this] { seen.push_back(Elapsed()); }));
  }
  for (auto& task : tasks) EXPECT_FALSE(task.Wait());
  EXPECT_EQ(seen, (std::vector<Nanoseconds>{10ms, 20ms, 30ms}));
}

TEST_P(ManualClockOfARuntime, DoesNotJumpWhileWorkRuns) {
  Gate started;
  Gate go;
  auto busy = Invoke(ctx_, [&] {
    started.Open();
    go.Wait();
    return Elapsed();
  });
  auto opener = std::thread([&] {
    started.Wait();
    go.Open();
  });
  EXPECT_FALSE(Sleep(ctx_, 1h).Wait());
  EXPECT_EQ(busy.Get(), 0ns);
  EXPECT_EQ(Elapsed(), 1h);
  opener.join();
}

TEST_P(ManualClockOfARuntime, StandsStillForAWokenThread) {
  for (int round = 0; round < 300; ++round) {
    const Nanoseconds before = Elapsed();
    const auto later = Sleep(ctx_, 10ms);
    ASSERT_FALSE(Invoke(ctx_, [](Context& own) { return Sleep(own, 3ms).Wait(); }).Wait());
    ASSERT_EQ(Elapsed() - before, 3ms);
    ASSERT_FALSE(later.IsDone());
    ASSERT_FALSE(later.Wait());
  }
}

TEST_P(ManualClockOfARuntime, StandsStillBetweenPostAndWait) {
  for (int round = 0; round < 300; ++round) {
    const Nanoseconds before = Elapsed();
    const auto later = Sleep(ctx_, 10ms);
    std::atomic<int> hops{0};
    auto task = Invoke(ctx_, [&](Context& own) {
      return Invoke(own, [&](Context& inner) { return Invoke(inner, [&] { ++hops; }).Wait(); }).Wait();
    });
    ASSERT_FALSE(task.Wait());
    ASSERT_EQ(hops, 1);
    ASSERT_EQ(Elapsed(), before);
    ASSERT_FALSE(later.Wait());
  }
}

TEST_P(ManualClockOfARuntime, RunsAYearAtOnce) {
  EXPECT_FALSE(Sleep(ctx_, 24h * 365).Wait());
  EXPECT_EQ(Elapsed(), 24h * 365);
}

TEST_P(ManualClockOfARuntime, LetsRunWaitForTimers) {
  const auto task = Sleep(ctx_, 1h);
  EXPECT_FALSE(runtime_.Run());
  EXPECT_TRUE(task.IsDone());
}

TEST(ManualClockByHand, FiresWhatItPasses) {
  ManualClock clock;
  RuntimeOptions options(2);
  options.clock = &clock;
  Runtime runtime(std::move(options));
  const auto early = Sleep(runtime.Background(), 10ms);
  const auto late = Sleep(runtime.Background(), 20ms);
  ASSERT_TRUE(WaitForTimers(runtime.GetExecutor(), 2));
  clock.Advance(10ms);
  EXPECT_FALSE(early.Wait());
  EXPECT_EQ(late.State(), TaskState::Running);
  clock.Advance(10ms);
  EXPECT_FALSE(late.Wait());
}

}  // namespace
}  // namespace orchestrate::test
