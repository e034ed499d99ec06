#pragma once

#include <cstdint>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/thread_state.hpp"

namespace orchestrate::inline v1::detail {

struct ForkPiece;
struct FrameLinks;

// One running body on this thread; a claimed task's frame lies on top of its waiter's.
struct Frame {
  TaskCore* core;
  Frame* outer;
  const ForkPiece* piece = nullptr;  // of a fork: the part of `core` that this is
  FrameLinks* links = nullptr;       // how others find it, once its thread has waited (wait_table.cpp)
};

// Takes a frame that has links out of sight.
void Withdraw(Frame& frame) noexcept;

class FrameScope {
 public:
  explicit FrameScope(TaskCore& core, const ForkPiece* piece = nullptr) noexcept
      : frame_{&core, static_cast<Frame*>(t_thread.frame), piece} {
    t_thread.frame = &frame_;
  }
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;
  ~FrameScope() {
    if (frame_.links != nullptr) Withdraw(frame_);
    t_thread.frame = frame_.outer;
  }

 private:
  Frame frame_;
};

// ---- internal to src/task ----

// Says whether somebody took over a reference that the caller has to spare.
enum class Spare : std::uint8_t { None, Left, Taken };

void DestroyCore(TaskCore& core) noexcept;  // which has no references
bool PostTask(TaskCore& core) noexcept;     // false: intake has stopped
void PostSuccessor(TaskCore& core) noexcept;
// By the thread that has a queue's entry of a task which was started or ended otherwise.
void LeaveEntry(TaskCore& core) noexcept;
void NoteSpawned(TaskCore& core) noexcept;  // before anybody can run it
void NoteStarted(TaskCore& core) noexcept;
void NoteEnded(TaskCore& core) noexcept;
// Changes `bits` of the state of a task in the phase `from`, once nobody pins it there; false when it has
// left that. Acquire pairs with the release of whoever put it there.
bool TryFlip(TaskCore& core, std::uint32_t from, std::uint32_t bits) noexcept;
// FinishBody() without telling anybody.
void EndBody(TaskCore& core, BodyResult& result) noexcept;
// Any phase before Running → Adopting → terminal, without telling anybody yet. What belongs to nobody gets
// `parent`, if there is one: its runtime is told of an error that nobody reads.
bool TryEndUnrun(TaskCore& core, std::uint32_t from, std::uint32_t to,
                 ContextNode* parent = nullptr) noexcept;
void FinishUncalled(TaskCore& core, BodyResult& result) noexcept;  // the context had ended at the start
void NotifyWaiters(TaskCore& core, Spare& spare) noexcept;
inline void NotifyWaiters(TaskCore& core) noexcept {
  auto none = Spare::None;
  NotifyWaiters(core, none);
}
// By a continuation that is told: takes over the reference that whoever tells of the end has to spare, if
// any.
bool TakeSpare(TaskCore& predecessor) noexcept;
void ReturnSpare(TaskCore& predecessor) noexcept;
// Before the list of waiters is used by anybody but the thread that ends the task: sets kWaited, and more.
// False when that has ended.
bool NoteWaited(TaskCore& core, std::uint32_t bits = 0) noexcept;
// An attached task leaves that phase: it has a place in no list any more.
inline void ForgetPlace(TaskCore& core) noexcept {
  core.ticks.store(0, sync::memory_order_relaxed);
  core.place = nullptr;
}
// Has the outermost call of this thread release the node and tell the waiters of `node.successor`, which has
// ended, unless that is null: then releasing it is all there is to do.
void TellLater(ChainNode& node) noexcept;
// Releases a node without a successor: at once, so that who waits behind it is told later, or when many such
// calls lie in each other by the outermost.
void ReleaseSoon(ChainNode& node) noexcept;
// Has the body behind which a task was just queued, on an executor that runs one thing at a time, look for it
// when it waits.
void NoteQueued(TaskCore& core) noexcept;
// Takes the node of an attached task out of the list of its predecessor; true: the list's reference is the
// caller's now.
bool LeavePredecessor(TaskCore& core) noexcept;
// The same for a task that follows the one which its body returned, held in the phase Adopting.
bool LeaveFollowed(TaskCore& core) noexcept;
// The predecessor of an attached continuation, with a reference, when it has been started.
TaskCore* SharePredecessor(TaskCore& core) noexcept;

}  // namespace orchestrate::inline v1::detail
