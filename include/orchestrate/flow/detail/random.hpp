#pragma once

#include <cstdint>

#include <orchestrate/time/clock.hpp>
#include <orchestrate/time/ticks.hpp>

namespace orchestrate::inline v1::detail {

// A seeded source of small random choices (SplitMix64); the seed 0 stands for another one each time.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept
      : state_(seed != 0 ? seed
                         : ReadTicks() ^ static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(this))) {
  }

  [[nodiscard]] std::uint64_t Next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
    return mixed ^ (mixed >> 31);
  }

  // From 0 to `most`, both included; `most` is not negative.
  [[nodiscard]] Nanoseconds UpTo(Nanoseconds most) noexcept {
    return Nanoseconds(static_cast<std::int64_t>(Next() % (static_cast<std::uint64_t>(most.count()) + 1)));
  }

 private:
  std::uint64_t state_;
};

// `duration` times `factor`, at most `limit`; all not negative.
[[nodiscard]] inline Nanoseconds Scaled(Nanoseconds duration, double factor, Nanoseconds limit) noexcept {
  const double scaled = static_cast<double>(duration.count()) * factor;
  return scaled < static_cast<double>(limit.count()) ? Nanoseconds(static_cast<std::int64_t>(scaled)) : limit;
}

}  // namespace orchestrate::inline v1::detail
