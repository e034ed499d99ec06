#include <orchestrate/flow/detail/pause.hpp>

namespace orchestrate::inline v1::detail {

Error Pause::Start(TaskCore& task, WorkNode& next, TimePoint until) noexcept {
  core = &task;
  step = &next;
  parties.Reset();
  try {
    Begin(until);
  } catch (...) {
    Leave();
    return Error::FromCurrentException();
  }
  PostSecond();
  return {};
}

Error Pause::Finish() noexcept {
  Leave();
  if (!was_shut_down) return {};
  return Error(Errc::Cancelled).WithCause(Errc::ShutDown);
}

}  // namespace orchestrate::inline v1::detail
