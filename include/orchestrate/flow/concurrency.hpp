#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <orchestrate/base/export.hpp>
#include <orchestrate/exec/executor.hpp>

namespace orchestrate::inline v1 {

namespace detail {
struct ConcurrencyAccess;
}

/// Says how many tasks of one verb run at once: a number, all of them, or one for each worker.
///
/// A number below 0 means `Workers()`; 0 means `Unlimited()` to `InvokeAll` and `Workers()` to `Consume`.
/// What waits in `Sleep` or for an inner task still counts; what runs inside another task's wait does not.
class Concurrency {
 public:
  /// Means at most `count` at once, by the rule above.
  template <std::integral I>
    requires(!std::same_as<I, bool>)
  constexpr Concurrency(I count) noexcept  // NOLINT(google-explicit-constructor): numbers are concurrencies
      : count_(std::cmp_less(count, 0)            ? kWorkers
               : std::cmp_less(count, kUnlimited) ? static_cast<std::int64_t>(count)
                                                  : kUnlimited) {}

  /// Refuses a truth value, which is no number of tasks.
  template <std::same_as<bool> B>
  Concurrency(B) = delete;  // NOLINT(google-explicit-constructor)

  /// Means all tasks at once.
  [[nodiscard]] static constexpr Concurrency Unlimited() noexcept { return Concurrency(kUnlimited); }

  /// Means as many as the executor has workers.
  [[nodiscard]] static constexpr Concurrency Workers() noexcept { return Concurrency(kWorkers); }

  [[nodiscard]] friend constexpr bool operator==(Concurrency, Concurrency) noexcept = default;

 private:
  friend struct detail::ConcurrencyAccess;
  static constexpr std::int64_t kWorkers = -1;
  static constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

  std::int64_t count_;
};

namespace detail {

struct ConcurrencyAccess {
  static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

  // The number that `count` means on `executor`; 0 is taken for `zero`.
  [[nodiscard]] static ORCHESTRATE_API std::size_t Resolve(Concurrency count, Concurrency zero,
                                                           const Executor& executor) noexcept;
};

}  // namespace detail
}  // namespace orchestrate::inline v1
