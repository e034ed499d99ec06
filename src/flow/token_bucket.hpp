#pragma once

#include <cstdint>
#include <limits>
#include <numeric>

#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1::detail {

// A bucket of tokens that fills at a steady rate up to a limit. Pure: the time is an argument, and the
// arithmetic is exact, so that no rate drifts.
//
// A nanosecond brings `gain_` units, a token costs `price_` of them; both have no common divisor.
class TokenBucket {
 public:
  // The most tokens that a bucket with this rate can hold.
  [[nodiscard]] static std::uint64_t MostBurst(std::uint64_t count, Nanoseconds per) noexcept {
    return kMostUnits / Reduced(Ticks(per), count);
  }

  // Full at first. `count` tokens come in each `per`, both above 0; `burst` is 1 to MostBurst().
  TokenBucket(std::uint64_t count, Nanoseconds per, std::uint64_t burst) noexcept
      : gain_(Reduced(count, Ticks(per))),
        price_(Reduced(Ticks(per), count)),
        full_(burst * price_),
        level_(full_) {}

  // Takes `tokens` if they are there. A time before the last one counts as that.
  [[nodiscard]] bool TryTake(TimePoint now, std::uint64_t tokens) noexcept {
    Refill(now);
    if (tokens > level_ / price_) return false;
    level_ -= tokens * price_;
    return true;
  }

  // How long it takes until `tokens` are there, or have come and gone if that is more than fits inside.
  [[nodiscard]] Nanoseconds TimeUntil(TimePoint now, std::uint64_t tokens) noexcept {
    Refill(now);
    if (tokens <= level_ / price_) return Nanoseconds::zero();
    if (tokens > kMostUnits / price_) return Nanoseconds::max();
    const std::uint64_t missing = tokens * price_ - level_;
    return Nanoseconds(static_cast<std::int64_t>(missing / gain_ + (missing % gain_ != 0 ? 1 : 0)));
  }

 private:
  static constexpr std::uint64_t kMostUnits = std::uint64_t{1} << 62;

  static std::uint64_t Ticks(Nanoseconds duration) noexcept {
    return static_cast<std::uint64_t>(duration.count());
  }
  static std::uint64_t Reduced(std::uint64_t value, std::uint64_t other) noexcept {
    return value / std::gcd(value, other);
  }

  void Refill(TimePoint now) noexcept {
    if (now <= last_) return;
    // As unsigned numbers: the difference may be larger than a signed one holds.
    const auto elapsed = static_cast<std::uint64_t>(now.time_since_epoch().count()) -
                         static_cast<std::uint64_t>(last_.time_since_epoch().count());
    last_ = now;
    const std::uint64_t missing = full_ - level_;
    level_ = elapsed > missing / gain_ ? full_ : level_ + elapsed * gain_;
  }

  std::uint64_t gain_;
  std::uint64_t price_;
  std::uint64_t full_;
  std::uint64_t level_;  // at most full_
  TimePoint last_ = TimePoint::min();
};

}  // namespace orchestrate::inline v1::detail
