#include <orchestrate/flow/detail/pause.hpp>

#include "exec/scheduling.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {

Error Pause::Start(TaskCore& task, WorkNode& next, TimePoint until, const char* verb) noexcept {
  core = &task;
  step = &next;
  parties.Reset();
  const RuntimeCore* runtime = LastingRuntimeOf(task);
  if (runtime != nullptr && IsDraining(*runtime) && !IsAwaited()) return ShutDownCancel();
  if (timers == nullptr) {
    Executor& executor = ExecutorOf(task);
    if (executor.IsRunning()) {
      if (Error none = TimersFailure(executor, verb)) return none;
    }
    timers = &executor.Timers();  // before the link, which uses them
  }
  if (!is_linked) {
    try {
      is_linked = AddLink(task, *this);
    } catch (...) {
      return Error::FromCurrentException();
    }
    if (!is_linked) until = TimePoint::min();  // it has ended
  }
  timers->AddPending();
  is_pending = true;
  Arm(until);
  PostSecond();
  return {};
}

void Pause::PostSecond() noexcept {
  if (parties.Leave()) PostStepBelow(*core, *step);
}

bool Pause::IsAwaited() const noexcept { return core->waiters.HasNodes() || IsOfBody(*core); }

Error Pause::Finish() noexcept {
  if (std::exchange(is_pending, false)) timers->RemovePending();
  return was_shut_down ? ShutDownCancel() : Error();
}

Error Pause::ShutDownCancel() const noexcept {
  return Error(Errc::Cancelled).WithCause(ShutDownError(*core));
}

}  // namespace orchestrate::inline v1::detail
