#include <new>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1 {

ClockSource::~ClockSource() = default;

TimePoint ClockSource::Now() const noexcept { return Clock::now(); }

const ClockSource& ClockSource::Steady() noexcept {
  // Never destroyed: detached threads may read it while the program's statics go.
  alignas(ClockSource) static unsigned char place[sizeof(ClockSource)];
  static const ClockSource* const steady = new (place) ClockSource;
  return *steady;
}

}  // namespace orchestrate::inline v1
