#include <orchestrate/task/detail/task_core.hpp>

#include <utility>

#include <orchestrate/time/ticks.hpp>
#include "exec/forked.hpp"
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "task/context_end.hpp"
#include "task/deferred_delete.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

// From the queue through the body: what a worker, or whoever claims a task, does with it.
namespace orchestrate::inline v1::detail {
namespace {

// A parent that has ended without being cancelled can end nothing any more: its own parent takes its place,
// so that a task which starts its successor for ever does not keep all its forerunners.
bool IsToBeSkipped(const ContextNode& parent) noexcept {
  if ((parent.flags & ContextNode::kTask) == 0 || parent.parent == nullptr) return false;
  const auto phase = parent.state.load(sync::memory_order_acquire) & ContextNode::kPhaseMask;
  return phase == kCompleted || phase == kFailed;
}

void SkipEndedParents(TaskCore& core) noexcept {
  while (IsToBeSkipped(*core.parent)) {
    // Others may be looking at the parent: they pin the task.
    if (!TryFlip(core, kRunning, ContextNode::kPinned)) return;
    ContextNode& before = *core.parent;
    RefNode(*before.parent);
    MoveTie(core, before, *before.parent);
    core.parent = before.parent;
    Unpin(core);
    UnrefNode(before);
  }
}

// To read the counter costs as much as the rest of a small task: of bodies in a row each begins when the one
// before has left.
[[nodiscard]] std::uint64_t TicksInARow() noexcept {
  const auto left = std::exchange(t_thread.left_turn, ThreadState::kNoTurn);
  return left + 1 == t_thread.turn ? t_thread.left_ticks : ReadTicks();
}

void NoteLeft(const TaskCore& core) noexcept {
  const bool at_once = core.Ops().light && (core.flags & ContextNode::kObserved) == 0;
  t_thread.left_turn = at_once ? t_thread.turn : ThreadState::kNoTurn;
}

bool TryStart(TaskCore& core, std::uint32_t from) noexcept {
  auto state = core.state.load(sync::memory_order_relaxed);
  do {
    if ((state & ContextNode::kPhaseMask) != from) return false;
    // Acquire pairs with the release of Submit() or TryAdopt(): callable, parent and scope are set.
  } while (!core.state.compare_exchange_weak(state, state ^ (from ^ kRunning), sync::memory_order_acquire,
                                             sync::memory_order_relaxed));
  return true;
}

// False when somebody else finishes it.
bool RunBody(TaskCore& core, BodyResult& result, Timing timing, std::uint32_t from) noexcept {
  const FrameScope frame(core, nullptr, from == kBatched);
  const auto begin = timing == Timing::InARow ? TicksInARow() : ReadTicks();
  core.ticks.store(begin, sync::memory_order_relaxed);
  core.Ops().invoke(core, result);
  if (result.end == BodyEnd::Pending) return false;  // and may have done so already
  const auto end = ReadTicks();
  core.ticks.store(end - begin, sync::memory_order_relaxed);
  t_thread.left_ticks = end;
  if (timing == Timing::InARow) NoteLeft(core);
  EndBody(core, result);
  return true;
}

void RunStarted(TaskCore& core, Timing timing, Spare& spare, std::uint32_t from) noexcept {
  BodyResult result;
  if (MayHaveEnded(core)) {
    if (Error ended = SlowEndOf(core)) {
      core.ticks.store(0, sync::memory_order_relaxed);
      result = {.end = BodyEnd::Failure, .error = std::move(ended)};
      return FinishUncalled(core, result);
    }
  }
  SkipEndedParents(core);
  if ((core.flags & ContextNode::kObserved) != 0) NoteStarted(core);
  // No frame names the task while others are told of its end: one of them may take the last reference.
  if (RunBody(core, result, timing, from)) NotifyWaiters(core, spare);
}

}  // namespace

bool TryRun(TaskCore& core, std::uint32_t from, Timing timing) noexcept {
  if (!TryStart(core, from)) return false;
  auto none = Spare::None;
  RunStarted(core, timing, none, from);
  return true;
}

void RunQueued(WorkNode& node) noexcept {
  auto& core = static_cast<TaskCore&>(node);
  auto spare = Spare::Left;
  if (TryStart(core, kQueued)) {
    RunStarted(core, t_thread.running == &node ? Timing::InARow : Timing::Alone, spare, kQueued);
  } else {
    LeaveEntry(core);
  }
  t_thread.running = nullptr;  // what the last reference destroys is no part of the task
  if (spare == Spare::Left) Unref(core);
}

namespace {

// Of a task that no queue holds any more. Its executor may have dropped it on the timers' thread, or inside a
// loop that tells.
void GiveUpEntry(TaskCore& core) noexcept {
  const bool is_uncalled = (core.state.load(sync::memory_order_acquire) & ContextNode::kUncalled) != 0;
  is_uncalled ? DiscardLater(core) : Unref(core);
}

}  // namespace

void DropQueued(WorkNode& node) noexcept {
  auto& core = static_cast<TaskCore&>(node);
  if (Error ended = EndOf(core)) {
    EndUnrun(core, kQueued, ended, kCancelled);
    GiveUpEntry(core);
  } else {
    Refuse(core);
  }
}

void LeaveEntry(TaskCore& core) noexcept {
  if (!core.IsTerminal()) return;
  DiscardCallable(core);
}

bool IsStaleEntry(const WorkNode& node) noexcept {
  return static_cast<const TaskCore&>(node).PhaseNow() > kQueued;
}

void Refuse(TaskCore& core, const char* verb) noexcept {
  const Error ended = EndOf(core);
  if (IsForked()) {
    EndUnrun(core, kQueued, ForkedError(verb), kFailed);
  } else if (ended && !ended.Is(Errc::ShutDown)) {
    EndUnrun(core, kQueued, ended, kCancelled);
  } else {
    EndUnrun(core, kQueued, ShutDownError(core).WithContext(verb), kFailed);
  }
  GiveUpEntry(core);
}

}  // namespace orchestrate::inline v1::detail
