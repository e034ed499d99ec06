#include <orchestrate/task/detail/mirror.hpp>

namespace orchestrate::inline v1::detail {

bool AddMirroredWaiter(TaskCore& task, ContextNode& parent, Waiter& waiter) noexcept {
  if (task.IsTerminal()) return false;
  try {
    const Task<void> mirror = MakeMirror<void>(task, parent);
    return AddWaiter(TaskAccess::Core(mirror), waiter);
  } catch (...) {
    return AddWaiter(task, waiter);
  }
}

}  // namespace orchestrate::inline v1::detail
