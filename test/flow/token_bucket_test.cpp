#include <gtest/gtest.h>

#include <cstdint>
#include <random>

#include <flow/token_bucket.hpp>

namespace orchestrate::detail {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

constexpr TimePoint kStart{1000h};

TEST(TokenBucket, IsFullAtFirst) {
  TokenBucket bucket(10, 1s, 3);
  EXPECT_FALSE(bucket.TryTake(kStart, 4));
  EXPECT_TRUE(bucket.TryTake(kStart, 3));
  EXPECT_FALSE(bucket.TryTake(kStart, 1));
}

TEST(TokenBucket, FillsAtItsRate) {
  TokenBucket bucket(10, 1s, 3);
  EXPECT_TRUE(bucket.TryTake(kStart, 3));
  EXPECT_FALSE(bucket.TryTake(kStart + 100ms - 1ns, 1));
  EXPECT_TRUE(bucket.TryTake(kStart + 100ms, 1));
  EXPECT_TRUE(bucket.TryTake(kStart + 300ms, 2));
  EXPECT_FALSE(bucket.TryTake(kStart + 300ms, 1));
}

TEST(TokenBucket, HoldsNoMoreThanItsBurst) {
  TokenBucket bucket(10, 1s, 3);
  EXPECT_TRUE(bucket.TryTake(kStart, 3));
  EXPECT_FALSE(bucket.TryTake(kStart + 1h, 4));
  EXPECT_TRUE(bucket.TryTake(kStart + 1h, 3));
  EXPECT_FALSE(bucket.TryTake(kStart + 1h, 1));
  EXPECT_TRUE(bucket.TryTake(TimePoint::max(), 3));
}

TEST(TokenBucket, TakesATimeBeforeTheLastForThat) {
  TokenBucket bucket(1, 1s, 1);
  EXPECT_TRUE(bucket.TryTake(kStart, 1));
  EXPECT_FALSE(bucket.TryTake(kStart - 1h, 1));
  EXPECT_FALSE(bucket.TryTake(kStart + 999ms, 1));
  EXPECT_TRUE(bucket.TryTake(kStart + 1s, 1));
}

TEST(TokenBucket, SaysHowLongItTakes) {
  TokenBucket bucket(3, 1s, 2);
  EXPECT_EQ(bucket.TimeUntil(kStart, 2), 0ns);
  EXPECT_TRUE(bucket.TryTake(kStart, 2));
  EXPECT_EQ(bucket.TimeUntil(kStart, 0), 0ns);
  EXPECT_EQ(bucket.TimeUntil(kStart, 1), 333'333'334ns);
  EXPECT_EQ(bucket.TimeUntil(kStart + 333'333'333ns, 1), 1ns);
  EXPECT_EQ(bucket.TimeUntil(kStart + 333'333'333ns, 2), 333'333'334ns);
  // More than fit inside: the time in which they come.
  EXPECT_EQ(bucket.TimeUntil(kStart + 333'333'333ns, 301), 100s + 1ns);
  EXPECT_EQ(bucket.TimeUntil(kStart + 1s, ~std::uint64_t{0}), Nanoseconds::max());
}

TEST(TokenBucket, DoesNotDrift) {
  // A third of a second is no whole number of nanoseconds.
  TokenBucket bucket(3, 1s, 3);
  EXPECT_TRUE(bucket.TryTake(kStart, 3));
  int taken = 0;
  TimePoint now = kStart;
  while (now < kStart + 1000s) {
    now += bucket.TimeUntil(now, 1);
    ASSERT_TRUE(bucket.TryTake(now, 1));
    ++taken;
  }
  EXPECT_EQ(taken, 3000);
  EXPECT_EQ(now, kStart + 1000s);
}

TEST(TokenBucket, HoldsItsLargestBurst) {
  for (const auto& [count, per] :
       {std::pair<std::uint64_t, Nanoseconds>{999'999'937, 1s}, {1, 24h * 365}, {7, 1ns}}) {
    const std::uint64_t most = TokenBucket::MostBurst(count, per);
    TokenBucket bucket(count, per, most);
    EXPECT_TRUE(bucket.TryTake(kStart, most));
    EXPECT_FALSE(bucket.TryTake(kStart, 1));
    const Nanoseconds wait = bucket.TimeUntil(kStart, 1);
    EXPECT_FALSE(bucket.TryTake(kStart + wait - 1ns, 1));
    EXPECT_TRUE(bucket.TryTake(kStart + wait, 1));
  }
}

// At any rate: right when the bucket says, and not a nanosecond before; never more than rate and burst allow.
TEST(TokenBucket, IsExactAtAnyRate) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t count = 1 + random() % 5000;
    const Nanoseconds per(1 + random() % 1'000'000'000);
    const std::uint64_t burst = 1 + random() % 20;
    TokenBucket bucket(count, per, burst);
    std::uint64_t taken = 0;
    TimePoint now = kStart;
    for (int step = 0; step < 50; ++step) {
      const std::uint64_t wanted = 1 + random() % burst;
      const Nanoseconds wait = bucket.TimeUntil(now, wanted);
      if (wait > 0ns) {
        ASSERT_FALSE(bucket.TryTake(now + wait - 1ns, wanted));
      }
      now += wait;
      ASSERT_TRUE(bucket.TryTake(now, wanted));
      taken += wanted;
      // taken <= burst + elapsed * count / per, without a division.
      const auto elapsed = static_cast<std::uint64_t>((now - kStart).count());
      ASSERT_LE(
          static_cast<long double>(taken - std::min(taken, burst)) * static_cast<long double>(per.count()),
          static_cast<long double>(elapsed) * static_cast<long double>(count));
      now += Nanoseconds(random() % 1000);
    }
  }
}

}  // namespace
}  // namespace orchestrate::detail
