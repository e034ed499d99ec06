#pragma once

#include <chrono>
#include <utility>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/task/promise.hpp>
#include <orchestrate/task/task.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// Ends `outer` as `inner` has ended.
using PassOn = void (*)(TaskCore& outer, TaskCore& inner) noexcept;

template <class T>
void PassOnOutcome(TaskCore& outer, TaskCore& inner) noexcept {
  BodyResult result;
  TakeOver(static_cast<ValueCore<T>&>(outer), inner, result);
  StampEnd(outer);
  FinishBody(outer, result);
}

// An error when `timeout` is negative, there is no task, or the executor takes no more work.
[[nodiscard]] ORCHESTRATE_API Error CheckTimeout(const Where& where, const TaskHandle* task,
                                                 Nanoseconds timeout);

template <class Rep, class Period>
[[nodiscard]] Error CheckAnyTimeout(const Where& where, const TaskHandle* task,
                                    std::chrono::duration<Rep, Period> timeout) {
  if (Error wrong = CheckNumber(timeout, "Timeout: timeout is not a number")) return wrong;
  return CheckTimeout(where, task, SaturatingNanoseconds(timeout));
}

// Ends `outer` with what comes first: the end of `inner`, which is started if nobody has, or of the time.
ORCHESTRATE_API void StartTimeout(TaskCore& outer, const Where& where, Nanoseconds timeout,
                                  const TaskHandle& inner, const Where& inner_where, PassOn pass_on);

template <class T>
Task<T> MakeLimited(const Where& where, Nanoseconds timeout, const Task<T>& inner, const Where& inner_where) {
  auto outer = TaskAccess::Take(MakeOpen<T>(where));
  StartTimeout(TaskAccess::Core(outer), where, timeout, inner, inner_where, PassOnOutcome<T>);
  return outer;
}

}  // namespace detail

/// Makes a task that ends as `task` does, or with `DeadlineExceeded` when that takes longer than `timeout`.
///
/// @param task     a task in any state; one that nobody has started is started under `where`.
/// @param timeout  from now, 0 or more.
/// @return the task; `InvalidArgument` for a time that is negative or not a number, or an empty handle;
/// `ShutDown`
///         when the executor takes no more work. The value is copied, or moved
/// when
///         it cannot be.
/// @par Errors        Throws `std::bad_alloc`.
/// @par Blocks        Never; while it is pending it costs a timer, which is gone when `task` ends first.
/// @par Cancellation  When the time is over, `task` is cancelled and the result does not wait for its body:
/// one
///                    that does not listen runs on, counted by its runtime. When the result is cancelled or
///                    its context ends before, `task` is cancelled, too; the result shows as `Cancelled` at
///                    once and ends when the body has left.
/// @par Complexity    O(1), three pooled blocks.
template <class T, class Rep, class Period>
[[nodiscard]] Task<T> Timeout(const Where& where, const Task<T>& task,
                              std::chrono::duration<Rep, Period> timeout) {
  const Nanoseconds time = SaturatingNanoseconds(timeout);
  if (Error wrong = detail::CheckAnyTimeout(where, &task, timeout))
    return detail::MakeFailed<T>(std::move(wrong), where);
  return detail::MakeLimited(where, time, task, where);
}

/// Does the same under the default runtime.
template <class T, class Rep, class Period>
[[nodiscard]] Task<T> Timeout(const Task<T>& task, std::chrono::duration<Rep, Period> timeout,
                              std::source_location location = detail::Here()) {
  return Timeout(Where(location), task, timeout);
}

/// Starts `fn` and limits it; its context has the deadline.
template <class Rep, class Period, class F>
[[nodiscard]] auto Timeout(const Where& where, std::chrono::duration<Rep, Period> timeout, F&& fn) {
  using Fn = std::decay_t<F>;
  static_assert(detail::kIsWork<Fn>, "Timeout: the work must be callable as fn() or fn(Context&)");
  using T = detail::YieldOf<Fn>;
  const Nanoseconds time = SaturatingNanoseconds(timeout);
  Error wrong = detail::IsEmptyCallable(fn) ? detail::EmptyFunction("Timeout")
                                            : detail::CheckAnyTimeout(where, nullptr, timeout);
  if (wrong) return detail::MakeFailed<T>(std::move(wrong), where);
  const Context limited = where.Resolve().WithTimeout(time);
  const auto task = NewTask(std::forward<F>(fn), where.Location());
  return detail::MakeLimited(where, time, task, Where(limited, where.Location()).Named(where.Name()));
}

/// Does the same on the default runtime.
template <class Rep, class Period, class F>
  requires(!std::is_base_of_v<detail::TaskHandle, std::remove_cvref_t<F>>)
[[nodiscard]] auto Timeout(std::chrono::duration<Rep, Period> timeout, F&& fn,
                           std::source_location location = detail::Here()) {
  return Timeout(Where(location), timeout, std::forward<F>(fn));
}

}  // namespace orchestrate::inline v1
