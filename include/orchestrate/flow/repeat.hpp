#pragma once

#include <chrono>
#include <type_traits>
#include <utility>

#include <orchestrate/flow/detail/repeat_machine.hpp>
#include <orchestrate/flow/job.hpp>
#include <orchestrate/flow/repeat_options.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

namespace detail {

template <class F>
struct RepeatBody final : RepeatMachine {
  template <class G>
  RepeatBody(Nanoseconds every, const RepeatOptions& how, G&& action)
      : RepeatMachine(every, how), fn(std::forward<G>(action)) {}

  static void Run(WorkNode& node) noexcept { JobBlock<RepeatBody>::Self(node).body.Step(); }
  static void Drop(WorkNode& node) noexcept { JobBlock<RepeatBody>::Self(node).body.RepeatMachine::Drop(); }

  bool Act(Error& error) override {
    using R = std::remove_cvref_t<decltype(Call())>;
    if constexpr (std::is_base_of_v<TaskHandle, R>) {
      return Follow(Call(), error);
    } else if constexpr (std::is_same_v<R, Error>) {
      error = Call();
    } else if constexpr (kIsResult<R>) {
      if (R outcome = Call(); !outcome) error = std::move(outcome).Failure();
    } else {
      static_cast<void>(Call());
    }
    return true;
  }

  decltype(auto) Call() {
    if constexpr (kTakesContext<F>) {
      Context context = ContextAccess::Borrow(*job);
      return fn(context);
    } else {
      return fn();
    }
  }

  F fn;
};

}  // namespace detail

/// Calls `fn` again and again, by default at a fixed rate that does not drift, until its context ends.
///
/// Two calls never overlap. A call that takes longer than the interval skips the ticks it ran over: the next
/// one starts with the next tick. A call that fails or throws is counted and repeated, unless told otherwise.
///
/// @param interval  above 0; timers have a resolution of 1 ms.
/// @param fn        any callable `()` or `(Context&)`; a task that it returns is awaited before the next
/// tick.
/// @return a job with `Runs`, `Failures`, `Missed` and `LastError`. It completes after `max_runs`, fails with
/// the
///         first error under `stop_on_error`, and with `InvalidArgument` at once for a bad argument.
/// @par Errors        Throws `std::bad_alloc`, and what copying or moving `fn` throws.
/// @par Blocks        Never, and no worker between two calls.
/// @par Cancellation  `Cancel` (also from inside `fn`) and the end of the context stop it: a running call may
///                    leave, no other begins. A runtime that drains ends it as `Cancelled`, cause `ShutDown`.
/// @par Complexity    O(1) a tick, no allocation.
template <class Rep, class Period, class F>
Job Repeat(const Where& where, std::chrono::duration<Rep, Period> interval, F&& fn,
           const RepeatOptions& options = {}) {
  using Fn = std::decay_t<F>;
  static_assert(detail::kIsWork<Fn>, "Repeat: the action must be callable as fn() or fn(Context&)");
  const Nanoseconds every = SaturatingNanoseconds(interval);
  Error wrong = detail::IsEmptyCallable(fn) ? detail::EmptyFunction("Repeat")
                                            : CheckNumber(interval, "Repeat: interval is not a number");
  if (!wrong) wrong = detail::CheckRepeat(where, every, options);
  if (wrong) return detail::MakeFailedJob(std::move(wrong), where);
  auto& core = detail::MakeJob<detail::RepeatBody<Fn>>(where, 2, every, options, std::forward<F>(fn));
  return detail::StartRepeat(core, core.body, where);
}

/// Does the same on the default runtime.
template <class Rep, class Period, class F>
Job Repeat(std::chrono::duration<Rep, Period> interval, F&& fn, const RepeatOptions& options = {},
           std::source_location location = detail::Here()) {
  return Repeat(Where(location), interval, std::forward<F>(fn), options);
}

}  // namespace orchestrate::inline v1
