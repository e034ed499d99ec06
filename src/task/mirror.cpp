#include <orchestrate/task/detail/mirror.hpp>

namespace orchestrate::inline v1::detail {

Task<void> TryMakeMirror(TaskCore& task, ContextNode& parent) noexcept {
  try {
    return MakeMirror<void>(task, parent);
  } catch (...) {
    return {};
  }
}

bool AddMirroredWaiter(TaskCore& task, ContextNode& parent, Waiter& waiter) noexcept {
  if (task.IsTerminal()) return false;
  const Task<void> mirror = TryMakeMirror(task, parent);
  return AddWaiter(mirror ? TaskAccess::Core(mirror) : task, waiter);
}

}  // namespace orchestrate::inline v1::detail
