#include <orchestrate/flow/detail/pause.hpp>

namespace orchestrate::inline v1::detail {

Error Pause::Start(TaskCore& task, WorkNode& next, TimePoint until) noexcept {
  core = &task;
  step = &next;
  owner_flag.store(false, std::memory_order_relaxed);
  is_pending = true;
  ExecutorAccess::AddPending(ExecutorOf(*core));
  try {
    Begin(until);
  } catch (...) {
    (void)Finish();
    return Error::FromCurrentException();
  }
  PostSecond();
  return {};
}

Error Pause::Finish() noexcept {
  if (std::exchange(is_pending, false)) ExecutorAccess::RemovePending(ExecutorOf(*core));
  if (!was_shut_down) return {};
  return Error(Errc::Cancelled).WithCause(Errc::ShutDown);
}

}  // namespace orchestrate::inline v1::detail
