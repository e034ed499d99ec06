#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <orchestrate/base/error.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

/// Says how often something may happen: `count` times in each `per`.
struct Rate {
  std::int64_t count;  ///< Above 0.
  Nanoseconds per;     ///< Above 0.

  /// Takes `times` in each `interval`: `100` is 100 a second, `{1, 10min}` one every ten minutes.
  template <std::integral I>
  constexpr Rate(I times, Nanoseconds interval = std::chrono::seconds(1)) noexcept  // NOLINT: converts
      : count(times > 0 && static_cast<std::uint64_t>(times) > kMost ? std::int64_t{kMost}
                                                                     : static_cast<std::int64_t>(times)),
        per(interval) {}

 private:
  static constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
};

/// Hands out permits at a steady rate; what was not used is kept for a burst.
///
/// A bucket of tokens: it is full at first, fills at the rate up to `burst`, and a permit takes a token out.
/// Those who wait are served in the order in which they came, by the clock of their context's executor. All
/// who use one limiter have to do so by the same clock: a time before the latest that it has seen brings
/// nothing.
///
/// @par Thread safety  All members may be called from any thread; nobody may wait while it is destroyed.
class ORCHESTRATE_API RateLimiter {
 public:
  /// Makes a limiter.
  ///
  /// @param burst  how many permits may be saved up; 0 = what comes in 10 ms, at least 1: so a thread that
  ///               wakes late does not lower the rate.
  /// @par Errors  Throws `ErrorException` with `InvalidArgument` for a rate that is not above 0, or a burst
  ///              beyond the arithmetic, which is 4.6e9 or more at whole rates a second; `std::bad_alloc`.
  explicit RateLimiter(Rate rate, std::size_t burst = 0);
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;
  ~RateLimiter();

  /// Takes `count` permits, waiting until there are as many and all who came before are served.
  ///
  /// @param count  0 to the burst.
  /// @return no error when they were taken; `DeadlineExceeded` at once when they would come at
  ///         the context's deadline or later; the context's error; `InvalidArgument` for more than the burst;
  ///         `OutOfResources` for want of a spare worker; `ShutDown` when the executor's timers have stopped.
  /// @par Blocks        Until then; inside a task it gives its worker away.
  /// @par Cancellation  Ends the wait; no permit was taken then, and those behind move up. What comes due
  /// after
  ///                    the context has ended, or at its deadline, goes to the next.
  /// @par Complexity    O(1), no allocation.
  [[nodiscard]] Error Acquire(const Context& context, std::size_t count = 1) noexcept;

  /// Takes `count` permits if they are there and nobody waits.
  ///
  /// The time is that of the task this runs in, elsewhere that of the steady clock.
  [[nodiscard]] bool TryAcquire(std::size_t count = 1) noexcept;
  /// Takes `count` permits if they are there by the clock of `context`, and nobody waits.
  [[nodiscard]] bool TryAcquire(const Context& context, std::size_t count = 1) noexcept;

  /// Returns how many permits can be saved up.
  [[nodiscard]] std::size_t Burst() const noexcept;

 private:
  struct State;
  State* state_;
};

}  // namespace orchestrate::inline v1
