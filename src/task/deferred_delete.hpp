#pragma once

#include <vector>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/thread_state.hpp"

// Destroying the block or the callable of a task runs code of the user, which may wait for, complete, cancel
// and drop anything. So it happens neither inside a loop that tells waiters or ends the tasks of a context
// nor inside another destructor, but after the outermost of these on the same thread; a destructor that
// blocks has the rest destroyed first, as what it waits for may depend on that. The library's own threads
// hand the work to a worker.
namespace orchestrate::inline v1::detail {

struct DeferredDeletes {
  TaskCore* dead = nullptr;      // blocks without a reference
  TaskCore* uncalled = nullptr;  // ended tasks with a callable, each with a reference
  // The same, and ended tasks that an observer has not heard of. A stale entry of theirs may still lie in a
  // queue, which has their link.
  std::vector<TaskCore*> callables;
  std::vector<TaskCore*> unnoted;
};

// Around code that must not be interrupted by code of the user.
class DeferralScope {
 public:
  DeferralScope() noexcept : is_outermost_(t_thread.deferred == nullptr) {
    if (is_outermost_) t_thread.deferred = &lists_;
  }
  DeferralScope(const DeferralScope&) = delete;
  DeferralScope& operator=(const DeferralScope&) = delete;
  ~DeferralScope() {
    if (is_outermost_) Finish();
  }

 private:
  void Finish() noexcept;

  DeferredDeletes lists_;
  const bool is_outermost_;
};

// Around a body that runs inside a wait: what it drops is not put off to the code that waits.
class FreshDeferral {
 public:
  FreshDeferral() noexcept : outer_(t_thread.deferred) { t_thread.deferred = nullptr; }
  FreshDeferral(const FreshDeferral&) = delete;
  FreshDeferral& operator=(const FreshDeferral&) = delete;
  ~FreshDeferral() { t_thread.deferred = outer_; }

 private:
  void* const outer_;
};

// Returns true when the calling thread has to put off code of the user.
[[nodiscard]] inline bool IsDeferring() noexcept {
  return t_thread.deferred != nullptr || t_thread.makers_signals != nullptr;
}

// Destroys a block that has no references.
void DeleteLater(TaskCore& core) noexcept;

// Destroys the callable of a task that has ended with `kUncalled` and lies in no queue, and gives up a
// reference.
void DiscardLater(TaskCore& core) noexcept;

// The same for one that may lie in a queue; the caller keeps its reference. Without memory the callable goes
// with the block.
void DiscardEntryLater(TaskCore& core) noexcept;

// Has the observer called for a task that has ended; at once without memory.
void NoteEndedLater(TaskCore& core) noexcept;

// The same as DiscardLater() at once, if the callable is still there: by the last user of the task's queue
// entry.
void DiscardCallable(TaskCore& core) noexcept;

// By a thread that is about to block: destroys what was put off so far.
void RunDeferred() noexcept;

}  // namespace orchestrate::inline v1::detail
