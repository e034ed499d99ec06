#pragma once

#include <utility>

#include <orchestrate/task/promise.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// The body of a continuation calls `fn` with what `Policy` passes on. The node that waits in the
// predecessor's list is the block's extra: the list may still hold it when a cancellation destroys the body.
template <class T, class U, class F, class Policy>
struct AfterBody {
  template <class G>
  explicit AfterBody(G&& callable) : fn(std::forward<G>(callable)) {}

  void operator()(TaskBlock<T, AfterBody, AfterNode>& block, BodyResult& result) noexcept {
    TaskCore& before = *block.extra.predecessor;
    RunInto<T>(block, result, [&]() -> decltype(auto) {
      return Policy::template Call<U, T>(fn, block, static_cast<ValueCore<U>&>(before));
    });
    if (result.end == BodyEnd::Pending) return;  // the rest of the work may still use the value
    block.extra.predecessor = nullptr;
    Unref(before);
  }

  F fn;
};

template <class F, class... Args>
decltype(auto) CallWith(F& fn, TaskCore& core, Args&&... args) {
  if constexpr (kTakesContext<F, Args...>) {
    Context context = ContextAccess::Borrow(core);
    return fn(context, std::forward<Args>(args)...);
  } else {
    return fn(std::forward<Args>(args)...);
  }
}

struct PassValue {
  static constexpr AfterMode kMode = AfterMode::OnValue;
  template <class U, class T, class F>
  static decltype(auto) Call(F& fn, TaskCore& core, ValueCore<U>& before) {
    if constexpr (std::is_void_v<U>) {
      return CallWith(fn, core);
    } else if constexpr (std::is_copy_constructible_v<U>) {
      if ((before.state.load(sync::memory_order_acquire) & ContextNode::kTaken) != 0) TakenError().Rethrow();
      return CallWith(fn, core, std::as_const(before.value));
    } else {
      return CallWith(fn, core, TaskAccess::Share(before).Take());
    }
  }
};

struct PassResult {
  static constexpr AfterMode kMode = AfterMode::Always;
  template <class U, class T, class F>
  static decltype(auto) Call(F& fn, TaskCore& core, ValueCore<U>& before) {
    return CallWith(fn, core, TaskAccess::Share(before).Outcome());
  }
};

struct PassError {
  static constexpr AfterMode kMode = AfterMode::Always;
  template <class U, class T, class F>
  static auto Call(F& fn, TaskCore& core, ValueCore<U>& before) {
    const Error error = ReadError(before);
    using R = std::remove_cv_t<decltype(CallWith(fn, core, error))>;
    if constexpr (kIsTask<R>) {
      return error ? CallWith(fn, core, error) : TaskAccess::Share(before);
    } else if constexpr (std::is_void_v<R>) {
      if (error) CallWith(fn, core, error);
      return Result<T>();
    } else {
      if (!error) return TaskAccess::Share(before).Outcome();
      return Result<T>(CallWith(fn, core, error));
    }
  }
};

struct PassThrough {
  static constexpr AfterMode kMode = AfterMode::Always;
  template <class U, class T, class F>
  static Task<T> Call(F& fn, TaskCore& core, ValueCore<U>& ended) {
    const auto before = TaskAccess::Share(ended);
    using R = std::remove_cv_t<decltype(CallWith(fn, core))>;
    if constexpr (kIsTask<R>) {
      return ContinueWith(CallWith(fn, core), [before](const Result<typename R::ValueType>& own) {
        return own ? before : Failed<T>(own.Failure());
      });
    } else {
      if constexpr (std::is_same_v<R, Error>) {
        if (Error own = CallWith(fn, core)) return Failed<T>(std::move(own));
      } else if constexpr (kIsResult<R>) {
        if (R own = CallWith(fn, core); !own) return Failed<T>(std::move(own).Failure());
      } else {
        CallWith(fn, core);
      }
      return before;
    }
  }
};

// Why nothing can follow `before` any more: the runtime of the continuation was shut down.
[[nodiscard]] ORCHESTRATE_API Error RefuseAfter(const char* verb, const Where& where, const TaskCore& before);

template <class T, class Policy, class U, class F>
Task<T> MakeAfter(const char* verb, const Where& where, const Task<U>& before, F&& fn) {
  using Body = AfterBody<T, U, std::decay_t<F>, Policy>;
  if (!before) return MakeFailed<T>(EmptyTask(verb), where);
  if (IsEmptyCallable(fn)) return MakeFailed<T>(EmptyFunction(verb), where);
  if (Error refusal = RefuseAfter(verb, where, TaskAccess::Core(before)))
    return MakeFailed<T>(std::move(refusal), where);
  auto& core = MakeBlock<T, Body, AfterNode>(where.Location(), 1, std::forward<F>(fn));
  auto task = TaskAccess::Take<T>(core);
  if (!where.Name().empty()) SetName(core, where.Name());
  if (where.HasContext())
    WhereAccess::WithParent(where, [&core](ContextNode& parent) { Adopt(core, parent); });
  core.extra.successor = &core;
  RefUnshared(core);  // the list's
  Attach(core.extra, TaskAccess::Core(before), Policy::kMode);
  return task;
}

// What may stand in for a value of T.
template <class R, class T>
inline constexpr bool kReplaces = std::is_constructible_v<Result<T>, R>;
template <class T>
inline constexpr bool kReplaces<void, T> = std::is_void_v<T>;
template <class U, class T>
inline constexpr bool kReplaces<Task<U>, T> = std::is_same_v<U, T>;

template <class U>
struct ValueArgument {
  template <class F>
  static constexpr bool kFits = kIsWork<F, std::conditional_t<std::is_copy_constructible_v<U>, const U&, U>>;
  template <class F>
  using Yield = YieldOf<F, std::conditional_t<std::is_copy_constructible_v<U>, const U&, U>>;
};
template <>
struct ValueArgument<void> {
  template <class F>
  static constexpr bool kFits = kIsWork<F>;
  template <class F>
  using Yield = YieldOf<F>;
};

}  // namespace detail

/// Runs `fn` with the value of `before` once that has completed; any other end skips `fn` and is passed on.
///
/// Works on a task in any state, always resolves, and does not delay the predecessor's own waiters. Several
/// continuations of one task start in the order of registration. Without a context of its own in `where` it
/// belongs to the context of `before`.
///
/// @param fn  called as `fn(value)` or `fn(Context&, value)`, without the value for `Task<void>`.
/// @par Errors        `InvalidArgument` in the handle for an empty task or function, `ShutDown` when the
/// runtime
///                    was shut down. Throws `std::bad_alloc`.
/// @par Cancellation  Of the returned task: does not touch `before`.
/// @par Complexity    O(1), one pooled block.
template <class U, class F>
auto After(const Where& where, const Task<U>& before, F&& fn) {
  using Argument = detail::ValueArgument<U>;
  static_assert(Argument::template kFits<std::decay_t<F>>,
                "After: the work must be callable as fn(value) or fn(Context&, value)");
  using T = typename Argument::template Yield<std::decay_t<F>>;
  return detail::MakeAfter<T, detail::PassValue>("After", where, before, std::forward<F>(fn));
}
/// Runs `fn` with the value of `before` in the context of `before`.
template <class U, class F>
auto After(const Task<U>& before, F&& fn, std::source_location location = detail::Here()) {
  return After(Where(location), before, std::forward<F>(fn));
}

/// Runs `fn` with the outcome of `before`, whatever that is.
///
/// @param fn  called as `fn(const Result<T>&)` or `fn(Context&, const Result<T>&)`.
template <class U, class F>
auto ContinueWith(const Where& where, const Task<U>& before, F&& fn) {
  static_assert(detail::kIsWork<std::decay_t<F>, Result<U>>,
                "ContinueWith: the work must be callable as fn(Result<T>) or fn(Context&, Result<T>)");
  using T = detail::YieldOf<std::decay_t<F>, Result<U>>;
  return detail::MakeAfter<T, detail::PassResult>("ContinueWith", where, before, std::forward<F>(fn));
}
/// Runs `fn` with the outcome of `before` in the context of `before`.
template <class U, class F>
auto ContinueWith(const Task<U>& before, F&& fn, std::source_location location = detail::Here()) {
  return ContinueWith(Where(location), before, std::forward<F>(fn));
}

/// Replaces the error of `before` by what `fn(error)` returns; a value passes by.
///
/// @param fn  called as `fn(const Error&)`; returns `T`, `Result<T>`, `Error` or `Task<T>`.
template <class U, class F>
Task<U> Catch(const Where& where, const Task<U>& before, F&& fn) {
  static_assert(detail::kIsWork<std::decay_t<F>, const Error&>,
                "Catch: the work must be callable as fn(const Error&) or fn(Context&, const Error&)");
  static_assert(detail::kReplaces<std::remove_cv_t<detail::RawOf<std::decay_t<F>, const Error&>>, U>,
                "Catch: the work must return what the task yields, or an Error, a Result or a Task of it");
  return detail::MakeAfter<U, detail::PassError>("Catch", where, before, std::forward<F>(fn));
}
/// Replaces the error of `before` in the context of `before`.
template <class U, class F>
Task<U> Catch(const Task<U>& before, F&& fn, std::source_location location = detail::Here()) {
  return Catch(Where(location), before, std::forward<F>(fn));
}

/// Runs `fn()` when `before` has ended, however, and passes its outcome on; an error of `fn` replaces it.
template <class U, class F>
Task<U> Finally(const Where& where, const Task<U>& before, F&& fn) {
  static_assert(detail::kIsWork<std::decay_t<F>>,
                "Finally: the work must be callable as fn() or fn(Context&)");
  return detail::MakeAfter<U, detail::PassThrough>("Finally", where, before, std::forward<F>(fn));
}
/// Runs `fn()` when `before` has ended, in the context of `before`.
template <class U, class F>
Task<U> Finally(const Task<U>& before, F&& fn, std::source_location location = detail::Here()) {
  return Finally(Where(location), before, std::forward<F>(fn));
}

template <class T>
template <class F>
auto Task<T>::Then(F&& fn, std::source_location location) const {
  return After(Where(location), *this, std::forward<F>(fn));
}

}  // namespace orchestrate::inline v1
