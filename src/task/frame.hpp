#pragma once

#include <chrono>
#include <cstdint>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/scheduling.hpp"
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
  bool is_batched = false;           // it was started before its job had queued it
};

// The innermost body that runs on this thread, or null.
[[nodiscard]] inline Frame* CurrentFrame() noexcept { return static_cast<Frame*>(t_thread.frame); }

// Takes a frame that has links out of sight.
void Withdraw(Frame& frame) noexcept;

class FrameScope {
 public:
  explicit FrameScope(TaskCore& core, const ForkPiece* piece = nullptr, bool is_batched = false) noexcept
      : frame_{&core, CurrentFrame(), piece, nullptr, is_batched} {
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

// ---- internal to src ----

// The runtime whose progress a wait for `core` depends on, or null while that is not known.
ORCHESTRATE_API RuntimeCore* ServedBy(const TaskCore& core) noexcept;
// The body has left but the outcome comes from elsewhere: from now on the task is one without a body, pinned
// until Unpin(). False when it was cancelled meanwhile and has to finish now.
ORCHESTRATE_API bool LeaveBody(TaskCore& core) noexcept;
// InARow: the thread does nothing between two such tasks, or ends the row.
enum class Timing : std::uint8_t { Alone, InARow };
// Runs a task on this thread if it is still in `from`; false when another thread was faster.
ORCHESTRATE_API bool TryRun(TaskCore& core, std::uint32_t from, Timing timing = Timing::Alone) noexcept;
// Why `verb` can start nothing below `parent`: the process was forked, or the executor takes no more work.
// Empty when it can, and when the context has ended for another reason: that is the outcome then.
[[nodiscard]] ORCHESTRATE_API Error RefusalOf(const char* verb, ContextNode& parent) noexcept;
// The same for a verb that is still served while a runtime drains.
[[nodiscard]] ORCHESTRATE_API Error EndRefusalOf(const char* verb, ContextNode& parent) noexcept;
// Why `verb`, which starts nothing, is over before it began: `parent` has ended, or its executor has.
[[nodiscard]] ORCHESTRATE_API Error EndOrRefusalOf(const char* verb, ContextNode& parent) noexcept;
ORCHESTRATE_API std::string_view NameOf(const TaskCore& core) noexcept;
// Run(): starts a created task; takes a reference for the queue.
ORCHESTRATE_API void Start(TaskCore& core, ContextNode& parent) noexcept;
ORCHESTRATE_API std::uint64_t IdOf(TaskCore& core) noexcept;
// `from` → Adopting → `to`, with `parent` unless it has one, and more flags; false when another thread was
// faster.
ORCHESTRATE_API bool TryAdopt(TaskCore& core, std::uint32_t from, std::uint32_t to, ContextNode& parent,
                              std::uint32_t more_flags = 0) noexcept;
// Created → Batched, with a reference to `parent` that the caller has taken; false when another thread was
// faster.
ORCHESTRATE_API bool TryAdoptBatched(TaskCore& core, ContextNode& parent) noexcept;
// Before a wait that does not claim: a task of the batch that the caller runs in and that is not admitted yet
// is handed to its executor, for the caller leaves its own admission unused meanwhile. False if it was none.
ORCHESTRATE_API bool LendAdmission(TaskCore& core) noexcept;
// Ends a queued task that its executor does not take, in the name of `verb`, and gives up the queue's
// reference.
ORCHESTRATE_API void Refuse(TaskCore& core, const char* verb = "Invoke") noexcept;
// Ends a task that never ran with the error of another; false when it is past that.
ORCHESTRATE_API bool EndUnrun(TaskCore& core, std::uint32_t from, const Error& error,
                              std::uint32_t to) noexcept;
// What Await() does before it blocks: runs the task here when it can. An error when the wait could never end.
ORCHESTRATE_API Error PrepareAwait(TaskCore& core) noexcept;
// Why waiting for `core` could never end, empty when it can.
ORCHESTRATE_API Error CannotEnd(const TaskCore& core) noexcept;
// The time by the clock of `core`; while that is not known, of the task that runs on this thread, or of the
// system.
ORCHESTRATE_API TimePoint NowOf(const TaskCore& core) noexcept;
// False when `until` (by the task's clock) passed first.
ORCHESTRATE_API bool AwaitUntil(TaskCore& core, TimePoint until, Error& failure) noexcept;
// True of what a body has started that has not left: it may be about to wait for that.
[[nodiscard]] ORCHESTRATE_API bool IsOfBody(const TaskCore& core) noexcept;
// Until the end of `core`; an error when it may not be waited for, or why `context` ended first.
[[nodiscard]] ORCHESTRATE_API Error AwaitUnder(TaskCore& core, ContextNode& context) noexcept;
ORCHESTRATE_API TaskState StateOf(const TaskCore& core) noexcept;
ORCHESTRATE_API std::chrono::nanoseconds DurationOf(const TaskCore& core) noexcept;
// The same of a node that hears of the end of the context by itself.
[[nodiscard]] ORCHESTRATE_API bool AddOwnWaiter(TaskCore& core, Waiter& node) noexcept;

// Says whether somebody took over a reference that the caller has to spare.
enum class Spare : std::uint8_t { None, Left, Taken };

void DestroyCore(TaskCore& core) noexcept;  // which has no references
using PostFn = void (*)(Executor& executor, WorkNode& node) noexcept;
// From another thread than a worker by `post`; false: intake has stopped.
bool PostTask(TaskCore& core, PostFn post = PostNode) noexcept;
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
// By a thread that is about to block: does what TellLater() and SettleLater() have put off so far.
void TellPutOff() noexcept;
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
