#pragma once

#include <utility>

#include <orchestrate/flow/detail/nap.hpp>
#include <orchestrate/task/detail/task_core.hpp>

namespace orchestrate::inline v1::detail {

// The pause of a state machine between two steps: it holds no worker, counts as pending work, and posts the
// next step when its time has come, or at once when the task is cancelled or its context ends. The context
// knows of it from the first pause to Close(), so that a pause costs no entry of its own.
struct Pause : Nap<Pause> {
  [[nodiscard]] ContextNode& NapContext() noexcept { return *core; }
  [[nodiscard]] TimerService*& NapTimers() noexcept { return timers; }

  [[nodiscard]] bool IsAwaited() const noexcept;

  void OnWake(TimerEvent event) noexcept {
    was_shut_down = event == TimerEvent::ShutDown;
    PostSecond();
  }

  // Pauses `task` of the verb `verb`, whose next step is `next`. It may run, and end everything, before this
  // returns; only an error means that it will not.
  [[nodiscard]] Error Start(TaskCore& task, WorkNode& next, TimePoint until, const char* verb) noexcept;

  // By the step, first of all: an error when the timers were stopped.
  [[nodiscard]] Error Finish() noexcept;

  // By the last step, before it ends the task.
  void Close() noexcept {
    if (std::exchange(is_linked, false)) RemoveLink(*core, *this);
  }

  // The later of Start() and OnWake(), so that no step runs while the other still touches this object.
  void PostSecond() noexcept;

  [[nodiscard]] Error ShutDownCancel() const noexcept;

  TaskCore* core = nullptr;
  WorkNode* step = nullptr;
  TimerService* timers = nullptr;  // from the first pause on
  bool is_linked = false;
  bool is_pending = false;
  bool was_shut_down = false;
};

}  // namespace orchestrate::inline v1::detail
