#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <orchestrate/base/error.hpp>
#include <orchestrate/time/clock.hpp>
#include <ratio>
#include <utility>

namespace orchestrate::inline v1 {

/// Returns true for a floating-point duration that is not a number.
template <class Rep, class Period>
[[nodiscard]] constexpr bool IsNotANumber(std::chrono::duration<Rep, Period> duration) noexcept {
  if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    // By its bits: a program that is built with -ffast-math has no comparison that tells.
    const auto bits = std::bit_cast<std::uint64_t>(static_cast<double>(duration.count()));
    return (bits << 1) > (std::uint64_t{0x7ff} << 53);
  } else {
    return false;
  }
}

/// Returns an `InvalidArgument` that reads `sentence` for a duration that is not a number, else no error.
template <class Rep, class Period>
[[nodiscard]] Error CheckNumber(std::chrono::duration<Rep, Period> duration, const char* sentence) noexcept {
  return IsNotANumber(duration) ? Error(Errc::InvalidArgument, sentence) : Error();
}

/// Converts any duration to nanoseconds, rounding up; what lies outside their range becomes their end.
///
/// A floating-point duration is rounded to the nearest, and one that is not a number is zero.
template <class Rep, class Period>
[[nodiscard]] constexpr Nanoseconds SaturatingNanoseconds(
    std::chrono::duration<Rep, Period> duration) noexcept {
  using Scale = std::ratio_divide<Period, std::nano>;
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
    if (IsNotANumber(duration)) return Nanoseconds::zero();
    const auto ns = static_cast<double>(duration.count()) * Scale::num / Scale::den;
    if (ns >= static_cast<double>(kMost)) return Nanoseconds::max();
    if (ns <= -static_cast<double>(kMost)) return Nanoseconds::min();
    return Nanoseconds(static_cast<std::int64_t>(ns < 0 ? ns - 0.5 : ns + 0.5));
  } else {
    const auto count = duration.count();
    if (std::cmp_greater(count, kMost / Scale::num)) return Nanoseconds::max();
    if (std::cmp_less(count, -(kMost / Scale::num))) return Nanoseconds::min();
    const std::int64_t scaled = static_cast<std::int64_t>(count) * Scale::num;
    return Nanoseconds(scaled / Scale::den + (scaled % Scale::den > 0 ? 1 : 0));
  }
}

/// Returns `start + duration`, or the end of the clock's range where the sum lies outside.
template <class Rep, class Period>
[[nodiscard]] constexpr TimePoint SaturatingAdd(TimePoint start,
                                                std::chrono::duration<Rep, Period> duration) noexcept {
  const Nanoseconds from = start.time_since_epoch();
  const Nanoseconds by = SaturatingNanoseconds(duration);
  if (by > Nanoseconds::zero() && from > Nanoseconds::max() - by) return TimePoint::max();
  if (by < Nanoseconds::zero() && from < Nanoseconds::min() - by) return TimePoint::min();
  return TimePoint(from + by);
}

/// Is how long one tick of the timers lasts.
inline constexpr Nanoseconds kTick = std::chrono::milliseconds(1);

/// Is the tick that never comes.
inline constexpr std::uint64_t kNeverTick = std::numeric_limits<std::uint64_t>::max();

/// Returns the tick that `now` lies in, 0 before the clock's epoch.
[[nodiscard]] constexpr std::uint64_t TickOf(TimePoint now) noexcept {
  const Nanoseconds since = now.time_since_epoch();
  return since <= Nanoseconds::zero() ? 0 : static_cast<std::uint64_t>(since / kTick);
}

/// Returns the first tick that does not begin before `deadline`; `TimePoint::max()` never comes.
[[nodiscard]] constexpr std::uint64_t DeadlineTick(TimePoint deadline) noexcept {
  if (deadline == TimePoint::max()) return kNeverTick;
  const Nanoseconds since = deadline.time_since_epoch();
  if (since <= Nanoseconds::zero()) return 0;
  return static_cast<std::uint64_t>(since / kTick) + (since % kTick > Nanoseconds::zero() ? 1 : 0);
}

/// Returns when `tick` begins, or `TimePoint::max()` where the clock does not reach it.
[[nodiscard]] constexpr TimePoint TickStart(std::uint64_t tick) noexcept {
  constexpr auto kLast = static_cast<std::uint64_t>(Nanoseconds::max() / kTick);
  return tick > kLast ? TimePoint::max() : TimePoint(static_cast<std::int64_t>(tick) * kTick);
}

}  // namespace orchestrate::inline v1
