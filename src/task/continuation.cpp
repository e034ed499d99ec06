#include <thread>
#include <utility>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/scheduling.hpp"
#include "task/context_end.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"
#include "task/wait_table.hpp"

// What continues a task: attached to its predecessor, and told of its end.
namespace orchestrate::inline v1::detail {
namespace {

// The context of a continuation that was given none; one that has its own, or has inherited that of the
// predecessor already, keeps it. Null when there is no way to make one.
ContextNode* ParentFor(const TaskCore& core, const TaskCore& predecessor, Error& failure) noexcept {
  ContextNode* parent = predecessor.parent != nullptr ? predecessor.parent : core.parent;
  try {
    return parent != nullptr ? parent : &DefaultRoot();
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

// Queues a continuation, with the list's reference; null when it was ended meanwhile. It keeps the
// predecessor, by the reference that the caller has to spare, if any.
TaskCore* Queue(AfterNode& node, TaskCore& predecessor, ContextNode& parent) noexcept {
  TaskCore& core = *node.successor;
  node.predecessor = &predecessor;
  const bool spared = TakeSpare(predecessor);
  if (!spared) Ref(predecessor);
  if (TryAdopt(core, kAttached, kQueued, parent)) {
    NoteQueued(core);
    return &core;
  }
  node.predecessor = nullptr;
  spared ? ReturnSpare(predecessor) : Unref(predecessor);
  Unref(core);
  return nullptr;
}

// Of one that an observer is told of, which is code of the user: it is queued when all others have been told.
void QueueObserved(ChainNode& chained) noexcept {
  auto& node = static_cast<AfterNode&>(chained);
  TaskCore& predecessor =
      *std::exchange(node.predecessor, nullptr);  // whose reference is given up at the end
  node.release = nullptr;
  Error failure;
  if (ContextNode* parent = ParentFor(*node.successor, predecessor, failure)) {
    if (TaskCore* core = Queue(node, predecessor, *parent)) PostLastBelow(*core, *core);
  } else {
    EndUncalled(node, kFailed, nullptr, [&failure] { return failure; });
  }
  Unref(predecessor);
}

// The predecessor has ended: the continuation takes its error over, or is handed to its executor.
TaskCore* OnPredecessor(Waiter& waiter, TaskCore& predecessor, AfterMode mode) noexcept {
  auto& node = static_cast<AfterNode&>(waiter);
  TaskCore& core = *node.successor;
  const bool is_observed = std::exchange(node.release, nullptr) != nullptr;
  const auto phase = predecessor.PhaseNow();
  if (mode == AfterMode::OnValue && phase != kCompleted) {
    EndUncalled(node, phase, predecessor.parent, [&predecessor] { return ReadError(predecessor); });
    return nullptr;
  }
  Error failure;
  ContextNode* parent = ParentFor(core, predecessor, failure);
  if (parent == nullptr) {
    EndUncalled(node, kFailed, nullptr, [&failure] { return failure; });
    return nullptr;
  }
  if (!is_observed && (parent->scope->flags & ContextNode::kObserved) == 0) {
    return Queue(node, predecessor, *parent);
  }
  Ref(predecessor);
  node.predecessor = &predecessor;
  node.release = QueueObserved;
  SettleLater(node);
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
  if ((core.flags & ContextNode::kObserved) != 0) node.release = QueueObserved;
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
  while (successor.PhaseNow() == phase) {
    sync::Relax();
    std::this_thread::yield();
  }
}

}  // namespace orchestrate::inline v1::detail
