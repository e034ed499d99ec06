#pragma once

#include <orchestrate/exec/executor.hpp>
#include <orchestrate/task/detail/context_node.hpp>
#include "base/rundown.hpp"

namespace orchestrate::inline v1::detail {

// The root of everything that runs on one executor. It outlives the executor while handles are left, and
// keeps the memory of a runtime that has stopped: a thread may still be on its way out of a wait there.
struct RootNode final : ScopeNode, Attachment {
  // `base` is the root of the executor that `owner` runs on, or null.
  RootNode(Executor& owner, ContextNode* base) noexcept;
  void CancelAll() noexcept override;
  void ExecutorEnded() noexcept override;
  void Keep(Executor& owner) noexcept override;
  void Describe(const void* frame, Report& report) noexcept override;

  Rundown users;  // of an executor that is no runtime: one of those stays in memory anyhow
  Executor* kept = nullptr;
};

// The executor of a node, which cannot be destroyed as long as this lives: the end of a task may be seen, and
// its executor go, before the call that posted it has returned.
class ExecutorUse {
 public:
  explicit ExecutorUse(const ContextNode& node) noexcept;
  ExecutorUse(const ExecutorUse&) = delete;
  ExecutorUse& operator=(const ExecutorUse&) = delete;
  ~ExecutorUse();

  [[nodiscard]] Executor& operator*() const noexcept { return *executor_; }
  [[nodiscard]] Executor* operator->() const noexcept { return executor_; }

 private:
  RootNode* root_;  // null on a worker of the runtime that it is
  Executor* executor_;
  bool is_inside_ = false;
};

// Says that the runtime below `node`, or another executor, takes no more work: a sentence for verbs, and the
// cause of what it has cancelled.
[[nodiscard]] Error ShutDownError(const ContextNode& node) noexcept;
// As PostBelow(), but behind everything that the calling worker has queued, or although all workers are busy.
void PostLastBelow(const ContextNode& node, WorkNode& work) noexcept;
// For the next step of what has begun: no worker need come to it when the context has ended.
void PostStepBelow(TaskCore& core, WorkNode& step) noexcept;
void PostUrgentBelow(const ContextNode& node, WorkNode& work) noexcept;

// The time by the clock of the executor at the bottom.
[[nodiscard]] TimePoint NowBelow(const ContextNode& node) noexcept;

// Nearly every task holds a reference to its root, so each thread keeps a stock of them and touches the
// shared count once in a few hundred times.
void RefRoot(RootNode& root, std::uint32_t count) noexcept;
void UnrefRoot(RootNode& root, std::uint32_t count) noexcept;

}  // namespace orchestrate::inline v1::detail
