#include <orchestrate/flow/retry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <orchestrate/flow/timeout.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class RetryInVirtualTime : public InVirtualTime {
 protected:
  // Work that fails so often and then yields 7.
  auto Failing(int failures) {
    return [this, failures](Context&) -> Result<int> {
      if (++calls_ <= failures) return Error(Errc::NotSupported, "failure " + std::to_string(calls_));
      return 7;
    };
  }
  std::atomic<int> calls_{0};
};
INSTANTIATE_TEST_SUITE_P(Over, RetryInVirtualTime, Widths(), WidthName);

TEST_P(RetryInVirtualTime, WithAnEndlessPauseWaitsUntilItIsCancelled) {
  const auto task = Retry(ctx_, {.attempts = 3, .first_delay = Nanoseconds::max(), .jitter = 0}, Failing(2));
  EXPECT_TRUE(Eventually([this] { return calls_ == 1; }));
  EXPECT_TRUE(task.Cancel(Errc::Closed));
  EXPECT_TRUE(task.Wait().Is(Errc::Closed));
}

// H24
TEST_P(RetryInVirtualTime, TriesUntilItSucceeds) {
  const auto task = Retry(ctx_, {.attempts = 3, .first_delay = 10ms}, Failing(2));
  EXPECT_EQ(task.Get(), 7);
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(Elapsed(), 30ms);
}

// H24
TEST_P(RetryInVirtualTime, EndsWithTheLastErrorAndTheCountOfAttempts) {
  const auto task = Retry(ctx_, {.attempts = 3, .first_delay = 10ms}, Failing(9));
  EXPECT_EQ(task.Wait().Message(), "Retry: 3 of 3 attempts failed: failure 3");
  EXPECT_TRUE(task.Wait().Is(Errc::NotSupported));
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_EQ(calls_, 3);
  EXPECT_EQ(Elapsed(), 30ms);
}

TEST_P(RetryInVirtualTime, DoesNotPauseWhenTheFirstAttemptSucceeds) {
  EXPECT_EQ(Retry(ctx_, {}, Failing(0)).Get(), 7);
  EXPECT_EQ(Elapsed(), 0ns);
}

TEST_P(RetryInVirtualTime, KeepsTheExceptionObject) {
  const auto task = Retry(ctx_, {.attempts = 2}, []() -> int { throw std::out_of_range("too far"); });
  EXPECT_THROW((void)task.Get(), std::out_of_range);
  EXPECT_EQ(task.Wait().Message(), "Retry: 2 of 2 attempts failed: too far");
}

TEST_P(RetryInVirtualTime, GrowsItsPausesUpToTheLongest) {
  std::vector<Nanoseconds> at;
  const auto task =
      Retry(ctx_, {.attempts = 6, .first_delay = 10ms, .factor = 3.0, .max_delay = 50ms}, [&]() -> Error {
        at.push_back(Elapsed());
        return Errc::NotSupported;
      });
  EXPECT_TRUE(task.Wait().Is(Errc::NotSupported));
  EXPECT_EQ(at, (std::vector<Nanoseconds>{0ms, 10ms, 40ms, 90ms, 140ms, 190ms}));
}

TEST_P(RetryInVirtualTime, LengthensItsPausesByJitter) {
  const auto run = [this](std::uint64_t seed) {
    const Nanoseconds start = Elapsed();
    const RetryOptions options{
        .attempts = 5, .first_delay = 100ms, .factor = 1.0, .jitter = 0.5, .seed = seed};
    (void)Retry(ctx_, options, [] { return Error(Errc::NotSupported); }).Wait();
    return Elapsed() - start;
  };
  const Nanoseconds first = run(1);
  EXPECT_EQ(first, run(1));
  EXPECT_NE(first, run(2));
  EXPECT_GE(first, 400ms);
  EXPECT_LE(first, 600ms + 4 * 1ms);
}

TEST_P(RetryInVirtualTime, AsksWhetherAnErrorIsToBeRetried) {
  const auto transient = [](const Error& error) { return error.Is(Errc::QueueFull); };
  const RetryOptions options{.attempts = 5, .first_delay = 10ms, .retry_if = transient};
  const auto task = Retry(ctx_, options, [this] {
    return ++calls_ < 3 ? Error(Errc::QueueFull) : Error(Errc::NotSupported, "never will be");
  });
  EXPECT_EQ(task.Wait().Message(),
            "Retry: 3 of 5 attempts made, the error is not to be retried: never will be");
  EXPECT_EQ(calls_, 3);
}

TEST_P(RetryInVirtualTime, TakesAThrowingPredicateForItsError) {
  const RetryOptions options{.attempts = 5,
                             .retry_if = [](const Error&) -> bool { throw std::runtime_error("asked"); }};
  const Error error = Retry(ctx_, options, Failing(9)).Wait();
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_TRUE(error.Is(Errc::NotSupported));
}

// H24, D17
TEST_P(RetryInVirtualTime, AwaitsTheTaskOfAnAttempt) {
  const auto task = Retry(ctx_, {.attempts = 3, .first_delay = 10ms}, [this](Context& own) {
    return Sleep(own, 5ms).Then([this] {
      if (++calls_ < 3) throw std::runtime_error("boom");
      return 7;
    });
  });
  EXPECT_EQ(task.Get(), 7);
  EXPECT_EQ(Elapsed(), 45ms);
}

TEST_P(RetryInVirtualTime, MovesTheValueOfAnAttemptsTask) {
  auto task =
      Retry(ctx_, {}, [](Context& own) { return Invoke(own, [] { return std::make_unique<int>(5); }); });
  EXPECT_EQ(*task.Take(), 5);
}

TEST_P(RetryInVirtualTime, CountsTasksThatNobodyRunsAsFailures) {
  const auto empty = Retry(ctx_, {.attempts = 2}, [] { return Task<int>(); });
  EXPECT_EQ(empty.Wait().Message(), "Retry: 2 of 2 attempts failed: Retry: the work returned an empty task");
  const auto unrun = Retry(ctx_, {.attempts = 2}, [] { return NewTask([] { return 1; }); });
  EXPECT_TRUE(unrun.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(unrun.State(), TaskState::Failed);
  const auto ended = Retry(ctx_, {.attempts = 2}, [] { return Completed(1); });
  EXPECT_EQ(ended.Get(), 1);
}

TEST_P(RetryInVirtualTime, OccupiesNoWorkerInAPause) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 50; ++i) {
    tasks.push_back(
        Retry(ctx_, {.attempts = 2, .first_delay = 1h}, [failed = false]() mutable -> Result<int> {
          if (!std::exchange(failed, true)) return Error(Errc::NotSupported);
          return 1;
        }));
  }
  EXPECT_EQ(Invoke(ctx_, [] { return 1; }).Get(), 1);
  EXPECT_EQ(Elapsed(), 0ns);
  for (auto& task : tasks) EXPECT_EQ(task.Get(), 1);
  EXPECT_EQ(Elapsed(), 1h);
}

TEST_P(RetryInVirtualTime, NeverPausesPastTheDeadline) {
  const auto task = Retry(ctx_.WithTimeout(25ms), {.attempts = 9, .first_delay = 10ms}, Failing(9));
  const Error error = task.Wait();
  EXPECT_EQ(Elapsed(), 10ms);
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_TRUE(error.Is(Errc::NotSupported));
  EXPECT_TRUE(error.Is(Errc::DeadlineExceeded));
  EXPECT_THAT(error.Message(),
              testing::HasSubstr("2 of 9 attempts made, the next would be past the deadline"));
}

TEST_P(RetryInVirtualTime, KeepsTheDeadlineOfATimeout) {
  const auto task = Timeout(ctx_, 25ms, [this](Context& own) {
    return Retry(own, {.attempts = 9, .first_delay = 10ms}, Failing(9));
  });
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(Elapsed(), 10ms);
}

TEST_P(RetryInVirtualTime, EndsAtOnceWhenItIsCancelledInAPause) {
  const LiveCounts before = CountLive();
  const auto task = Retry(ctx_, {.attempts = 9, .first_delay = 1h}, Failing(9));
  Pass(1ms);
  EXPECT_TRUE(task.Cancel());
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(Elapsed(), 1ms);
  EXPECT_EQ(CountLive().timers, before.timers);
}

TEST_P(RetryInVirtualTime, KeepsTheLastErrorAsTheCauseOfItsEnd) {
  const Context own = ctx_.WithCancel();
  const auto task = Retry(own, {.attempts = 9, .first_delay = 1h}, Failing(9));
  Pass(1ms);
  own.Cancel();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(task.Wait().Is(Errc::NotSupported));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
}

// D6
TEST_P(RetryInVirtualTime, UnderAnEndedContextCallsNothing) {
  const Context own = ctx_.WithCancel();
  own.Cancel();
  EXPECT_TRUE(Retry(own, {}, Failing(0)).Wait().Is(Errc::Cancelled));
  EXPECT_EQ(calls_, 0);
}

// D19
TEST_P(RetryInVirtualTime, EndsWhenItsRuntimeDrains) {
  const auto task = Retry(ctx_, {.attempts = 9, .first_delay = 1h}, Failing(9));
  Pass(1ms);
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 10s).Value(), 0U);
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(task.Wait().Is(Errc::ShutDown));
}

// D28
TEST_P(RetryInVirtualTime, DestroysItsWorkAtTheEnd) {
  const auto alive = std::make_shared<int>(1);
  const auto task = Retry(ctx_, {.attempts = 2}, [alive] { return Error(Errc::NotSupported); });
  (void)task.Wait();
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_P(RetryInVirtualTime, EndsOnceUnderRacingCancels) {
  for (int round = 0; round < 200; ++round) {
    const Context own = ctx_.WithCancel();
    const auto task = Retry(own, {.attempts = 1000, .first_delay = 1ms, .factor = 1.0}, [](Context& inner) {
      return Sleep(inner, 1ms).Then([]() -> Error { return Errc::NotSupported; });
    });
    std::thread first([&] { own.Cancel(); });
    std::thread second([&] { task.Cancel(); });
    Pass(1ms);
    first.join();
    second.join();
    ASSERT_TRUE(task.Wait().Is(Errc::Cancelled));
  }
}

TEST(Retry, RunsOnAManualExecutor) {
  ManualExecutor executor;
  int calls = 0;
  const auto task =
      Retry(executor.Background(), {.attempts = 3, .first_delay = 10ms}, [&calls]() -> Result<int> {
        if (++calls < 3) return Error(Errc::NotSupported);
        return 7;
      });
  EXPECT_EQ(calls, 0);
  executor.RunUntilIdle();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(executor.Pending(), 1U);
  executor.Advance(30ms);
  EXPECT_EQ(task.Get(), 7);
  EXPECT_EQ(executor.Pending(), 0U);
}

// D27
TEST(Retry, RefusesBadArguments) {
  const auto wrong = [](const RetryOptions& options) { return Retry(options, [] {}).Wait().Message(); };
  EXPECT_EQ(wrong({.attempts = 0}), "Retry: attempts 0, must be > 0");
  EXPECT_EQ(wrong({.first_delay = -1ns}), "Retry: first_delay -1 ns, must be >= 0");
  EXPECT_EQ(wrong({.factor = 0.5}), "Retry: factor 0.500000, must be >= 1");
  EXPECT_EQ(wrong({.factor = std::numeric_limits<double>::quiet_NaN()}), "Retry: factor nan, must be >= 1");
  EXPECT_EQ(wrong({.max_delay = -1ns}), "Retry: max_delay -1 ns, must be >= 0");
  EXPECT_EQ(wrong({.jitter = 1.5}), "Retry: jitter 1.500000, must be 0 to 1");
  EXPECT_EQ(Retry({}, Function<void()>()).Wait().Message(), "Retry: the function is empty");
}

// H24
TEST(RealRetry, PausesBetweenItsAttempts) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    int calls = 0;
    const auto task = Retry({.attempts = 3, .first_delay = 10ms}, [&calls]() -> Result<int> {
      if (++calls < 3) return Error(Errc::NotSupported);
      return 7;
    });
    EXPECT_EQ(task.Get(), 7);
    const auto took = Clock::now() - start;
    EXPECT_GE(took, 30ms);
    return took <= 70ms;
  }));
}

}  // namespace
}  // namespace orchestrate::test
