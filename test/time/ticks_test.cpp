#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <orchestrate/time/ticks.hpp>

namespace orchestrate {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Counts the same stretch with both clocks. The stretch counted in ticks lies inside the one on the clock.
struct Stretch {
  nanoseconds inner{};
  nanoseconds outer{};
};

Stretch Measure(nanoseconds length) {
  const auto outer_start = steady_clock::now();
  const std::uint64_t start = ReadTicks();
  const auto inner_start = steady_clock::now();
  while (steady_clock::now() - inner_start < length) {
  }
  const std::uint64_t end = ReadTicks();
  return {TicksToDuration(ElapsedTicks(start, end)), steady_clock::now() - outer_start};
}

TEST(RealReadTicks, AgreesWithTheClockWithinATenthOfAPercent) {
  // Another thread may run between two reads: the closest of some counts.
  double best = 1;
  for (int i = 0; i < 20 && best > 0.001; ++i) {
    const Stretch stretch = Measure(std::chrono::milliseconds(2));
    EXPECT_LE(static_cast<double>(stretch.inner.count()), static_cast<double>(stretch.outer.count()) * 1.001);
    const double off =
        1 - static_cast<double>(stretch.inner.count()) / static_cast<double>(stretch.outer.count());
    best = std::min(best, off);
  }
  EXPECT_LE(best, 0.001);
}

TEST(ReadTicks, NeverGoesBackInOneThread) {
  std::uint64_t last = ReadTicks();
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t next = ReadTicks();
    ASSERT_LE(last, next);
    last = next;
  }
}

TEST(ElapsedTicks, IsNeverNegative) {
  EXPECT_EQ(ElapsedTicks(5, 8), 3U);
  EXPECT_EQ(ElapsedTicks(8, 5), 0U);
}

TEST(TicksToDuration, ReadsTheSameForEver) {
  const nanoseconds first = TicksToDuration(1'000'000'000'000);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(TicksToDuration(1'000'000'000'000), first);
}

TEST(TicksToDuration, TakesEveryNumber) {
  EXPECT_EQ(TicksToDuration(0), nanoseconds(0));
  EXPECT_GT(TicksToDuration(std::numeric_limits<std::uint64_t>::max()), std::chrono::hours(24 * 365));
}

}  // namespace
}  // namespace orchestrate
