#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/flow/rate_limiter.hpp>
#include <orchestrate/task/task.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::Eventually;

std::string RefusalOf(Rate rate, std::size_t burst = 0) {
  try {
    const RateLimiter limiter(rate, burst);
    return "";
  } catch (const ErrorException& exception) {
    EXPECT_EQ(exception.Failure(), Errc::InvalidArgument);
    return exception.Failure().Message();
  }
}

TEST(RateLimiter, RefusesARateThatIsNotAboveZero) {
  EXPECT_EQ(RefusalOf(0), "RateLimiter: rate 0/s, must be > 0");
  EXPECT_EQ(RefusalOf(-5), "RateLimiter: rate -5/s, must be > 0");
  EXPECT_EQ(RefusalOf({0, 2ms}), "RateLimiter: rate 0 per 2000000 ns, must be > 0");
  EXPECT_EQ(RefusalOf({1, -1ns}), "RateLimiter: interval -1 ns, must be > 0");
  EXPECT_EQ(RefusalOf({1, 24h * 365 * 200}),
            "RateLimiter: interval 6307200000000000000 ns, must be <= 146 years");
  EXPECT_EQ(RefusalOf({1, 1s}, 5'000'000'000), "RateLimiter: burst 5000000000, must be <= 4611686018");
  EXPECT_EQ(RefusalOf(~std::uint64_t{0}), "");
}

TEST(RateLimiter, SavesTenMillisecondsByDefault) {
  EXPECT_EQ(RateLimiter(1).Burst(), 1U);
  EXPECT_EQ(RateLimiter(5000).Burst(), 50U);
  EXPECT_EQ(RateLimiter({1, 1h}).Burst(), 1U);
  EXPECT_EQ(RateLimiter(100, 7).Burst(), 7U);
}

TEST(RateLimiter, RefusesMoreThanItsBurst) {
  RateLimiter limiter(10, 3);
  const Error error = limiter.Acquire(Context::Background(), 4);
  EXPECT_EQ(error, Errc::InvalidArgument);
  EXPECT_EQ(error.Message(), "RateLimiter::Acquire: 4 permits, must be <= the burst 3");
  EXPECT_FALSE(limiter.TryAcquire(4));
  EXPECT_TRUE(limiter.TryAcquire(3));
  EXPECT_TRUE(limiter.TryAcquire(0));
  EXPECT_FALSE(limiter.Acquire(Context::Background(), 0));
}

// In virtual time, on 1, 2 and 8 workers.
class RateLimiterWaits : public testing::TestWithParam<std::size_t> {
 protected:
  static Runtime::Options OptionsOn(const ManualClock& clock) {
    Runtime::Options options(GetParam());
    options.clock = &clock;
    return options;
  }
  // Starts a task that takes `count` permits; the queue then has `waiting` timers or not, so wait for its
  // block.
  Task<Nanoseconds> AcquireIn(const Context& context, std::size_t count = 1) {
    auto task = Invoke(runtime_.Background(), [this, context, count](Context&) -> Result<Nanoseconds> {
      asked_.fetch_add(1);
      if (Error error = limiter_.Acquire(context, count)) return error;
      return clock_.Elapsed();
    });
    return task;
  }

  ManualClock clock_{ManualClock::ByHand};
  Runtime runtime_{OptionsOn(clock_)};
  Context context_ = runtime_.Background();
  RateLimiter limiter_{10, 2};
  std::atomic<int> asked_{0};
};

INSTANTIATE_TEST_SUITE_P(Workers, RateLimiterWaits, testing::Values(1, 2, 8));

TEST_P(RateLimiterWaits, SpreadsPermitsByItsRate) {
  clock_.SetMode(ManualClock::Auto);
  std::vector<Nanoseconds> times;
  for (int i = 0; i < 5; ++i) {
    ASSERT_FALSE(limiter_.Acquire(context_));
    times.push_back(clock_.Elapsed());
  }
  EXPECT_EQ(times, (std::vector<Nanoseconds>{0ms, 0ms, 100ms, 200ms, 300ms}));
}

TEST_P(RateLimiterWaits, ServesMoreTasksThanWorkers) {
  clock_.SetMode(ManualClock::Auto);
  std::vector<Task<Nanoseconds>> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(AcquireIn(context_));
  Nanoseconds last{};
  for (const auto& task : tasks) last = std::max(last, task.Get());
  EXPECT_EQ(last, 1800ms);
}

TEST_P(RateLimiterWaits, HoldsNoWorker) {
  ASSERT_TRUE(limiter_.TryAcquire(context_, 2));
  std::vector<Task<Nanoseconds>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(AcquireIn(context_));
  ASSERT_TRUE(Eventually([&] { return asked_ == 8; }));
  EXPECT_EQ(Invoke(context_, [] { return 5; }).Get(), 5);
  clock_.SetMode(ManualClock::Auto);
  for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
}

TEST_P(RateLimiterWaits, SaysAtOnceWhenThePermitComesTooLate) {
  ASSERT_FALSE(limiter_.Acquire(context_, 2));
  EXPECT_EQ(limiter_.Acquire(context_.WithTimeout(99ms)), Errc::DeadlineExceeded);
  EXPECT_EQ(clock_.Elapsed(), 0ms);
  clock_.SetMode(ManualClock::Auto);
  EXPECT_FALSE(limiter_.Acquire(context_.WithTimeout(101ms)));
  EXPECT_EQ(clock_.Elapsed(), 100ms);
}

TEST_P(RateLimiterWaits, CountsThoseAheadWhenItLooksAtTheDeadline) {
  ASSERT_FALSE(limiter_.Acquire(context_, 2));
  const auto first = AcquireIn(context_, 2);
  ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 1));
  EXPECT_EQ(limiter_.Acquire(context_.WithTimeout(299ms)), Errc::DeadlineExceeded);
  EXPECT_FALSE(limiter_.TryAcquire(context_));
  clock_.SetMode(ManualClock::Auto);
  EXPECT_FALSE(limiter_.Acquire(context_.WithTimeout(301ms)));
  EXPECT_EQ(clock_.Elapsed(), 300ms);
  EXPECT_EQ(first.Get(), 200ms);
}

TEST_P(RateLimiterWaits, MovesUpThoseBehindOneWhoLeaves) {
  ASSERT_FALSE(limiter_.Acquire(context_, 2));
  const auto ended = context_.WithCancel();
  const auto first = AcquireIn(ended, 2);
  ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 1));
  clock_.Advance(100ms);
  const auto second = AcquireIn(context_.WithTimeout(1h), 2);
  ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 2));  // the limiter's, and that of the deadline
  ended.Cancel();
  EXPECT_EQ(first.Wait(), Errc::Cancelled);
  clock_.SetMode(ManualClock::Auto);
  EXPECT_EQ(second.Get(), 200ms);
}

TEST_P(RateLimiterWaits, ServesAtOnceWhomTheFirstHeldBack) {
  ASSERT_FALSE(limiter_.Acquire(context_, 2));
  const auto ended = context_.WithCancel();
  const auto first = AcquireIn(ended, 2);
  ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 1));
  clock_.Advance(150ms);
  const auto second = AcquireIn(context_.WithTimeout(1h), 1);
  ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 2));
  ended.Cancel();
  EXPECT_EQ(second.Get(), 150ms);
  EXPECT_EQ(first.Wait(), Errc::Cancelled);
}

// K56, D42
TEST_P(RateLimiterWaits, GrantsNothingToOneWhoseContextHasEnded) {
  for (int round = 0; round < 50; ++round) {
    while (limiter_.TryAcquire(context_)) {
    }
    const auto ended = context_.WithCancel();
    const auto task = AcquireIn(ended);
    ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 1));
    ended.Cancel();
    clock_.Advance(100ms);  // the permit of the one that waits, if it still does
    ASSERT_EQ(task.Wait(), Errc::Cancelled) << "round " << round;
    ASSERT_TRUE(limiter_.TryAcquire(context_)) << "round " << round;
  }
}

// K56, D42
TEST_P(RateLimiterWaits, AnEndedContextHoldsNobodyBack) {
  for (int round = 0; round < 50; ++round) {
    while (limiter_.TryAcquire(context_)) {
    }
    const auto ended = context_.WithCancel();
    const auto task = AcquireIn(ended, 2);
    ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 1));
    clock_.Advance(100ms);
    ended.Cancel();
    ASSERT_TRUE(limiter_.TryAcquire(context_)) << "round " << round;
    ASSERT_EQ(task.Wait(), Errc::Cancelled);
  }
}

TEST_P(RateLimiterWaits, ReadsTheClockOfTheTaskItIsCalledIn) {
  ASSERT_TRUE(limiter_.TryAcquire(context_, 2));
  const auto attempt = [this](Context&) { return limiter_.TryAcquire(); };
  EXPECT_FALSE(Invoke(context_, attempt).Get());
  clock_.Advance(100ms);
  EXPECT_TRUE(Invoke(context_, attempt).Get());
  EXPECT_FALSE(Invoke(context_, attempt).Get());
}

TEST_P(RateLimiterWaits, ShutdownEndsThem) {
  ASSERT_FALSE(limiter_.Acquire(context_, 2));
  // Its context belongs to the root, but sees nothing of its end: only the timers tell.
  const auto task = AcquireIn(context_.Shield());
  ASSERT_TRUE(WaitForTimers(runtime_.GetExecutor(), 1));
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 10s).Value(), 0U);
  EXPECT_TRUE(task.IsDone());
  EXPECT_TRUE(task.Wait());
}

// ---- with the real clock ----

TEST(RealRateLimiter, IsNeverFasterThanItsRate) {
  Runtime runtime(2);
  RateLimiter limiter(500, 5);
  const auto begin = Clock::now();
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(Invoke(runtime.Background(), [&](Context& c) -> Error {
      for (int k = 0; k < 10; ++k) {
        if (Error error = limiter.Acquire(c)) return error;
      }
      return {};
    }));
  }
  for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  EXPECT_GE(Clock::now() - begin, 70ms);  // 35 permits after the burst
}

class StressRateLimiter : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Workers, StressRateLimiter, testing::Values(1, 2, 8));

// Whoever gives up takes nothing; the others get all that the rate allows, and nobody waits for ever.
TEST_P(StressRateLimiter, KeepsItsAccountsWhenSomeGiveUp) {
  const test::Watchdog watchdog;
  Runtime runtime(GetParam());
  RateLimiter limiter(20'000, 10);
  std::atomic<int> granted{0};
  const auto begin = Clock::now();
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 6; ++i) {
    tasks.push_back(Invoke(runtime.Background(), [&, i](Context& c) {
      for (int k = 0; k < 200; ++k) {
        const std::size_t count = 1 + static_cast<std::size_t>(k % 4);
        const Context inner = c.WithCancel();
        // Another task ends the context at about the time of the grant.
        const auto canceller = i % 2 == 0 ? Invoke(c, [inner] { inner.Cancel(); }) : Task<void>();
        if (Error error = limiter.Acquire(inner, count)) {
          EXPECT_EQ(error, Errc::Cancelled);
        } else {
          granted += static_cast<int>(count);
        }
        if (canceller) (void)canceller.Wait();
      }
    }));
  }
  for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  EXPECT_LE(granted, 10 + seconds * 20'000);
  EXPECT_GE(granted, 3 * 50 * (1 + 2 + 3 + 4));
}

}  // namespace
}  // namespace orchestrate
