#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

#include <orchestrate/base/error.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/task/detail/task_block.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/task_state.hpp>
#include <orchestrate/task/where.hpp>

namespace orchestrate::inline v1 {

namespace detail {

struct TaskAccess;

// What a handle does that does not depend on the type of the value.
class ORCHESTRATE_API TaskHandle {
 public:
  /// Says whether the handle refers to a task.
  [[nodiscard]] explicit operator bool() const noexcept { return core_ != nullptr; }

  /// Starts a created task under `where`'s context; a task that was started or has ended stays as it is.
  void RunIn(const Where& where) const;

  /// Waits until the task has ended and its body has left.
  ///
  /// @return its error, empty when it completed. `NotStarted` of the only handle of a task that was not
  /// started,
  ///         `WouldDeadlock`, `OutOfResources` without a spare worker, `InvalidArgument` for an empty handle.
  /// @par Blocks        Until then; inside a task it runs the awaited task itself or gives its worker away.
  /// @par Cancellation  Cancels nothing.
  Error Wait() const noexcept;

  /// Waits until the task has ended, or `context` has; runs nothing unless there is no spare worker.
  ///
  /// @return what `Wait()` returns; the error of `context` when that ended first: the task goes on.
  Error Wait(const Context& context) const noexcept;

  /// Waits at most until `deadline`, by the clock of the task's executor; runs nothing.
  ///
  /// @return true when the task has ended.
  /// @par Blocks  Until then; not at all when that time has passed. Beyond the spare workers a task that
  /// waits keeps its worker, except in virtual time, where it returns at once.
  bool WaitUntil(TimePoint deadline) const noexcept;

  /// Waits at most for `timeout`, as `WaitUntil` does; 0 and less only look. Throws `ErrorException` with
  /// `InvalidArgument` when that is not a number.
  template <class Rep, class Period>
  bool WaitFor(std::chrono::duration<Rep, Period> timeout) const
      noexcept(!std::chrono::treat_as_floating_point_v<Rep>) {
    if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
      if (const Error wrong = CheckNumber(timeout, "Task::WaitFor: timeout is not a number")) wrong.Rethrow();
    }
    return WaitUntil(SaturatingAdd(ClockNow(), timeout));
  }

  /// Cancels the task: unrun it never runs, running its context ends at once and its outcome is dropped.
  ///
  /// @param cause  the error it ends with; empty is taken for `Errc::Cancelled`.
  /// @return true for the one call that won; it never blocks: use Wait() to see the body leave.
  bool Cancel(const Error& cause = Errc::Cancelled) const noexcept;

  /// Returns where the task stands; a queued task shows as `Created`.
  [[nodiscard]] TaskState State() const noexcept;

  /// Says whether the task has ended and its body has left.
  [[nodiscard]] bool IsDone() const noexcept {
    return core_ != nullptr && (core_->IsTerminal() || detail::EndIfContextEnded(*core_));
  }

  /// Returns how long the body ran; so far, while it runs; 0 before.
  [[nodiscard]] std::chrono::nanoseconds Duration() const noexcept;

  /// Returns a number no other task of the process has; 0 for an empty handle.
  [[nodiscard]] std::uint64_t Id() const noexcept;

  /// Returns the task's name, empty when it was given none.
  [[nodiscard]] std::string_view Name() const noexcept;

 protected:
  friend struct TaskAccess;
  TaskHandle() noexcept = default;
  explicit TaskHandle(TaskCore& core) noexcept : core_(&core) {}  // takes over a reference
  TaskHandle(const TaskHandle& other) noexcept : core_(other.core_) {
    if (core_ != nullptr) Ref(*core_);
  }
  TaskHandle(TaskHandle&& other) noexcept : core_(std::exchange(other.core_, nullptr)) {}
  TaskHandle& operator=(const TaskHandle& other) noexcept {
    TaskHandle copy(other);
    std::swap(core_, copy.core_);
    return *this;
  }
  TaskHandle& operator=(TaskHandle&& other) noexcept {
    TaskHandle taken(std::move(other));
    std::swap(core_, taken.core_);
    return *this;
  }
  ~TaskHandle() {
    if (core_ != nullptr) Unref(*core_);
  }

  [[nodiscard]] TimePoint ClockNow() const noexcept;
  // Waits; an error when there is no value to read.
  [[nodiscard]] Error Settle() const noexcept {
    if (core_ != nullptr && core_->PhaseNow() == kCompleted) return {};
    return SettleSlowly();
  }
  [[nodiscard]] Error SettleSlowly() const noexcept;
  [[nodiscard]] bool MarkTaken() const noexcept {
    return (core_->state.fetch_or(ContextNode::kTaken, sync::memory_order_acq_rel) & ContextNode::kTaken) ==
           0;
  }

  TaskCore* core_ = nullptr;
};

struct TaskAccess {
  static TaskCore* Core(const TaskHandle& task) noexcept { return task.core_; }
  // Leaves an empty handle; its reference is the caller's.
  static TaskCore* Release(TaskHandle& task) noexcept { return std::exchange(task.core_, nullptr); }
  template <class T>
  static ValueCore<T>& Core(const Task<T>& task) noexcept {
    return static_cast<ValueCore<T>&>(*task.core_);
  }
  template <class T>
  static Task<T> Take(ValueCore<T>& core) noexcept {
    return Task<T>(core);
  }
  template <class T>
  static Task<T> Share(ValueCore<T>& core) noexcept {
    Ref(core);
    return Task<T>(core);
  }
};

[[nodiscard]] inline Error TakenError() noexcept { return Errc::AlreadyTaken; }

}  // namespace detail

}  // namespace orchestrate::inline v1
