#pragma once

#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/task/detail/task_core.hpp>

#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

// A wait without a bound, by a thread that runs bodies. Tasks that wait for each other in a circle are found
// by the one that closes it. All such waits are in one list under one lock: to block costs a hundred times as
// much.
//
// Known are tasks whose bodies run, continuations of those, jobs that admitted them, and what is behind such
// a body on an executor that runs one thing at a time. A circle through anything else (a channel, a lock, a
// task that a body returned, a wait for any of several) is not found.
class BlockedWait : public ListNode<> {
 public:
  BlockedWait() noexcept = default;
  BlockedWait(const BlockedWait&) = delete;
  BlockedWait& operator=(const BlockedWait&) = delete;
  ~BlockedWait();

  // Enters the wait of the calling thread for `core`; `WouldDeadlock` when that could never end.
  Error Enter(const TaskCore& core) noexcept;

 private:
  const Frame* frames_ = nullptr;
  const TaskCore* on_ = nullptr;
};

// Whether the body of `core` is one of `frames`.
[[nodiscard]] bool RunsIn(const Frame* frames, const TaskCore* core) noexcept;

// Whether `core` is queued behind one of `frames`, or a job whose tasks are: an executor that runs one thing
// at a time begins nothing until the body that it runs has left.
[[nodiscard]] bool IsBehind(const Frame* frames, const TaskCore& core) noexcept;

// Whether `core` cannot end before a body of `frames` has left: its own, or that of a task which it admitted.
[[nodiscard]] bool Keeps(const Frame* frames, const TaskCore& core) noexcept;

// Whether one of `frames` is a body bound to the executor of `root`.
[[nodiscard]] bool WorksOn(const Frame* frames, const ContextNode& root) noexcept;

}  // namespace orchestrate::inline v1::detail
