#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <orchestrate/time/deadline.hpp>
#include <ratio>

namespace orchestrate {
namespace {

using std::chrono::duration;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr TimePoint kNow(seconds(1000));
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

TEST(SaturatingNanoseconds, ConvertsWhatFits) {
  EXPECT_EQ(SaturatingNanoseconds(milliseconds(-3)), milliseconds(-3));
  EXPECT_EQ(SaturatingNanoseconds(hours(1000)), hours(1000));
  EXPECT_EQ(SaturatingNanoseconds(nanoseconds::max()), nanoseconds::max());
  EXPECT_EQ(SaturatingNanoseconds(duration<std::int32_t, std::ratio<60>>(5)), seconds(300));
  EXPECT_EQ(SaturatingNanoseconds(duration<std::uint8_t>(200)), seconds(200));
}

TEST(SaturatingNanoseconds, StaysAtTheEnds) {
  EXPECT_EQ(SaturatingNanoseconds(hours::max()), nanoseconds::max());
  EXPECT_EQ(SaturatingNanoseconds(hours::min()), nanoseconds::min());
  EXPECT_EQ(SaturatingNanoseconds(milliseconds::max()), nanoseconds::max());
  EXPECT_EQ(SaturatingNanoseconds(duration<std::uint64_t, std::nano>(~0ULL)), nanoseconds::max());
  EXPECT_EQ(SaturatingNanoseconds(std::chrono::years(1'000)), nanoseconds::max());
}

TEST(SaturatingNanoseconds, RoundsFinerUnitsUp) {
  using Picoseconds = duration<std::int64_t, std::pico>;
  EXPECT_EQ(SaturatingNanoseconds(Picoseconds(1)), nanoseconds(1));
  EXPECT_EQ(SaturatingNanoseconds(Picoseconds(2000)), nanoseconds(2));
  EXPECT_EQ(SaturatingNanoseconds(Picoseconds(-1500)), nanoseconds(-1));
  EXPECT_EQ(SaturatingNanoseconds(Picoseconds::max()), nanoseconds(kMost / 1000 + 1));
  EXPECT_EQ(SaturatingNanoseconds(duration<std::int64_t, std::ratio<1, 3>>(1)), nanoseconds(333'333'334));
}

TEST(SaturatingNanoseconds, TakesFloatingPoint) {
  EXPECT_EQ(SaturatingNanoseconds(duration<double>(0.1)), milliseconds(100));
  EXPECT_EQ(SaturatingNanoseconds(duration<float>(-0.5F)), milliseconds(-500));
  EXPECT_EQ(SaturatingNanoseconds(duration<double>(1e300)), nanoseconds::max());
  EXPECT_EQ(SaturatingNanoseconds(duration<double>(-HUGE_VAL)), nanoseconds::min());
  EXPECT_EQ(SaturatingNanoseconds(duration<double>(std::nan(""))), nanoseconds(0));
}

TEST(SaturatingAdd, AddsWhatFits) {
  EXPECT_EQ(SaturatingAdd(kNow, seconds(5)), kNow + seconds(5));
  EXPECT_EQ(SaturatingAdd(kNow, seconds(-5)), kNow - seconds(5));
  EXPECT_EQ(SaturatingAdd(TimePoint::max(), nanoseconds(-1)), TimePoint::max() - nanoseconds(1));
}

TEST(SaturatingAdd, StaysAtTheEnds) {
  EXPECT_EQ(SaturatingAdd(kNow, nanoseconds::max()), TimePoint::max());
  EXPECT_EQ(SaturatingAdd(kNow, hours::max()), TimePoint::max());
  EXPECT_EQ(SaturatingAdd(TimePoint(nanoseconds(-1)), hours::min()), TimePoint::min());
  EXPECT_EQ(SaturatingAdd(TimePoint::max(), nanoseconds(0)), TimePoint::max());
  EXPECT_EQ(SaturatingAdd(TimePoint::min(), nanoseconds(-1)), TimePoint::min());
}

TEST(DeadlineTick, RoundsUpWhileNowRoundsDown) {
  const TimePoint between(milliseconds(7) + nanoseconds(1));
  EXPECT_EQ(TickOf(between), 7U);
  EXPECT_EQ(DeadlineTick(between), 8U);
  EXPECT_EQ(TickOf(TimePoint(milliseconds(7))), 7U);
  EXPECT_EQ(DeadlineTick(TimePoint(milliseconds(7))), 7U);
}

TEST(DeadlineTick, TakesEveryTimePoint) {
  EXPECT_EQ(DeadlineTick(TimePoint::min()), 0U);
  EXPECT_EQ(TickOf(TimePoint::min()), 0U);
  EXPECT_EQ(DeadlineTick(TimePoint::max()), kNeverTick);
  EXPECT_EQ(TickOf(TimePoint::max()), static_cast<std::uint64_t>(kMost / 1'000'000));
}

TEST(TickStart, IsTheInverse) {
  EXPECT_EQ(TickStart(0), TimePoint());
  EXPECT_EQ(TickStart(42), TimePoint(milliseconds(42)));
  EXPECT_EQ(TickStart(kNeverTick), TimePoint::max());
  EXPECT_EQ(TickStart(DeadlineTick(TimePoint(nanoseconds(kMost - 1)))), TimePoint::max());
}

}  // namespace
}  // namespace orchestrate
