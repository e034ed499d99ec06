#pragma once

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/detail/scheduling.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/fork_join.hpp>

namespace orchestrate::inline v1::detail {

// One call of ForkJoin(): the task that it is, and what its forks have put up for others.
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

 private:
  TaskCore& core_;
  RuntimeCore* runtime_;
  Mutex mutex_;
  IntrusiveList<ForkPiece> offered_;  // under mutex_
};

}  // namespace orchestrate::inline v1::detail
