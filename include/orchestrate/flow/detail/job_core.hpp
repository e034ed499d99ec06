#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <source_location>
#include <utility>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/flow/progress.hpp>
#include <orchestrate/task/detail/task_block.hpp>
#include <orchestrate/task/where.hpp>

namespace orchestrate::inline v1::detail {

// What a job counts: written by its verb, read through the handles at any time, also after the end.
struct ORCHESTRATE_API JobState {
  // Counts a failure and keeps it as the last one.
  void NoteFailure(const Error& error) noexcept;
  [[nodiscard]] Error LastError() const noexcept;

  sync::atomic<std::size_t> done{0};
  sync::atomic<std::size_t> failures{0};
  sync::atomic<std::size_t> running{0};
  sync::atomic<std::size_t> total{0};
  sync::atomic<std::size_t> runs{0};
  sync::atomic<std::size_t> missed{0};

 private:
  mutable Mutex mutex_;
  Error last_error_;  // under mutex_
};

// The block of a job: a Task<void> that some state machine (its body) finishes with FinishJob().
struct JobCore : ValueCore<void> {
  using ValueCore<void>::ValueCore;
  // Adds up `done` and `running` of a verb that counts in several places; null: those in `state` are right.
  void (*count)(const JobCore&, Progress&) noexcept = nullptr;
  JobState state_of_job;
};

// Makes `core`, which nobody else knows yet, a running task below `parent`.
ORCHESTRATE_API void BeginJob(TaskCore& core, const Where& where, ContextNode& parent);
// Ends it: with its context's error when that has ended, else as `result` says. The caller's reference stays.
ORCHESTRATE_API void FinishJob(TaskCore& core, BodyResult& result) noexcept;
[[nodiscard]] ORCHESTRATE_API Progress ProgressOf(const JobCore& core) noexcept;

// A job and the state machine behind it, which is destroyed when the job ends. A body that posts its job's
// core (which is a WorkNode) to be run by an executor has static functions Run(WorkNode&) and
// Drop(WorkNode&).
template <class Body>
struct JobBlock final : JobCore {
  template <class... Args>
  JobBlock(std::source_location location, std::uint32_t first_refs, Args&&... args)
      : JobCore(kOps, location, first_refs), body(std::forward<Args>(args)...) {}
  ~JobBlock() {}  // NOLINT: the body is destroyed by hand

  static JobBlock& Self(WorkNode& node) noexcept {
    return static_cast<JobBlock&>(static_cast<TaskCore&>(node));
  }
  static void Invoke(TaskCore& /*core*/, BodyResult& /*result*/) noexcept {}
  static void Destroy(TaskCore& core, unsigned parts) noexcept {
    if ((parts & kCallable) != 0) std::destroy_at(&Self(core).body);
  }
  static void Release(TaskCore& core) noexcept {
    std::destroy_at(&Self(core));
    FreeBlock(&core, sizeof(JobBlock));
  }
  static constexpr WorkOps WorkOpsOfBody() noexcept {
    if constexpr (requires(WorkNode& node) { Body::Run(node), Body::Drop(node); }) {
      return {[](WorkNode& node) noexcept { Body::Run(node); },
              [](WorkNode& node) noexcept { Body::Drop(node); }};
    } else {
      return {RunQueued, DropQueued};
    }
  }
  static const TaskOps kOps;

  union {
    [[no_unique_address]] Body body;
  };
};
template <class Body>
constinit const TaskOps JobBlock<Body>::kOps{WorkOpsOfBody(), Invoke, Destroy, Release};

// Makes a job's block with `first_refs` references, not begun yet; throws what Invoke() throws.
template <class Body, class... Args>
JobBlock<Body>& MakeJob(const Where& where, std::uint32_t first_refs, Args&&... args) {
  using Block = JobBlock<Body>;
  void* memory = AllocateBlock(sizeof(Block));
  try {
    return *::new (memory) Block(where.Location(), first_refs, std::forward<Args>(args)...);
  } catch (...) {
    FreeBlock(memory, sizeof(Block));
    throw;
  }
}

}  // namespace orchestrate::inline v1::detail
