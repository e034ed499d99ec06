#pragma once

#include <source_location>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <orchestrate/base/result.hpp>
#include <orchestrate/flow/concurrency.hpp>
#include <orchestrate/flow/detail/crew_block.hpp>
#include <orchestrate/flow/job.hpp>
#include <orchestrate/flow/job_options.hpp>
#include <orchestrate/task/promise.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// The errors of the tasks in their order; those that are the same object or code as `left_out` are not
// listed.
[[nodiscard]] ORCHESTRATE_API Error JoinErrors(const TaskList& tasks, const Error& left_out) noexcept;

// `InvalidArgument` for options that cannot be. When the executor takes no more work, why: then the tasks end
// with that, too.
[[nodiscard]] ORCHESTRATE_API Error CheckBatch(const char* verb, const Where& where, const TaskList& tasks,
                                               const JobOptions& options);

[[nodiscard]] ORCHESTRATE_API Job StartJob(const Where& where, Concurrency count, TaskList&& tasks,
                                           JobOptions&& options);

// Starts the tasks below `owner`, a new CrewBlock whose crew lies at `place`. When it throws, nothing was
// started.
ORCHESTRATE_API void StartBatch(const char* verb, TaskCore& owner, Crew*& place, JobState* state,
                                const Where& where, Concurrency count, TaskList&& tasks, JobOptions&& options,
                                CollectFn collect);

template <class T>
Task<T> StartCollecting(const char* verb, const Where& where, Concurrency count, TaskList&& tasks,
                        JobOptions&& options, CollectFn collect) {
  if (Error error = CheckBatch(verb, where, tasks, options)) return MakeFailed<T>(std::move(error), where);
  auto& core = MakeCrewBlock<T>(where);
  auto task = TaskAccess::Take<T>(core);
  StartBatch(verb, core, core.crew, nullptr, where, count, std::move(tasks), std::move(options), collect);
  return task;
}

// The outcome of an ended task; the value is moved out when nobody else can read it.
template <class T>
Result<T> TakeOutcome(TaskCore& core) {
  auto& ended = static_cast<ValueCore<T>&>(core);
  if constexpr (!std::is_void_v<T> && std::is_copy_constructible_v<T> && std::is_move_constructible_v<T>) {
    const bool is_taken = (core.state.load(sync::memory_order_acquire) & ContextNode::kTaken) != 0;
    if (core.PhaseNow() == kCompleted && core.refs.load(sync::memory_order_acquire) == 1 && !is_taken) {
      return Result<T>(std::in_place, std::move(ended.value));
    }
  }
  return TaskAccess::Share(ended).Outcome();
}

template <class T>
void CollectResults(TaskCore& core, TaskList& tasks, BodyResult& result) {
  RunInto(static_cast<ValueCore<std::vector<Result<T>>>&>(core), result, [&tasks] {
    std::vector<Result<T>> outcomes;
    outcomes.reserve(tasks.entries.size());
    for (const BatchEntry& entry : tasks.entries) {
      if (entry.core != nullptr) {
        outcomes.push_back(TakeOutcome<T>(*entry.core));
      } else {
        outcomes.push_back(Error(Errc::InvalidArgument, "InvokeAllResults: the task handle is empty"));
      }
    }
    return outcomes;
  });
}

template <class T>
TuplePart<T> TakeValue(TaskCore& core) {
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return std::move(static_cast<ValueCore<T>&>(core).value);
  }
}

template <class... Ts>
void CollectTuple(TaskCore& core, TaskList& tasks, BodyResult& result) {
  if (Error error = JoinErrors(tasks, EndOf(core))) return Fail(result, std::move(error));
  using Tuple = std::tuple<TuplePart<Ts>...>;
  RunInto(static_cast<ValueCore<Tuple>&>(core), result,
          [&tasks]<std::size_t... I>(std::index_sequence<I...>) {
            return [&tasks] { return Tuple(TakeValue<Ts>(*tasks.entries[I].core)...); };
          }(std::index_sequence_for<Ts...>{}));
}

}  // namespace detail

/// Runs tasks, at most `count` at a time, and returns at once.
///
/// Tasks start in the order of the range. Those that were started before, by whomever, are not run again but
/// waited for, and do not count as running. Empty handles are skipped.
///
/// @param count    0 = all at once, below 0 = one for each worker.
/// @param tasks    any range of `Task<T>`; the handles are copied.
/// @param options  what happens after a failure, and a progress call-back.
/// @return a job that ends when the last task has left. It fails with the joined errors of the tasks that
/// failed or
///         were cancelled, in the order of `tasks`, each with its index. Where the context has ended, its
///         error is the outcome and the tasks' own failures are the cause.
/// @par Errors        `InvalidArgument` in the handle for an interval of 0 or less; `ShutDown` in the handle
/// and
///                    in the tasks when the executor takes no more work. Throws `std::bad_alloc`; then
///                    nothing was started.
/// @par Blocks        Never. Waiting for the job runs its tasks on the waiting thread when that can.
/// @par Cancellation  Of the job or its context: what runs sees its context end, what was not started never
/// is and
///                    becomes `Cancelled`. A context that has ended before: nothing is called.
/// @par Complexity    O(n), three allocations and 32 bytes a task. A task that waits for one of the same call
/// which
///                    was not started yet makes that one start, whatever `count` is.
template <TaskRange Tasks>
Job InvokeAll(const Where& where, Concurrency count, Tasks&& tasks, InvokeAllOptions options = {}) {
  return detail::StartJob(where, count, detail::ListOf(tasks), std::move(options));
}
/// Runs tasks on the default runtime.
template <TaskRange Tasks>
Job InvokeAll(Concurrency count, Tasks&& tasks, InvokeAllOptions options = {},
              std::source_location location = detail::Here()) {
  return detail::StartJob(Where(location), count, detail::ListOf(tasks), std::move(options));
}

/// Runs tasks as `InvokeAll` does, and yields the outcome of each.
///
/// @return a task whose value has as many elements as `tasks`, in their order; that of an empty handle is
///         `InvalidArgument`. It fails only when the context ends or memory is lacking.
template <TaskRange Tasks>
auto InvokeAllResults(const Where& where, Concurrency count, Tasks&& tasks, InvokeAllOptions options = {}) {
  using T = typename detail::TaskOf<Tasks>::ValueType;
  return detail::StartCollecting<std::vector<Result<T>>>(
      "InvokeAllResults", where, count, detail::ListOf(tasks), std::move(options), detail::CollectResults<T>);
}
/// Runs tasks on the default runtime, and yields the outcome of each.
template <TaskRange Tasks>
auto InvokeAllResults(Concurrency count, Tasks&& tasks, InvokeAllOptions options = {},
                      std::source_location location = detail::Here()) {
  return InvokeAllResults(Where(location), count, tasks, std::move(options));
}

/// Runs functions at the same time, and yields all their values.
///
/// @param fns  each as for `Invoke`.
/// @return a task whose value is a `std::tuple` with one element for each function, `std::monostate` for one
/// that
///         yields nothing. It fails with the joined errors of all that failed.
/// @par Errors  `InvalidArgument` among the errors for an empty function. Throws `std::bad_alloc`; then
/// nothing was
///              started.
template <class... Fs>
  requires(sizeof...(Fs) > 0 && (!std::is_convertible_v<Fs, Concurrency> && ...))
auto InvokeAll(const Where& where, Fs&&... fns) {
  static_assert((detail::kIsWork<std::decay_t<Fs>> && ...),
                "InvokeAll: the work must be callable as fn() or fn(Context&); before tasks stands how many "
                "may run at once");
  detail::TaskList tasks;
  tasks.entries.reserve(sizeof...(Fs));
  (tasks.Add(detail::MakeNew("InvokeAll", std::forward<Fs>(fns), Where(where.Location()))), ...);
  using Tuple = std::tuple<detail::TuplePart<detail::YieldOf<std::decay_t<Fs>>>...>;
  return detail::StartCollecting<Tuple>("InvokeAll", where, Concurrency::Unlimited(), std::move(tasks), {},
                                        detail::CollectTuple<detail::YieldOf<std::decay_t<Fs>>...>);
}

}  // namespace orchestrate::inline v1
