#pragma once

#include <orchestrate/base/function.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/exec/work.hpp>
#include <orchestrate/flow/progress.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1::detail {

class Crew;

// Calls a progress call-back from time to time, and a last time when the crew has left; then it finishes the
// crew. At any moment either the timer is armed, or the reporter is posted or running, or (shut down)
// neither.
class ProgressReporter : WorkNode, Timer {
 public:
  ProgressReporter(Crew& crew, Function<void(const Progress&)> call_back, Nanoseconds interval) noexcept;

  void Start() noexcept;
  // The crew has left: makes the last call and then Crew::Finish().
  void Last() noexcept;

 private:
  static void RunPosted(WorkNode& node) noexcept;
  static void DropPosted(WorkNode& node) noexcept;
  static void Expired(Timer& timer, TimerEvent event) noexcept;
  static constexpr WorkOps kOps{RunPosted, DropPosted};

  void Call() noexcept;
  void Arm() noexcept;  // the lock is held

  Crew& crew_;
  Function<void(const Progress&)> call_back_;
  const Nanoseconds interval_;
  Mutex mutex_;
  bool last_ = false;     // under mutex_
  bool calling_ = false;  // under mutex_: posted or running
  bool stopped_ = false;  // under mutex_: there are no timers any more
};

}  // namespace orchestrate::inline v1::detail
