#pragma once

#include <memory>
#include <utility>

#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {

template <class T>
ValueCore<T>& MakeOpen(const Where& where) {
  auto& core = MakeBlock<T, NoBody>(where.Location(), 1);
  core.state.store(kRunning | ContextNode::kNoBody, sync::memory_order_relaxed);
  try {
    if (!where.Name().empty()) SetName(core, where.Name());
    if (where.HasContext())
      WhereAccess::WithParent(where, [&core](ContextNode& parent) { Adopt(core, parent); });
  } catch (...) {
    Unref(core);
    throw;
  }
  return core;
}

}  // namespace detail

/// Completes a task from outside, once.
///
/// A promise that is dropped unset cancels its task, so that no waiter hangs.
///
/// @par Thread safety  All members may be called from any thread, except moving and destroying.
template <class T>
class Promise {
 public:
  /// Makes a promise and its running task; throws `std::bad_alloc`.
  explicit Promise(const Where& where = {}) : task_(detail::TaskAccess::Take(detail::MakeOpen<T>(where))) {}
  Promise(Promise&&) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    Abandon();
    task_ = std::move(other.task_);
    return *this;
  }
  ~Promise() { Abandon(); }

  /// Returns the task that this promise completes.
  [[nodiscard]] orchestrate::Task<T> Task() const noexcept { return task_; }

  /// Completes the task with `value` (none for void); false when it is terminal already or its context has
  /// ended.
  template <class... U>
  bool TrySet(U&&... value) {
    static_assert(std::is_void_v<T> ? sizeof...(U) == 0 : std::is_constructible_v<T, U...>,
                  "Promise::TrySet: the arguments must construct the task's value");
    const auto task = task_;  // whoever waits for it may destroy this promise before the call returns
    if (!task || !detail::BeginSet(detail::TaskAccess::Core(task))) return false;
    auto& core = detail::TaskAccess::Core(task);
    detail::BodyResult result;
    if constexpr (!std::is_void_v<T>) {
      detail::RunInto(core, result, [&]() -> T { return T(std::forward<U>(value)...); });
    }
    detail::EndSet(core, result);
    return task.State() != TaskState::Cancelled;  // the end of its context comes first
  }

  /// Completes the task, or returns `AlreadyTerminal`.
  template <class... U>
  Error Set(U&&... value) {
    return TrySet(std::forward<U>(value)...) ? Error() : Error(Errc::AlreadyTerminal);
  }

  /// Fails the task, or says false when it is terminal already; an empty error is taken for
  /// `InvalidArgument`.
  bool TrySetError(Error error) noexcept {
    const auto task = task_;
    if (!task || !detail::BeginSet(detail::TaskAccess::Core(task))) return false;
    auto& core = detail::TaskAccess::Core(task);
    detail::BodyResult result;
    if (!error) error = Error(Errc::InvalidArgument, "Promise::SetError: the error is empty");
    detail::Fail(result, std::move(error));
    detail::EndSet(core, result);
    return task.State() != TaskState::Cancelled;
  }

  /// Fails the task, or returns `AlreadyTerminal`.
  Error SetError(Error error) noexcept {
    return TrySetError(std::move(error)) ? Error() : Error(Errc::AlreadyTerminal);
  }

 private:
  void Abandon() noexcept {
    if (task_ && !task_.IsDone()) task_.Cancel(Errc::Cancelled);
  }

  orchestrate::Task<T> task_;
};

/// Makes a task that has completed with `value`.
///
/// @par Complexity  O(1), one pooled block.
template <class T>
Task<std::decay_t<T>> Completed(T&& value, std::source_location location = detail::Here()) {
  using V = std::decay_t<T>;
  static_assert(!std::is_same_v<V, Error>, "Completed: an Error is no value; use Failed");
  auto& core = detail::MakeBlock<V, detail::NoBody>(location, 1);
  auto task = detail::TaskAccess::Take(core);
  ::new (static_cast<void*>(std::addressof(core.value))) V(std::forward<T>(value));
  core.state.store(detail::kCompleted | detail::ContextNode::kNoBody, sync::memory_order_relaxed);
  return task;
}

/// Makes a `Task<void>` that has completed.
inline Task<void> Completed(std::source_location location = detail::Here()) {
  auto& core = detail::MakeBlock<void, detail::NoBody>(location, 1);
  core.state.store(detail::kCompleted | detail::ContextNode::kNoBody, sync::memory_order_relaxed);
  return detail::TaskAccess::Take(core);
}

/// Makes a task that has failed with `error`; an empty one is taken for `InvalidArgument`.
template <class T = void>
Task<T> Failed(Error error, std::source_location location = detail::Here()) {
  if (!error) error = Error(Errc::InvalidArgument, "Failed: the error is empty");
  return detail::MakeFailed<T>(std::move(error), Where(location));
}

}  // namespace orchestrate::inline v1
