#pragma once

#include <chrono>
#include <utility>

#include <orchestrate/flow/detail/retry_machine.hpp>
#include <orchestrate/flow/retry_options.hpp>
#include <orchestrate/task/detail/mirror.hpp>
#include <orchestrate/task/promise.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// The body of a retry: the first attempt is the task's body, each other one a step of the machine.
template <class F>
struct RetryBody final : RetryMachine {
  using T = YieldOf<F>;
  static constexpr bool kFollows = std::is_base_of_v<TaskHandle, std::remove_cvref_t<RawOf<F>>>;

  template <class G>
  RetryBody(const RetryOptions& how, G&& callable) : RetryMachine(how), fn(std::forward<G>(callable)) {}

  void operator()(ValueCore<T>& core, BodyResult& result) noexcept { Begin(core, result); }

  void Attempt(BodyResult& result) noexcept override {
    if constexpr (kFollows) {
      try {
        const Task<T> inner = Call();
        const bool is_pending =
            inner && static_cast<TaskCore*>(&TaskAccess::Core(inner)) != task && !inner.IsDone();
        Follow(is_pending ? MakeMirror<T>(TaskAccess::Core(inner), *task) : inner, result);
      } catch (...) {
        Fail(result, Error::FromCurrentException());
      }
    } else {
      RunInto(Core(), result, [this]() -> decltype(auto) { return Call(); });
    }
  }

  void Collect(TaskCore& followed_task, BodyResult& result) noexcept override {
    if constexpr (kFollows) {
      auto& from = static_cast<ValueCore<T>&>(followed_task);
      RunInto(Core(), result, [&from] { return TaskAccess::Share(from).Outcome(); });
    }
  }

  ValueCore<T>& Core() noexcept { return static_cast<ValueCore<T>&>(*task); }

  decltype(auto) Call() {
    if constexpr (kTakesContext<F>) {
      Context context = ContextAccess::Borrow(*task);
      return fn(context);
    } else {
      return fn();
    }
  }

  F fn;
};

}  // namespace detail

/// Calls `fn` until it succeeds, at most `options.attempts` times, with growing pauses between the attempts.
///
/// @param fn  any callable `()` or `(Context&)`; of a task that it returns the outcome counts.
/// @return the task; its value is that of the attempt that succeeded, its error that of the last one, with
/// the
///         count of attempts in front of the text. When the next attempt could not start before the deadline
///         of the context it fails at once, with `DeadlineExceeded` as a cause. `InvalidArgument` for bad
///         options.
/// @par Errors        Throws `std::bad_alloc`, and what copying or moving `fn` throws; then nothing was
/// started.
/// @par Blocks        Never, and no worker during a pause.
/// @par Cancellation  Ends a pause at once; a running attempt sees its context end, and no other follows.
/// @par Complexity    O(1) an attempt, no allocation besides the errors' texts.
template <class F>
[[nodiscard]] auto Retry(const Where& where, const RetryOptions& options, F&& fn) {
  using Fn = std::decay_t<F>;
  static_assert(detail::kIsWork<Fn>, "Retry: the work must be callable as fn() or fn(Context&)");
  using T = detail::YieldOf<Fn>;
  Error wrong =
      detail::IsEmptyCallable(fn) ? detail::EmptyFunction("Retry") : detail::CheckRetry(where, options);
  if (wrong) return detail::MakeFailed<T>(std::move(wrong), where);
  auto& core = detail::MakeBlock<T, detail::RetryBody<Fn>>(where.Location(), 2, options, std::forward<F>(fn));
  auto task = detail::TaskAccess::Take<T>(core);
  try {
    detail::SetName(core, where.Name());
    detail::WhereAccess::WithParent(where,
                                    [&core](detail::ContextNode& parent) { detail::Adopt(core, parent); });
  } catch (...) {
    detail::Unref(core);
    throw;
  }
  detail::Submit(core);
  return task;
}

/// Does the same on the default runtime.
template <class F>
[[nodiscard]] auto Retry(const RetryOptions& options, F&& fn,
                         std::source_location location = detail::Here()) {
  return Retry(Where(location), options, std::forward<F>(fn));
}

}  // namespace orchestrate::inline v1
