#pragma once

#include <memory>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/fork_join.hpp>
#include "exec/scheduling.hpp"
#include "task/scopes.hpp"

namespace orchestrate::inline v1::detail {

// A context that a fork has handed out, at one depth of its joins.
struct ForkContext : ListNode<> {
  ForkContext(TaskCore& core, Fork& of_fork, std::uint32_t at_depth)
      : scope(new ChildScope(core)), fork(&of_fork), depth(at_depth) {}
  ForkContext(const ForkContext&) = delete;
  ForkContext& operator=(const ForkContext&) = delete;
  ~ForkContext() { UnrefNode(*scope); }

  ChildScope* scope;
  Fork* fork;
  std::uint32_t depth;
};

// One call of ForkJoin(): the task that it is, and what its forks have put up for others and handed out.
//
// A join has failed from the moment at which one of its functions has, until the join is left.
// `failed_depth_` of a fork is the outermost of its joins that have. All contexts at or below a failed join
// have ended.
class ForkRegion {
 public:
  explicit ForkRegion(TaskCore& core) noexcept : core_(core), runtime_(detail::RuntimeOf(core)) {}
  ForkRegion(const ForkRegion&) = delete;
  ForkRegion& operator=(const ForkRegion&) = delete;

  // Calls `body` with the first fork, on this thread; throws what it throws.
  void Run(void (*body)(void*, Fork&), void* data);

  [[nodiscard]] TaskCore& Core() const noexcept { return core_; }
  [[nodiscard]] RuntimeCore* Runtime() const noexcept { return runtime_; }

  // Puts a piece up for others.
  void Offer(ForkPiece& piece) noexcept;
  // A piece that nobody had begun with, taken out of the queues; its second reference is the caller's when
  // `*unqueued`, else it stays with the entry that is left there.
  struct Taken {
    ForkPiece* piece = nullptr;
    bool unqueued = false;
  };
  [[nodiscard]] Taken TakeAny() noexcept;
  // The same for one that the caller has taken.
  [[nodiscard]] bool Unqueue(ForkPiece& piece) noexcept;
  // Forgets a piece that was taken.
  void Forget(ForkPiece& piece) noexcept;
  // Does the work of a piece that the caller has taken, with a fork of its own, and ends it.
  void Work(ForkPiece& piece) noexcept;

  // The context of what `fork` does now; throws std::bad_alloc.
  [[nodiscard]] Context ContextOf(Fork& fork);
  // Gives up the contexts of `fork` but those at a depth below `kept` that have not ended.
  void DropContexts(Fork& fork, std::uint32_t kept) noexcept;
  // The join of `fork` at `depth` has failed: ends the contexts of all its functions, and the one that the
  // caller of the join may have passed on to them.
  void FailJoin(Fork& fork, std::uint32_t depth) noexcept;
  // The failed join is left.
  void LeaveFailedJoin(Fork& fork, std::uint32_t depth) noexcept;

 private:
  void NoteFailure(ForkPiece& piece) noexcept;
  ForkContext& AddContext(std::unique_ptr<ForkContext> made) noexcept;
  // The lock is held in those that follow.
  [[nodiscard]] static bool IsStopped(const ForkContext& context) noexcept;
  [[nodiscard]] static bool IsOfJoin(const ForkContext& context, const Fork& fork,
                                     std::uint32_t depth) noexcept;
  [[nodiscard]] ChildScope* ShareLiveContext(const Fork& fork, std::uint32_t depth) noexcept;

  TaskCore& core_;
  RuntimeCore* runtime_;
  Mutex mutex_;
  IntrusiveList<ForkPiece> offered_;     // under mutex_
  IntrusiveList<ForkContext> contexts_;  // under mutex_
  std::uint32_t failures_ = 0;           // under mutex_: of pieces, so far
};

}  // namespace orchestrate::inline v1::detail
