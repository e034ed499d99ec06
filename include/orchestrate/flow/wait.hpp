#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <type_traits>
#include <vector>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/result.hpp>
#include <orchestrate/flow/detail/crew_block.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// Waits for many tasks, which are added one by one, and collects their errors. What has ended, or runs here
// at once, costs no more than a look; of the others up to 32 are waited for together.
class ORCHESTRATE_API JoinWait {
 public:
  JoinWait() noexcept = default;
  // `until` counts by the clock of the task that is waited for.
  explicit JoinWait(Nanoseconds timeout) noexcept;
  // `context` must stay alive until Finish().
  explicit JoinWait(const Context& context) noexcept;
  JoinWait(const JoinWait&) = delete;
  JoinWait& operator=(const JoinWait&) = delete;

  // The task must stay alive until Finish().
  void Add(const TaskHandle& task) noexcept;
  [[nodiscard]] Error Finish() noexcept;

 private:
  static constexpr std::size_t kTogether = 32;
  struct Place {
    TaskCore* core;
    std::size_t index;
  };

  void AddUnbound(TaskCore& core) noexcept;
  void AddBound(TaskCore& core) noexcept;
  [[nodiscard]] Error AwaitBound(TaskCore& core) noexcept;
  void Flush() noexcept;
  [[nodiscard]] Error Block() noexcept;
  void Note(std::size_t index, Error error) noexcept;

  std::size_t index_ = 0;
  std::size_t total_ = 0;
  std::size_t pending_ = 0;
  bool sorted_ = true;
  bool out_of_memory_ = false;
  bool is_bound_ = false;
  Error ended_;  // the bound has, before a task
  ContextNode* context_ = nullptr;
  Nanoseconds timeout_{0};
  TimePoint until_{};  // set by the first task that has not ended
  std::array<Place, kTogether> places_;
  std::vector<IndexedError> errors_;
};

[[nodiscard]] ORCHESTRATE_API Result<std::size_t> WaitForAny(const TaskHandle* const* tasks,
                                                             std::size_t count,
                                                             const Context* context = nullptr) noexcept;

// Calls `fn` for all tasks, which live until it returns its result for the end of the range.
template <class Tasks, class Fn>
auto WithHandles(Tasks& tasks, Fn fn) {
  if constexpr (kShowsHandles<Tasks>) {
    return fn(tasks);
  } else {
    std::vector<TaskOf<Tasks>> kept;
    for (auto&& task : tasks) kept.push_back(std::forward<decltype(task)>(task));
    return fn(kept);
  }
}

template <class Tasks>
Result<std::size_t> WaitForAnyOf(Tasks& tasks, const Context* context) {
  return WithHandles(tasks, [context](auto& handles) {
    std::vector<const TaskHandle*> all;
    for (const auto& task : handles) all.push_back(&task);
    return WaitForAny(all.data(), all.size(), context);
  });
}

template <class Tasks>
Error JoinAll(JoinWait& wait, Tasks& tasks) {
  return WithHandles(tasks, [&wait](auto& handles) {
    for (const auto& task : handles) wait.Add(task);
    return wait.Finish();
  });
}

}  // namespace detail

/// Waits for every task in `tasks`, also after the first failure.
///
/// @param tasks  any range of `Task<T>`; empty handles are skipped.
/// @return the errors with their index, in the order of `tasks`; no error when all completed. A task that can
/// never
///         end counts as failed with `NotStarted` or `WouldDeadlock`.
/// @par Blocks        The calling thread until the last one ends; inside a task it runs those that have not
/// started
///                    itself, one after the other, or gives its worker away.
/// @par Cancellation  Cancels nothing. A cancelled task is reported as `Errc::Cancelled`.
/// @par Complexity    O(n), no allocation unless something failed or the range makes its handles up.
template <TaskRange Tasks>
[[nodiscard]] Error WaitAll(Tasks&& tasks) {
  detail::JoinWait wait;
  return detail::JoinAll(wait, tasks);
}
/// Waits for every one of the tasks given.
template <class T, class... Ts>
[[nodiscard]] Error WaitAll(const Task<T>& first, const Task<Ts>&... more) {
  detail::JoinWait wait;
  wait.Add(first);
  (wait.Add(more), ...);
  return wait.Finish();
}

/// Waits for every task in `tasks` until `context` ends.
///
/// @return the error of `context` when that ended before all had, whatever has failed by then; otherwise what
///         `WaitAll` returns.
/// @par Blocks        The calling thread; inside a task it gives its worker away, as `Wait(context)` does.
/// @par Cancellation  Ends the wait alone: the tasks go on.
template <TaskRange Tasks>
[[nodiscard]] Error WaitAll(const Context& context, Tasks&& tasks) {
  detail::JoinWait wait(context);
  return detail::JoinAll(wait, tasks);
}
/// Waits for every one of the tasks given until `context` ends.
template <class T, class... Ts>
[[nodiscard]] Error WaitAll(const Context& context, const Task<T>& first, const Task<Ts>&... more) {
  detail::JoinWait wait(context);
  wait.Add(first);
  (wait.Add(more), ...);
  return wait.Finish();
}

/// Waits for every task in `tasks`, at most for `timeout` by the clock of their executor.
///
/// @param timeout  0 or less: looks only; not a number: `InvalidArgument`.
/// @return `DeadlineExceeded` when the time passed before all had ended, whatever has failed by then;
/// otherwise what
///         `WaitAll` returns.
/// @par Blocks  The calling thread; inside a task it gives its worker away and runs nothing itself.
template <TaskRange Tasks, class Rep, class Period>
[[nodiscard]] Error WaitAllFor(Tasks&& tasks, std::chrono::duration<Rep, Period> timeout) {
  if (Error wrong = CheckNumber(timeout, "WaitAllFor: timeout is not a number")) return wrong;
  detail::JoinWait wait(SaturatingNanoseconds(timeout));
  return detail::JoinAll(wait, tasks);
}

/// Waits until one of `tasks` has ended.
///
/// @return its index in `tasks`: the lowest when several had ended before, else the first to end.
/// `InvalidArgument`
///         when there is no task or all handles are empty, `NotStarted` or `WouldDeadlock` when none of them
///         can ever end, `OutOfResources` when no spare worker is left.
/// @par Blocks        The calling thread; inside a task it gives its worker away and runs nothing itself.
/// @par Cancellation  Cancels nothing: see `CancelAll`.
/// @par Complexity    O(n), one allocation above 16 tasks.
template <TaskRange Tasks>
[[nodiscard]] Result<std::size_t> WaitAny(Tasks&& tasks) {
  return detail::WaitForAnyOf(tasks, nullptr);
}
/// Waits until one of the tasks given has ended.
template <class T, class... Ts>
[[nodiscard]] Result<std::size_t> WaitAny(const Task<T>& first, const Task<Ts>&... more) {
  const detail::TaskHandle* const all[] = {&first, &more...};
  return detail::WaitForAny(all, 1 + sizeof...(Ts));
}

/// Waits until one of `tasks`, or `context`, has ended; the tasks go on in the latter case.
///
/// @return what `WaitAny` returns, or the error of `context` when that ended before all of them.
template <TaskRange Tasks>
[[nodiscard]] Result<std::size_t> WaitAny(const Context& context, Tasks&& tasks) {
  return detail::WaitForAnyOf(tasks, &context);
}
/// Waits until one of the tasks given, or `context`, has ended.
template <class T, class... Ts>
[[nodiscard]] Result<std::size_t> WaitAny(const Context& context, const Task<T>& first,
                                          const Task<Ts>&... more) {
  const detail::TaskHandle* const all[] = {&first, &more...};
  return detail::WaitForAny(all, 1 + sizeof...(Ts), &context);
}

/// Cancels every task in `tasks`; empty handles are skipped.
///
/// @param cause  the error they end with; empty is taken for `Errc::Cancelled`.
/// @return how many this call cancelled; the others had ended or were cancelled before.
/// @par Blocks  Never: use `WaitAll` to see the bodies leave.
template <TaskRange Tasks>
std::size_t CancelAll(Tasks&& tasks, const Error& cause = Errc::Cancelled) {
  std::size_t cancelled = 0;
  for (const auto& task : tasks) cancelled += task.Cancel(cause) ? 1U : 0U;
  return cancelled;
}

}  // namespace orchestrate::inline v1
