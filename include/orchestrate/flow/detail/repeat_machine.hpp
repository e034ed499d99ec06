#pragma once

#include <orchestrate/flow/detail/job_core.hpp>
#include <orchestrate/flow/detail/pause.hpp>
#include <orchestrate/flow/detail/random.hpp>
#include <orchestrate/flow/repeat_options.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1 {

class Job;

namespace detail {

[[nodiscard]] ORCHESTRATE_API Error CheckRepeat(const Where& where, Nanoseconds interval,
                                                const RepeatOptions& options);

// What a repeat does around its calls. It is always in one of three places: a step runs, or it pauses, or it
// follows the task that its function returned. The latter two begin with a step's last touch of this object,
// as the next step may come at once and finish the job.
struct ORCHESTRATE_API RepeatMachine : Waiter {
  RepeatMachine(Nanoseconds every, const RepeatOptions& how) noexcept;
  RepeatMachine(const RepeatMachine&) = delete;
  RepeatMachine& operator=(const RepeatMachine&) = delete;
  virtual ~RepeatMachine();

  // Calls the user's function; false when it returned a task that has not ended.
  virtual bool Act(Error& error) = 0;

  // By Act(): true with its error when `task` has ended; else a step follows its end. Throws std::bad_alloc.
  [[nodiscard]] bool Follow(const TaskHandle& task, Error& error);

  void Step() noexcept;
  void Drop() noexcept;
  void CallOnce() noexcept;
  void Done(const Error& error) noexcept;
  [[nodiscard]] TimePoint NextDue(TimePoint now) noexcept;
  void PauseUntil(TimePoint due) noexcept;
  static TaskCore* OnFollowedEnd(Waiter& waiter, TaskCore& task, Notice notice) noexcept;
  // Ends the job: cancelled with `error`, else failed with `failure`, else completed.
  void Finish(const Error& error, Error failure = {}) noexcept;

  JobCore* job = nullptr;
  const Nanoseconds interval;
  const RepeatOptions options;
  Random random;
  TimePoint tick{};  // when the current tick was due, without jitter
  std::size_t failures_in_a_row = 0;
  Pause pause;
  bool follows = false;
  Dependency dependency;  // meanwhile
  Error followed_error;
};

// Begins the job whose body is `machine`; takes over both references of `core`.
[[nodiscard]] ORCHESTRATE_API Job StartRepeat(JobCore& core, RepeatMachine& machine, const Where& where);

}  // namespace detail
}  // namespace orchestrate::inline v1
