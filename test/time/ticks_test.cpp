#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <orchestrate/time/ticks.hpp>

namespace orchestrate {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// Counts one stretch on both clocks. What the counter counts begins and ends between two reads of the clock,
// whatever else the machine does: it is no shorter than `inner` and no longer than `outer`.
struct Stretch {
  nanoseconds inner{};
  nanoseconds counted{};
  nanoseconds outer{};
};

Stretch Measure(nanoseconds length) {
  const auto outer_start = steady_clock::now();
  const std::uint64_t start = ReadTicks();
  const auto inner_start = steady_clock::now();
  auto inner_end = inner_start;
  while (inner_end - inner_start < length) inner_end = steady_clock::now();
  const std::uint64_t end = ReadTicks();
  const auto outer_end = steady_clock::now();
  return {inner_end - inner_start, TicksToDuration(ElapsedTicks(start, end)), outer_end - outer_start};
}

TEST(RealReadTicks, AgreesWithTheClockWithinATenthOfAPercent) {
  for (int i = 0; i < 10; ++i) {
    const Stretch stretch = Measure(std::chrono::milliseconds(5));
    const auto counted = static_cast<double>(stretch.counted.count());
    EXPECT_GE(counted, static_cast<double>(stretch.inner.count()) * 0.999);
    EXPECT_LE(counted, static_cast<double>(stretch.outer.count()) * 1.001);
  }
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
