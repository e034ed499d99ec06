#pragma once

#include <chrono>

#include <orchestrate/task/task.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

namespace detail {
[[nodiscard]] ORCHESTRATE_API Task<void> SleepFor(const Where& where, Nanoseconds duration);

template <class Rep, class Period>
[[nodiscard]] Task<void> SleepAnyTime(const Where& where, std::chrono::duration<Rep, Period> duration) {
  if (Error wrong = CheckNumber(duration, "Sleep: duration is not a number"))
    return MakeFailed<void>(std::move(wrong), where);
  return SleepFor(where, SaturatingNanoseconds(duration));
}
}

/// Makes a task that completes when `deadline` has come by the executor's clock.
///
/// @param deadline  any time; one that has passed means the next turn of the timers, never inside this call.
/// @return the task; its Duration is 0, as no body runs. It goes on without handles.
/// @par Errors        Throws `std::bad_alloc`. The task fails with `ShutDown` when the executor takes no more
/// work.
/// @par Blocks        Never, and no worker while it is pending.
/// @par Cancellation  Ends at once when it is cancelled, with the context's error when that ends, and as
/// `Cancelled`
///                    with the cause `ShutDown` when its runtime stops its timers.
/// @par Complexity    O(1), one pooled block of 192 bytes; never early, at most one tick of 1 ms late plus
///                    scheduling.
[[nodiscard]] ORCHESTRATE_API Task<void> SleepUntil(const Where& where, TimePoint deadline);

/// Makes the same task under the default runtime.
[[nodiscard]] inline Task<void> SleepUntil(TimePoint deadline,
                                           std::source_location location = detail::Here()) {
  return SleepUntil(Where(location), deadline);
}

/// Makes a task that completes after `duration`; see `SleepUntil`.
///
/// @param duration  0 or more; 0 means the next turn of the timers. A negative one, and one that
///                  is not a number, gives `InvalidArgument`.
template <class Rep, class Period>
[[nodiscard]] Task<void> Sleep(const Where& where, std::chrono::duration<Rep, Period> duration) {
  return detail::SleepAnyTime(where, duration);
}

/// Makes the same task under the default runtime.
template <class Rep, class Period>
[[nodiscard]] Task<void> Sleep(std::chrono::duration<Rep, Period> duration,
                               std::source_location location = detail::Here()) {
  return detail::SleepAnyTime(Where(location), duration);
}

}  // namespace orchestrate::inline v1
