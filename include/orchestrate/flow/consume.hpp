#pragma once

#include <iterator>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include <orchestrate/base/function.hpp>
#include <orchestrate/flow/concurrency.hpp>
#include <orchestrate/flow/detail/crew_block.hpp>
#include <orchestrate/flow/job.hpp>
#include <orchestrate/flow/job_options.hpp>
#include <orchestrate/sync/channel.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {

// Takes the task out of an item of a channel, whose place is raw memory afterwards. Null for an empty handle.
using ExtractFn = TaskCore* (*)(void* item) noexcept;
// Gives the next task with a reference, null for an empty handle; false at the end. One call at a time.
using PullFn = Function<bool(Context& context, TaskCore*& core)>;

[[nodiscard]] ORCHESTRATE_API Job ConsumeChannel(const Where& where, Concurrency count, ChannelCore& channel,
                                                 ExtractFn extract, ConsumeOptions&& options);
[[nodiscard]] ORCHESTRATE_API Job ConsumePulled(const Where& where, Concurrency count, PullFn&& pull,
                                                std::size_t total, JobOptions&& options);

template <class T>
inline constexpr bool kIsTaskChannel = false;
template <class T>
inline constexpr bool kIsTaskChannel<Channel<Task<T>>> = true;

template <class R>
inline constexpr bool kIsOptionalTask = false;
template <class T>
inline constexpr bool kIsOptionalTask<std::optional<T>> = std::is_base_of_v<TaskHandle, T>;

template <class F>
inline constexpr bool kIsGenerator = false;
template <class F>
  requires kIsWork<F>
inline constexpr bool kIsGenerator<F> = kIsOptionalTask<std::remove_cvref_t<RawOf<F>>>;

template <class T>
TaskCore* ExtractTask(void* item) noexcept {
  auto* task = static_cast<Task<T>*>(item);
  TaskCore* core = TaskAccess::Release(*task);
  std::destroy_at(task);
  return core;
}

template <class T>
Job StartConsume(const Where& where, Concurrency count, const Channel<Task<T>>& channel,
                 ConsumeOptions&& options) {
  return ConsumeChannel(where, count, ChannelAccess::Core(channel), ExtractTask<T>, std::move(options));
}

template <class F>
  requires kIsGenerator<std::decay_t<F>>
Job StartConsume(const Where& where, Concurrency count, F&& generator, JobOptions&& options) {
  PullFn pull;
  if (!IsEmptyCallable(generator)) {
    pull = [fn = std::forward<F>(generator)](Context& context, TaskCore*& core) mutable {
      auto task = [&] {
        if constexpr (kTakesContext<std::decay_t<F>>) {
          return fn(context);
        } else {
          return (void)context, fn();
        }
      }();
      if (!task) return false;
      core = TaskAccess::Release(*task);
      return true;
    };
  }
  return ConsumePulled(where, count, std::move(pull), 0, std::move(options));
}

// A range and how far it was consumed; it stays where it is once that has begun.
template <class R>
struct PulledRange {
  explicit PulledRange(R&& all) : range(std::move(all)) {}
  explicit PulledRange(const R& all) : range(all) {}
  bool operator()(Context& /*context*/, TaskCore*& core) {
    if (!at) at.emplace(std::begin(range));
    if (*at == std::end(range)) return false;
    auto task = [this]() -> TaskOf<R> {
      // A container holds handles of its own; a view shows somebody else's.
      if constexpr (requires { typename R::allocator_type; }) {
        return std::move(**at);
      } else {
        return **at;
      }
    }();
    ++*at;
    core = TaskAccess::Release(task);
    return true;
  }
  R range;
  std::optional<decltype(std::begin(std::declval<R&>()))> at;
};

template <class R>
  requires(TaskRange<R> && !kIsGenerator<std::decay_t<R>>)
Job StartConsume(const Where& where, Concurrency count, R&& range, JobOptions&& options) {
  using Range = std::remove_cvref_t<R>;
  std::size_t total = 0;
  if constexpr (requires { std::size(range); }) total = static_cast<std::size_t>(std::size(range));
  auto pulled = std::make_unique<PulledRange<Range>>(std::forward<R>(range));
  return ConsumePulled(
      where, count, [state = std::move(pulled)](Context& c, TaskCore*& core) { return (*state)(c, core); },
      total, std::move(options));
}

template <class S>
concept TaskSource = kIsTaskChannel<std::remove_cvref_t<S>> || kIsGenerator<std::decay_t<S>> || TaskRange<S>;

}  // namespace detail

/// Takes tasks from `source` and runs them, at most `count` at a time, until there are no more; returns at
/// once.
///
/// @param count    0 or below = one for each worker; at most 65536, and `Unlimited()` means 1024 here.
/// @param source   a `Channel<Task<T>>`, until it is closed and empty; or a function `()` or `(Context&)`
/// that returns
///                 `std::optional<Task<T>>`, until that is empty, never called by two at once; or any range
///                 of `Task<T>`, which is moved or copied and walked once. A task that was started before is
///                 not run again: it takes its turn until it has ended. Empty handles are skipped.
/// @param options  what happens after a failure, a progress call-back, and whether the channel is closed when
///                 the job ends early: by default it stays open, and producers may wait for room for ever.
/// @return a job that ends when there are no more tasks and the last one has left. It fails with the joined
/// errors of
///         the first 16 failures and the count of all; the index of an error is the task's place in the order
///         of consumption. An exception of the function ends the job and is its error.
/// @par Errors        `InvalidArgument` in the handle for a `count` above 65536, an empty function, an
/// interval of 0
///                    or less; `ShutDown` when the executor takes no more work. Throws `std::bad_alloc`; then
///                    nothing was started.
/// @par Blocks        Never, and no worker while the channel is empty. Waiting for the job consumes on the
/// waiting
///                    thread when that can.
/// @par Cancellation  Of the job or its context: nothing more is taken, what runs sees its context end, what
/// was taken
///                    and not started is `Cancelled`, what is in the channel stays there. The outcome is the
///                    context's error, after the running tasks have left.
/// @par Complexity    O(1) a task without allocation; up to 200 bytes for each of `count`.
template <class Source>
Job Consume(const Where& where, Concurrency count, Source&& source, ConsumeOptions options = {}) {
  static_assert(detail::TaskSource<Source>,
                "Consume: the source is a Channel<Task<T>>, a range of Task<T> or a function to "
                "optional<Task<T>>");
  return detail::StartConsume(where, count, std::forward<Source>(source), std::move(options));
}
/// Consumes tasks on the default runtime.
template <class Source>
Job Consume(Concurrency count, Source&& source, ConsumeOptions options = {},
            std::source_location location = detail::Here()) {
  return Consume(Where(location), count, std::forward<Source>(source), std::move(options));
}

}  // namespace orchestrate::inline v1
