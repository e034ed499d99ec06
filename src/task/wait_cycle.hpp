#pragma once

#include <orchestrate/task/detail/task_core.hpp>

#include "task/wait_table.hpp"

namespace orchestrate::inline v1::detail {

// A wait without a bound, by a thread that runs bodies. Waits that depend on each other in a cycle are found
// by the one that closes it.
//
// Each wait enters itself in the record of its thread first and searches then, so of two that close a cycle
// together at least one sees it. The search follows, from what is waited for, every dependency that the
// library knows: running bodies to the waits of their threads, continuations to their predecessors, and the
// links of the table. It visits each once, and locks one record or one part of the table at a time. That a
// cycle is told once is decided under a lock for those that have found one.
class BlockedWait {
 public:
  explicit BlockedWait(ThreadWait& sleeper) noexcept : sleeper_(sleeper) {}
  BlockedWait(const BlockedWait&) = delete;
  BlockedWait& operator=(const BlockedWait&) = delete;
  ~BlockedWait() { Leave(); }

  // Enters the wait of the calling thread; `WouldDeadlock` when it can never end. The caller is in the
  // targets' lists of waiters already.
  [[nodiscard]] Error Enter(const WaitTargets& targets) noexcept;
  // The same for a thread that cannot leave without the piece: another wait of the cycle is told.
  void EnterPiece(const ForkPiece& piece) noexcept;
  // Before the thread runs anything.
  void Leave() noexcept;

 private:
  [[nodiscard]] bool Publish(const WaitTargets& targets) noexcept;

  ThreadWait& sleeper_;
  WaitRecord* record_ = nullptr;
  std::uint64_t number_ = 0;  // 0: not entered
};

// The targets that are one task, which lives as long as the wait.
[[nodiscard]] WaitTargets TargetsOf(TaskCore& core) noexcept;

// Whether `waiter` is a thread that runs no body: nothing depends on it.
[[nodiscard]] bool IsOutsider(const Waiter& waiter) noexcept;

// Whether `core` cannot end before a body of the calling thread has left: its own, or that of a task which it
// admitted.
[[nodiscard]] bool Keeps(const Frame* frames, const TaskCore& core) noexcept;

// Whether `core` is queued behind one of `frames`, or a job whose tasks are: an executor that runs one thing
// at a time begins nothing until the body that it runs has left.
[[nodiscard]] bool IsBehind(const Frame* frames, const TaskCore& core) noexcept;

// Whether one of `frames` is a body that keeps the executor of `root` busy.
[[nodiscard]] bool WorksOn(const Frame* frames, const ContextNode& root) noexcept;

}  // namespace orchestrate::inline v1::detail
