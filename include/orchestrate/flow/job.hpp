#pragma once

#include <cstddef>

#include <orchestrate/flow/detail/job_core.hpp>
#include <orchestrate/flow/progress.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

namespace detail {
struct JobAccess;
}

/// Refers to what a verb over many tasks does: a `Task<void>` that also counts.
///
/// The counters may be read at any time, also after the end; what does not apply to a verb stays 0.
/// `Cancel` ends the context of all its tasks; `Wait` returns when the last of them has left.
class [[nodiscard("Job: keep the handle to learn how it ends, or cast to void")]] Job : public Task<void> {
 public:
  /// Makes an empty handle.
  Job() noexcept = default;

  /// Returns how many tasks have ended, the failed ones included.
  [[nodiscard]] std::size_t Done() const noexcept { return GetProgress().done; }

  /// Returns how many of them, or how many runs, failed or were cancelled.
  [[nodiscard]] std::size_t Failures() const noexcept { return GetProgress().failures; }

  /// Returns how many tasks were admitted and have not ended.
  [[nodiscard]] std::size_t Running() const noexcept { return GetProgress().running; }

  /// Returns how many tasks there are; 0 while a `Consume` cannot know how many will come.
  [[nodiscard]] std::size_t Total() const noexcept { return GetProgress().total; }

  /// Returns done, failures, running and total together.
  ///
  /// @par Complexity  O(concurrency).
  [[nodiscard]] Progress GetProgress() const noexcept {
    return core_ != nullptr ? detail::ProgressOf(Core()) : Progress{};
  }

  /// Returns how often a repeat has called its action.
  [[nodiscard]] std::size_t Runs() const noexcept { return Count(&detail::JobState::runs); }

  /// Returns how many ticks a repeat has skipped.
  [[nodiscard]] std::size_t Missed() const noexcept { return Count(&detail::JobState::missed); }

  /// Returns the error of the task or run that failed last, empty while none has.
  [[nodiscard]] Error LastError() const noexcept {
    return core_ != nullptr ? Core().state_of_job.LastError() : Error();
  }

 private:
  friend struct detail::JobAccess;
  explicit Job(Task<void> task) noexcept : Task<void>(std::move(task)) {}

  [[nodiscard]] detail::JobCore& Core() const noexcept { return static_cast<detail::JobCore&>(*core_); }
  [[nodiscard]] std::size_t Count(sync::atomic<std::size_t> detail::JobState::*counter) const noexcept {
    return core_ != nullptr ? (Core().state_of_job.*counter).load(sync::memory_order_relaxed) : 0;
  }
};

namespace detail {

struct JobAccess {
  // Takes over a reference.
  static Job Take(JobCore& core) noexcept { return Job(TaskAccess::Take<void>(core)); }
};

// A job that has failed at birth: a bad argument.
[[nodiscard]] ORCHESTRATE_API Job MakeFailedJob(Error error, const Where& where);

}  // namespace detail
}  // namespace orchestrate::inline v1
