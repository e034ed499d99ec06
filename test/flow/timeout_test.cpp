#include <orchestrate/flow/timeout.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <thread>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class TimeoutInVirtualTime : public InVirtualTime {
 protected:
  // Work that takes some time, listens, and then yields 7.
  [[nodiscard]] Task<int> Working(Nanoseconds time) {
    return Invoke(ctx_, [time](Context& own) -> Result<int> {
      if (Error error = Sleep(own, time).Wait()) return error;
      return 7;
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Over, TimeoutInVirtualTime, Widths(), WidthName);

// H18
TEST_P(TimeoutInVirtualTime, EndsWhatNeverEnds) {
  const Promise<int> never;
  const auto task = Timeout(ctx_, never.Task(), 50ms);
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_EQ(Elapsed(), 50ms);
  EXPECT_TRUE(never.Task().Wait().Is(Errc::DeadlineExceeded));
}

// H18
TEST_P(TimeoutInVirtualTime, YieldsTheValueAndForgetsTheTimer) {
  const LiveCounts before = CountLive();
  const auto task = Timeout(ctx_, Working(20ms), 200ms);
  EXPECT_EQ(task.Get(), 7);
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_EQ(CountLive().timers, before.timers);
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(Elapsed(), 20ms);
}

// D30
TEST_P(TimeoutInVirtualTime, DoesNotWaitForABodyThatDoesNotListen) {
  Promise<void> go;
  Task<void> body = Invoke(ctx_, [wait = go.Task()] { return wait.Wait(); });
  const auto task = Timeout(ctx_, body, 50ms);
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(Elapsed(), 50ms);
  EXPECT_EQ(body.State(), TaskState::Cancelled);
  EXPECT_FALSE(body.IsDone());
  go.TrySet();
  EXPECT_FALSE(runtime_.Run());  // which counts the body
  EXPECT_TRUE(body.IsDone());
}

TEST_P(TimeoutInVirtualTime, CancelsTheTaskWithTheTimeAsCause) {
  Error seen;
  const auto task = Timeout(ctx_, 50ms, [&seen](Context& own) {
    seen = Sleep(own, 1h).Wait();
    return seen;
  });
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_FALSE(runtime_.Run());
  EXPECT_TRUE(seen.Is(Errc::DeadlineExceeded));
  EXPECT_EQ(Elapsed(), 50ms);
}

TEST_P(TimeoutInVirtualTime, GivesTheFunctionItsDeadline) {
  const auto task = Timeout(ctx_, 50ms, [](Context& own) { return own.Deadline(); });
  EXPECT_EQ(task.Get(), ManualClock::kStart + 50ms);
}

TEST_P(TimeoutInVirtualTime, PassesErrorsOn) {
  const auto task = Timeout(ctx_, 50ms, []() -> int { throw std::runtime_error("boom"); });
  EXPECT_EQ(task.Wait().Message(), "boom");
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_THROW((void)task.Get(), std::runtime_error);
}

TEST_P(TimeoutInVirtualTime, PassesACancelOn) {
  const auto work = Working(20ms);
  const auto task = Timeout(ctx_, work, 50ms);
  work.Cancel({Errc::Cancelled, "changed my mind"});
  EXPECT_EQ(task.Wait().Message(), "changed my mind");
  EXPECT_EQ(task.State(), TaskState::Cancelled);
}

TEST_P(TimeoutInVirtualTime, MovesWhatCannotBeCopied) {
  auto task = Timeout(ctx_, 50ms, [] { return std::make_unique<int>(5); });
  EXPECT_EQ(*task.Take(), 5);
}

TEST_P(TimeoutInVirtualTime, TakesTasksOfNothing) {
  EXPECT_FALSE(Timeout(ctx_, Sleep(ctx_, 20ms), 50ms).Wait());
  EXPECT_TRUE(Timeout(ctx_, Sleep(ctx_, 50ms), 20ms).Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(Elapsed(), 40ms);
}

TEST_P(TimeoutInVirtualTime, StartsATaskThatNobodyHasStarted) {
  EXPECT_EQ(Timeout(ctx_, NewTask([] { return 1; }), 50ms).Get(), 1);
}

TEST_P(TimeoutInVirtualTime, OfATaskThatHasEndedEndsAtOnce) {
  EXPECT_EQ(Timeout(ctx_, Completed(1), 0ms).Get(), 1);
  EXPECT_EQ(Timeout(ctx_, Failed<int>({Errc::NotSupported, "no"}), 0ms).Wait().Message(), "no");
  EXPECT_EQ(Elapsed(), 0ns);
}

TEST_P(TimeoutInVirtualTime, OfZeroEndsWithTheNextTurn) {
  const Promise<int> never;
  EXPECT_TRUE(Timeout(ctx_, never.Task(), 0ms).Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(Elapsed(), 0ns);
}

TEST_P(TimeoutInVirtualTime, CancelsTheTaskWhenItIsCancelled) {
  const LiveCounts before = CountLive();
  const auto work = Working(1h);
  const auto task = Timeout(ctx_, work, 2h);
  EXPECT_TRUE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(work.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(CountLive().timers, before.timers);
  EXPECT_EQ(Elapsed(), 0ns);
}

TEST_P(TimeoutInVirtualTime, EndsWithItsContext) {
  const Promise<int> never;
  const auto task = Timeout(ctx_.WithTimeout(20ms), never.Task(), 50ms);
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_TRUE(never.Task().IsDone());
  EXPECT_EQ(Elapsed(), 20ms);
}

// D6
TEST_P(TimeoutInVirtualTime, UnderAnEndedContextCallsNothing) {
  const Context own = ctx_.WithCancel();
  own.Cancel();
  bool called = false;
  EXPECT_TRUE(Timeout(own, 50ms, [&called] { called = true; }).Wait().Is(Errc::Cancelled));
  EXPECT_FALSE(called);
}

TEST_P(TimeoutInVirtualTime, CanBeNested) {
  const auto task = Timeout(ctx_, Timeout(ctx_, Timeout(ctx_, Working(30ms), 60ms), 20ms), 40ms);
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(Elapsed(), 20ms);
}

TEST_P(TimeoutInVirtualTime, EndsOnceUnderRacingEnds) {
  for (int round = 0; round < 200; ++round) {
    Promise<int> promise;
    const auto task = Timeout(ctx_, promise.Task(), 1ms);
    std::thread first([&] { promise.TrySet(3); });
    std::thread second([&] { task.Cancel(); });
    Pass(1ms);
    first.join();
    second.join();
    const auto outcome = task.Outcome();
    ASSERT_TRUE(outcome
                    ? *outcome == 3
                    : outcome.Failure().Is(Errc::Cancelled) || outcome.Failure().Is(Errc::DeadlineExceeded));
  }
}

TEST(Timeout, LeavesNothingBehindOnAManualExecutor) {
  ManualExecutor executor;
  const LiveCounts before = CountLive();
  {
    const auto task = Timeout(executor.Background(), 10ms, [] { return 1; });
    executor.RunUntilIdle();
    EXPECT_EQ(task.Get(), 1);
    EXPECT_EQ(executor.Pending(), 0U);
  }
  EXPECT_EQ(CountLive(), before);
}

// D27
TEST(Timeout, RefusesBadArguments) {
  EXPECT_EQ(Timeout(Completed(1), -1ms).Wait().Message(), "Timeout: timeout -1000000 ns, must be >= 0");
  EXPECT_EQ(Timeout(Task<int>(), 1ms).Wait().Message(), "Timeout: the task is empty");
  EXPECT_EQ(Timeout(1ms, Function<void()>()).Wait().Message(), "Timeout: the function is empty");
  EXPECT_TRUE(Timeout(-1ms, [] {}).Wait().Is(Errc::InvalidArgument));
}

// H18
TEST(RealTimeout, EndsOnTime) {
  EXPECT_TRUE(InTimeOnce([] {
    const Promise<int> never;
    const TimePoint start = Clock::now();
    EXPECT_TRUE(Timeout(never.Task(), 50ms).Wait().Is(Errc::DeadlineExceeded));
    const auto took = Clock::now() - start;
    EXPECT_GE(took, 50ms);
    return took <= 90ms;
  }));
}

// H18
TEST(RealTimeout, YieldsTheValue) {
  const auto task = Timeout(10s, [](Context& own) {
    (void)Sleep(own, 20ms).Wait();
    return 7;
  });
  EXPECT_EQ(task.Get(), 7);
}

TEST_P(TimeoutInVirtualTime, OfTimeoutsEndsWithoutUsingTheStack) {
  constexpr int kLong = 50'000;
  for (const bool cancelled : {false, true}) {
    Promise<int> promise;
    Task<int> task = promise.Task();
    for (int i = 0; i < kLong; ++i) task = Timeout(ctx_, task, 1h);
    cancelled ? void(task.Cancel()) : void(promise.TrySet(7));
    const auto outcome = task.Outcome();
    EXPECT_EQ(outcome.HasValue(), !cancelled);
    EXPECT_EQ(promise.Task().State(), cancelled ? TaskState::Cancelled : TaskState::Completed);
  }
}

}  // namespace
}  // namespace orchestrate::test
