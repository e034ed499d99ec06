#include <gtest/gtest.h>

#include <orchestrate/time/clock.hpp>

namespace orchestrate {
namespace {

class FixedClock final : public ClockSource {
 public:
  [[nodiscard]] TimePoint Now() const noexcept override { return TimePoint(std::chrono::seconds(7)); }
};

TEST(ClockSource, ReadsTheSteadyClockByDefault) {
  const TimePoint before = Clock::now();
  const TimePoint read = ClockSource::Steady().Now();
  EXPECT_LE(before, read);
  EXPECT_LE(read, Clock::now());
}

TEST(ClockSource, CanBeReplaced) {
  const FixedClock clock;
  const ClockSource& source = clock;
  EXPECT_EQ(source.Now(), TimePoint(std::chrono::seconds(7)));
}

}  // namespace
}  // namespace orchestrate
