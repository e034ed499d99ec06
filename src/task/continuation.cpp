#include <orchestrate/exec/detail/scheduling.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include "task/frame.hpp"
#include "task/wait_table.hpp"

// What continues a task: attached to its predecessor, and told of its end.
namespace orchestrate::inline v1::detail {
namespace {

// The context of a continuation that was given none; null when there was none and no way to make one.
ContextNode* InheritedParent(const TaskCore& predecessor, Error& failure) noexcept {
  if (predecessor.parent != nullptr) return predecessor.parent;
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
  ContextNode* parent = core.parent;
  if (parent == nullptr) parent = InheritedParent(predecessor, failure);
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
  const bool is_open = phase >= kAttached && phase <= kRunning;
  if (is_open) Ref(*predecessor);
  // Release pairs with the acquire of whoever changes the phase next: the reference comes first.
  core.state.fetch_and(~ContextNode::kPinned, sync::memory_order_release);
  return is_open ? predecessor : nullptr;
}

void Attach(AfterNode& node, TaskCore& predecessor, AfterMode mode) noexcept {
  node.notify = mode == AfterMode::OnValue ? OnValueNotice : AlwaysNotice;
  node.successor->ticks.store(reinterpret_cast<std::uintptr_t>(&predecessor),
                              sync::memory_order_relaxed);  // NOLINT
  node.successor->state.store(kAttached, sync::memory_order_release);
  if (AddWaiter(predecessor, node)) return;
  // Ended before: the same, now; still never inside this call.
  if (TaskCore* core = node.notify(node, predecessor, Notice::Ended)) PostBelow(*core, *core);
}

}  // namespace orchestrate::inline v1::detail
