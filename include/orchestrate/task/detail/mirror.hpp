#pragma once

#include <orchestrate/task/task.hpp>

// A mirror is a task without a body that ends as another task does, or together with a context: so that what
// waits for a task that it did not start ends with its own context.
namespace orchestrate::inline v1::detail {

// Makes a mirror of `task`, which holds a T or, for void, anything, below `parent`; throws std::bad_alloc.
template <class T>
Task<T> MakeMirror(TaskCore& task, ContextNode& parent) {
  const auto mirror = TaskAccess::Take<T>(MakeBlock<T, NoBody>(SiteOf(task), 1));
  auto& core = TaskAccess::Core(mirror);
  Adopt(core, parent);
  core.state.store(kRunning | ContextNode::kFollows, sync::memory_order_relaxed);
  auto& node = FlattenNode<T>::Make(core, task);
  (void)node.dependency.Begin(core, task);  // nothing waits for the mirror yet
  (void)StartFollowing(core, node);
  return mirror;
}

// The same for void; an empty handle without memory.
Task<void> TryMakeMirror(TaskCore& task, ContextNode& parent) noexcept;

// Adds a waiter to a mirror of `task` below `parent`, without memory to the task itself; false when that has
// ended already.
[[nodiscard]] bool AddMirroredWaiter(TaskCore& task, ContextNode& parent, Waiter& waiter) noexcept;

}  // namespace orchestrate::inline v1::detail
