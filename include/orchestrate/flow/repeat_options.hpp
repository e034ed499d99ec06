#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1 {

/// Says what the interval of a repeat is counted from.
enum class RepeatPace : unsigned char {
  FixedRate,  ///< The start: calls are due at its multiples, however long they take.
  FixedDelay  ///< The end of the call before.
};

/// Says how a repeat goes on.
struct RepeatOptions {
  RepeatPace pace = RepeatPace::FixedRate;
  bool immediately = false;    ///< The first call comes at once instead of after one interval.
  bool stop_on_error = false;  ///< The first failure ends it.
  std::size_t max_runs = 0;    ///< It completes after so many calls; 0 = never.
  Nanoseconds jitter{0};       ///< Each call comes later by a random time of at most this; 0 to the interval.
  std::uint64_t seed = 0;      ///< Decides the jitter; 0 = another one each time.
  double backoff = 1.0;        ///< The interval grows by this factor with each failure in a row; at least 1.
  Nanoseconds max_interval = std::chrono::minutes(1);  ///< As far as this, or `interval` if that is longer.
};

}  // namespace orchestrate::inline v1
