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

namespace {

// Before main: a fork that met another thread in the guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_steady = ClockSource::Steady();

}  // namespace

}  // namespace orchestrate::inline v1
