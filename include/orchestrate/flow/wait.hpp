#pragma once

#include <chrono>
#include <cstddef>
#include <utility>
#include <vector>

#include <orchestrate/base/result.hpp>
#include <orchestrate/flow/detail/crew_block.hpp>
#include <orchestrate/task/task.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

namespace detail {

using Cores = std::vector<TaskCore*>;  // borrowed; null = an empty handle

template <TaskRange Tasks>
Cores CoresOf(const Tasks& tasks) {
  Cores cores;
  if constexpr (requires { std::size(tasks); }) cores.reserve(static_cast<std::size_t>(std::size(tasks)));
  for (const auto& task : tasks) cores.push_back(TaskAccess::Core(static_cast<const TaskHandle&>(task)));
  return cores;
}

// Collects what failed, by index.
class ErrorCollector {
 public:
  void Add(Error error) {
    const std::size_t index = total_++;
    if (error) parts_.push_back({.index = index, .error = std::move(error)});
  }
  [[nodiscard]] Error Take() noexcept { return Error::Join(std::move(parts_), {.failures = 0, .total = total_}); }

 private:
  std::vector<IndexedError> parts_;
  std::size_t total_ = 0;
};

[[nodiscard]] ORCHESTRATE_API TimePoint DeadlineFor(const Cores& cores, Nanoseconds timeout) noexcept;
[[nodiscard]] ORCHESTRATE_API Error WaitAllUntil(const Cores& cores, TimePoint deadline);
[[nodiscard]] ORCHESTRATE_API Result<std::size_t> WaitForAny(const Cores& cores);

}  // namespace detail

/// Waits for every task in `tasks`, also after the first failure.
///
/// @param tasks  any range of `Task<T>`; empty handles are skipped.
/// @return the errors with their index, in the order of `tasks`; no error when all completed.
/// @par Blocks        The calling thread until the last one ends; inside a task it runs what it waits for, or gives
///                    its worker away.
/// @par Cancellation  Cancels nothing. A cancelled task is reported as `Errc::Cancelled`.
/// @par Complexity    O(n), no allocation unless something failed.
template <TaskRange Tasks>
[[nodiscard]] Error WaitAll(const Tasks& tasks) {
  detail::ErrorCollector errors;
  for (const auto& task : tasks) errors.Add(task ? task.Wait() : Error());
  return errors.Take();
}

/// Waits for several tasks of any types, as for a range.
template <class... Ts>
[[nodiscard]] Error WaitAll(const Task<Ts>&... tasks) {
  detail::ErrorCollector errors;
  (errors.Add(tasks ? tasks.Wait() : Error()), ...);
  return errors.Take();
}

/// Waits for every task in `tasks`, at most for `timeout` altogether.
///
/// @return as `WaitAll`; `DeadlineExceeded`, with how many have not ended, when the time is up first.
/// @par Blocks        Until then; it runs no task itself.
/// @par Cancellation  Cancels nothing: tasks that have not ended go on.
template <TaskRange Tasks, class Rep, class Period>
[[nodiscard]] Error WaitAllFor(const Tasks& tasks, std::chrono::duration<Rep, Period> timeout) {
  const detail::Cores cores = detail::CoresOf(tasks);
  return detail::WaitAllUntil(cores, detail::DeadlineFor(cores, SaturatingNanoseconds(timeout)));
}

/// Waits until the first of `tasks` has ended, however.
///
/// @return its index: the lowest one when several have ended already. `InvalidArgument` when there is no task among
///         the handles, `NotStarted` when none of them can ever end.
/// @par Blocks        Until then; it runs no task itself, and inside a task gives its worker away.
/// @par Cancellation  Cancels nothing.
/// @par Complexity    O(n), one allocation.
template <TaskRange Tasks>
[[nodiscard]] Result<std::size_t> WaitAny(const Tasks& tasks) {
  return detail::WaitForAny(detail::CoresOf(tasks));
}

/// Cancels every task in `tasks`; empty handles are skipped.
///
/// @return how many of the calls won.
/// @par Blocks  Never.
template <TaskRange Tasks>
std::size_t CancelAll(const Tasks& tasks, const Error& cause = Errc::Cancelled) noexcept {
  std::size_t won = 0;
  for (const auto& task : tasks) won += task.Cancel(cause) ? 1U : 0U;
  return won;
}

}  // namespace orchestrate::inline v1
