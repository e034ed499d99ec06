#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <orchestrate/base/error.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1 {

/// Says how often a retry tries and how long it pauses.
struct RetryOptions {
  std::size_t attempts = 3;                                  ///< Calls at most, the first included; > 0.
  Nanoseconds first_delay = std::chrono::milliseconds(100);  ///< The pause after the first failure; >= 0.
  double factor = 2.0;  ///< By which each pause is longer than the last; >= 1.
  Nanoseconds max_delay =
      std::chrono::minutes(1);  ///< The longest pause without jitter, or `first_delay`; >= 0.
  double jitter = 0.0;     ///< Each pause is longer by a random part of at most this share of it; 0 to 1.
  std::uint64_t seed = 0;  ///< Decides the jitter; 0 = another one each time.
  bool (*retry_if)(const Error&) = nullptr;  ///< False ends the retry with this error; null = retry on each.
};

}  // namespace orchestrate::inline v1
