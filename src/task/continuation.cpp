#include <thread>
#include <utility>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/scheduling.hpp"
#include "task/context_end.hpp"
#include "task/frame.hpp"
#include "task/wait_table.hpp"

// What continues a task: attached to its predecessor, and told of its end.
namespace orchestrate::inline v1::detail {
namespace {

// The context of a continuation that was given none, as its predecessor was; null when there is no way to
// make one.
ContextNode* InheritedParent(Error& failure) noexcept {
  try {
    return &DefaultRoot();
  } catch (...) {
    failure = Error::FromCurrentException();
    return nullptr;
  }
}

// Ends a continuation that is not called, with the error that `why` returns; `parent` may be null.
template <class Why>
void EndUncalled(AfterNode& node, std::uint32_t phase, ContextNode* parent, Why why) noexcept {
  TaskCore& core = *node.successor;
  if (core.PhaseNow() == kAttached && core.error.TrySet(why()) &&
      TryEndUnrun(core, kAttached, phase, parent)) {
    return TellLater(node);
  }
  AwaitLeaving(core, kAttached);
  Unref(core);
}

// The predecessor has ended: the continuation takes its error over, or is handed to its executor.
TaskCore* OnPredecessor(Waiter& waiter, TaskCore& predecessor, AfterMode mode) noexcept {
  auto& node = static_cast<AfterNode&>(waiter);
  TaskCore& core = *node.successor;
  const auto phase = predecessor.PhaseNow();
  if (mode == AfterMode::OnValue && phase != kCompleted) {
    EndUncalled(node, phase, predecessor.parent, [&predecessor] { return ReadError(predecessor); });
    return nullptr;
  }
  Error failure;
  // One without a context of its own may have inherited that of the predecessor already, and keeps it.
  ContextNode* parent = predecessor.parent != nullptr ? predecessor.parent : core.parent;
  if (parent == nullptr) parent = InheritedParent(failure);
  if (parent == nullptr) {
    EndUncalled(node, kFailed, nullptr, [&failure] { return failure; });
    return nullptr;
  }
  node.predecessor = &predecessor;
  const bool spared = TakeSpare(predecessor);
  if (!spared) Ref(predecessor);
  if (TryAdopt(core, kAttached, kQueued, *parent)) {
    NoteQueued(core);
    return &core;  // with the list's reference
  }
  node.predecessor = nullptr;
  spared ? ReturnSpare(predecessor) : Unref(predecessor);
  Unref(core);
  return nullptr;
}

TaskCore* OnValueNotice(Waiter& waiter, TaskCore& predecessor, Notice notice) noexcept {
  return notice == Notice::Ended ? OnPredecessor(waiter, predecessor, AfterMode::OnValue) : nullptr;
}

TaskCore* AlwaysNotice(Waiter& waiter, TaskCore& predecessor, Notice notice) noexcept {
  return notice == Notice::Ended ? OnPredecessor(waiter, predecessor, AfterMode::Always) : nullptr;
}

}  // namespace

void NoteQueued(TaskCore& core) noexcept {
  if (RuntimeOf(core) == nullptr) TellOccupants(core);
}

// A predecessor that ends cannot leave before it has changed the phase of `core`, which waits for the pin.
// What was started has a reference that it does not lose before it has told of its end.
TaskCore* SharePredecessor(TaskCore& core) noexcept {
  if (!TryFlip(core, kAttached, ContextNode::kPinned)) return nullptr;
  auto* predecessor = reinterpret_cast<TaskCore*>(core.ticks.load(sync::memory_order_relaxed));  // NOLINT
  const auto phase = predecessor->PhaseNow();
  const bool was_started = phase >= kAttached && phase <= kRunning;
  if (was_started) Ref(*predecessor);
  Unpin(core);
  return was_started ? predecessor : nullptr;
}

namespace {

// The end of the context of `predecessor` is soon that of `core`, too, or `core` has no context of its own.
bool SharesContext(const TaskCore& core, const TaskCore& predecessor) noexcept {
  const auto state = predecessor.state.load(sync::memory_order_acquire);
  if ((state & ContextNode::kNoBody) != 0) return false;  // may wait for ever
  if (core.parent == nullptr) return true;
  return (state & ContextNode::kPhaseMask) >= kBatched && predecessor.scope == core.scope;
}

}  // namespace

void Attach(AfterNode& node, TaskCore& predecessor, AfterMode mode) noexcept {
  TaskCore& core = *node.successor;
  node.notify = mode == AfterMode::OnValue ? OnValueNotice : AlwaysNotice;
  core.ticks.store(reinterpret_cast<std::uintptr_t>(&predecessor), sync::memory_order_relaxed);  // NOLINT
  core.place = &node;
  const bool shares_context = SharesContext(core, predecessor);
  const bool follows = core.parent != nullptr && !shares_context;
  if (follows) RefUnshared(core);  // the node may be told at once
  core.state.store(kAttached | (follows ? ContextNode::kFollows : 0), sync::memory_order_release);
  if (!(shares_context ? AddOwnWaiter(predecessor, node) : AddWaiter(predecessor, node))) {
    // Ended before: the same, now; still never inside this call.
    if (TaskCore* next = node.notify(node, predecessor, Notice::Ended)) PostBelow(*next, *next);
  } else if (follows) {
    FollowContext(core);
  }
  if (follows) Unref(core);
}

bool LeavePredecessor(TaskCore& core) noexcept {
  // A predecessor that ends cannot leave as long as this holds the pin, as for SharePredecessor().
  if (!TryFlip(core, kAttached, ContextNode::kPinned)) return false;
  auto* predecessor = reinterpret_cast<TaskCore*>(core.ticks.load(sync::memory_order_relaxed));  // NOLINT
  const bool removed = predecessor->waiters.Remove(*core.place);
  Unpin(core);
  return removed;
}

// ---- what a body has returned ----

bool StartFollowing(TaskCore& outer, FollowNode& node) noexcept {
  TaskCore& inner = *node.followed;
  if (NoteWaited(inner, ContextNode::kFollows))
    FollowContext(inner);  // takes locks: not while `outer` is pinned
  outer.place = &node;
  if (!LeaveBody(outer)) {
    outer.place = nullptr;
    return false;
  }
  Ref(outer);  // the list's
  // Pinned until the node is in the list, or not: the thread that ends the task takes it out.
  const bool added = AddOwnWaiter(inner, node);
  Unpin(outer);
  if (!added) node.notify(node, inner, Notice::Ended);
  if ((outer.state.load(sync::memory_order_acquire) & ContextNode::kFollows) != 0) {
    FollowContext(outer);
  } else if (MayHaveEnded(outer)) {
    EndIfContextEnded(outer);  // before it was bodiless its context's end passed it by
  }
  return true;
}

bool LeaveFollowed(TaskCore& core) noexcept {
  auto* node = static_cast<FollowNode*>(std::exchange(core.place, nullptr));
  if (node == nullptr) return false;
  node->dependency.End();  // the followed task stays until this thread leaves the phase
  if (!node->followed->waiters.Remove(*node)) return false;
  node->release(*node);
  return true;
}

void AwaitLeaving(const TaskCore& successor, std::uint32_t phase) noexcept {
  while (successor.PhaseNow() == phase) std::this_thread::yield();
}

}  // namespace orchestrate::inline v1::detail
