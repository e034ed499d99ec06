#pragma once

#include <orchestrate/task/detail/task_core.hpp>

// How the end of a context reaches the tasks below it whose body is on no thread: queued, attached, pending.
//
// Nothing is pushed down to a task as long as nothing can tell the difference (docs/adr/0001). A caller that
// looks at such a task ends it when its context has ended. From its first waiter on, a task follows its
// context: it is linked there, and the thread that ends the context ends the task, too.
namespace orchestrate::inline v1::detail {

// Ends a scope; false when it has ended before.
ORCHESTRATE_API bool EndScope(ContextNode& node, Error cause) noexcept;
// Publishes that `node`, whose kEnded flag was just set, has ended: epoch, then everything linked below it.
ORCHESTRATE_API void PublishEnd(ContextNode& node) noexcept;

// Links `task`, which has no body on a thread, into `parent`, so that EndBound() is called when that ends.
// False when `parent` is not its parent any more. Throws std::bad_alloc.
ORCHESTRATE_API bool TieTask(TaskCore& task, ContextNode& parent);
// Ties `node`, of which nothing below is linked yet, to `to` instead of its child `from`, if it is tied to
// that.
ORCHESTRATE_API void MoveTie(ContextNode& node, ContextNode& from, ContextNode& to) noexcept;
// Forgets the links of a node that is being destroyed.
ORCHESTRATE_API void DestroyLinks(ContextNode& node) noexcept;

// Returns true when no thread runs the body of a task in this state, though it was started or attached.
[[nodiscard]] inline bool IsBodiless(std::uint32_t state) noexcept {
  const auto phase = state & ContextNode::kPhaseMask;
  return (phase > kAdopting && phase < kRunning) ||
         (phase == kRunning && (state & ContextNode::kNoBody) != 0);
}

// The context of a bodiless task has ended because of `cause`: ends it, unless it sees to that itself.
ORCHESTRATE_API void EndBound(TaskCore& core, const Error& cause) noexcept;

// What a body's end in an ended context is: what ended that, with the body's own error as its cause when that
// says something else.
[[nodiscard]] ORCHESTRATE_API Error EndWithOwn(const Error& ended, const Error& own) noexcept;

// Has EndBound() called when the context of `core` ends; at once when it has. Does nothing for a task whose
// body is on a thread: it is done when that has left and `kFollows` is set. Without memory the task is ended
// by the next look at it.
ORCHESTRATE_API void FollowContext(TaskCore& core) noexcept;

// Keeps a bodiless task from changing its parent until Unpin(); false when it is not bodiless.
ORCHESTRATE_API bool TryPin(TaskCore& core) noexcept;

}  // namespace orchestrate::inline v1::detail
