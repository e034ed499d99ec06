#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include <orchestrate/base/function.hpp>
#include <orchestrate/flow/progress.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

/// Says what a verb over many tasks does when one of them fails.
enum class OnError : std::uint8_t {
  Continue,  ///< Runs the others all the same.
  Stop       ///< Cancels the others: what was not started never is, what runs sees its context end.
};

/// How a verb over many tasks goes about them.
///
/// The progress call-back is called on the executor, one call at a time, after each interval that has passed
/// since the last call and once at the end, before the job is done. It never runs inside a call that
/// completes a task.
struct JobOptions {
  OnError on_error = OnError::Continue;
  Function<void(const Progress&)> progress;               ///< Empty = none.
  Nanoseconds interval = std::chrono::milliseconds(100);  ///< Between two reports; more than 0.

  JobOptions() noexcept = default;
  JobOptions(OnError what_on_error) noexcept : on_error(what_on_error) {}  // NOLINT: (…, OnError::Stop)

  /// Adds a progress call-back, called every `every` at most.
  template <class F, class Rep = std::int64_t, class Period = std::milli>
  [[nodiscard]] JobOptions WithProgress(
      F&& call_back, std::chrono::duration<Rep, Period> every = std::chrono::milliseconds(100)) && {
    progress = std::forward<F>(call_back);
    interval = IsNotANumber(every) ? Nanoseconds::min() : SaturatingNanoseconds(every);
    return std::move(*this);
  }
};

using InvokeAllOptions = JobOptions;

/// Says what a `Consume` does with its channel when it ends before that is closed and empty.
enum class EarlyEnd : std::uint8_t {
  LeavesOpen,  ///< Another one may go on with what is inside.
  Closes       ///< Those that send get `Closed`; what is inside can still be received.
};

/// How `Consume` goes about its tasks: `JobOptions`, and what becomes of the channel.
struct ConsumeOptions : JobOptions {
  EarlyEnd early_end = EarlyEnd::LeavesOpen;  ///< Of no effect when the source is no channel.

  ConsumeOptions() noexcept = default;
  ConsumeOptions(JobOptions&& options) noexcept : JobOptions(std::move(options)) {}  // NOLINT: converts
  ConsumeOptions(OnError what_on_error, EarlyEnd what_early_end = EarlyEnd::LeavesOpen) noexcept
      : JobOptions(what_on_error), early_end(what_early_end) {}                    // NOLINT: as JobOptions
  ConsumeOptions(EarlyEnd what_early_end) noexcept : early_end(what_early_end) {}  // NOLINT: as JobOptions

  /// Adds a progress call-back, called every `every` at most.
  template <class F, class Rep = std::int64_t, class Period = std::milli>
  [[nodiscard]] ConsumeOptions WithProgress(
      F&& call_back, std::chrono::duration<Rep, Period> every = std::chrono::milliseconds(100)) && {
    progress = std::forward<F>(call_back);
    interval = IsNotANumber(every) ? Nanoseconds::min() : SaturatingNanoseconds(every);
    return std::move(*this);
  }
};

}  // namespace orchestrate::inline v1
