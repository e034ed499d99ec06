#include "exec/thread_state.hpp"

#include "runtime_core.hpp"

// Where work lies until somebody runs it: the deques of the workers, and the queue that all share.
namespace orchestrate::inline v1::detail {
namespace {

constexpr std::uint32_t kSweeps = 4;  // looks for an entry that was left behind in a deque
constexpr std::uint32_t kManySweeps = 64;
constexpr std::uint32_t kDeepSweep = 8;
constexpr std::uint32_t kLeftBehind = 32;  // entries that a thread from outside leaves behind before it looks

bool IsStale(const WorkNode& node) noexcept {
  return node.ops->is_stale != nullptr && node.ops->is_stale(node);
}

}  // namespace

void RuntimeCore::Post(Work work) noexcept {
  if (IsRunning()) Enqueue(*work.Release());
}

void RuntimeCore::Enqueue(WorkNode& node) noexcept {
  Slot* slot = t_thread.runtime == this ? t_thread.slot : nullptr;
  if (slot != nullptr) {
    slot->CountPosted(1);
    PushTo(*slot, node);
    WakeRunner();
  } else {
    Inject(node);
  }
}

// What counts as posted to `slot`.
void RuntimeCore::PushTo(Slot& slot, WorkNode& node) noexcept {
  if (slot.deque.PushSeqCst(&node)) return;
  injected_.Push(node);  // the deque could not grow; this counts, too
  slot.CountPosted(-1);
}

// A node whose turn comes when `ending`, which does no more than return, has left the worker: the deque and
// its fences can be spared when it is the one that the worker's runner runs.
void RuntimeCore::EnqueueFollower(WorkNode& node, const WorkNode& ending) noexcept {
  Slot* slot = t_thread.runtime == this ? t_thread.slot : nullptr;
  if (slot == nullptr || t_thread.running != &ending || slot->next != nullptr) return Enqueue(node);
  slot->CountPosted(1);
  slot->next = &node;
}

void RuntimeCore::EnqueueLast(WorkNode& node) noexcept { Inject(node); }

void RuntimeCore::EnqueueOfMany(WorkNode& node) noexcept {
  if (t_thread.runtime == this && t_thread.slot != nullptr) return Enqueue(node);
  injected_.PushOfMany(node);
  NoteInjected();
}

void RuntimeCore::Inject(WorkNode& node) noexcept {
  injected_.Push(node);
  NoteInjected();
}

void RuntimeCore::NoteInjected() noexcept {
  WakeRunner();
  // The push first, then the phase; Retire() does it the other way round: this thread or that one finds the
  // node.
  if (IsRetired()) DropInjected();
}

bool RuntimeCore::Unqueue(WorkNode& node) noexcept {
  Slot* slot = t_thread.runtime == this ? t_thread.slot : nullptr;
  if (slot != nullptr && slot->deque.PopIf(&node)) {
    if (slot->sweeps != 0) DropStale(*slot);
    return true;
  }
  if (slot != nullptr && slot->deque.StealIf(&node)) return true;
  if (injected_.TryPopIf(node)) return true;
  if (slot != nullptr) {
    slot->sweeps += kSweeps;
    if (slot->sweeps > kManySweeps) DropStale(*slot);
  } else if (++t_thread.left_behind == kLeftBehind) {
    t_thread.left_behind = 0;
    DropStaleInjected();
  }
  return false;
}

// The entry of a task that was run in a wait, and lay neither first nor last then, stays. A body that goes on
// for long would pile them up, so it looks for them at the end of its deque now and then: below one entry
// that is to stay, or below several when many were left behind.
void RuntimeCore::DropStale(Slot& slot) noexcept {
  WorkNode* live[kDeepSweep];
  const std::uint32_t depth = slot.sweeps > kManySweeps ? kDeepSweep : 1;
  std::uint32_t count = 0;
  --slot.sweeps;
  while (count < depth) {
    WorkNode* node = slot.deque.Pop();
    if (node == nullptr) break;
    if (!IsStale(*node)) {
      live[count++] = node;
      continue;
    }
    node->ops->run(*node);
    slot.CountRan();
  }
  while (count > 0) PutBack(&slot, *live[--count]);
}

// One thread at a time, so that the place in front is free for what it finds. What it has put there before
// may be stale by now.
void RuntimeCore::DropStaleInjected() noexcept {
  if (drops_stale_.exchange(true, std::memory_order_acquire)) return;
  for (std::uint32_t i = 0; i < 2 * kLeftBehind; ++i) {
    WorkNode* node = injected_.TryPop();
    if (node == nullptr) break;
    if (!IsStale(*node)) {
      PutInFront(*node);
      break;
    }
    node->ops->run(*node);
    outside_ran_.fetch_add(1, std::memory_order_release);
  }
  drops_stale_.store(false, std::memory_order_release);
}

// Nobody could see the node meanwhile: not a runner that looked for work, not DropQueued().
void RuntimeCore::PutBack(Slot* slot, WorkNode& node) noexcept {
  if (slot == nullptr || !slot->deque.PushSeqCst(&node)) {
    injected_.Push(node);  // counts once more as posted
    outside_ran_.fetch_add(1, std::memory_order_release);
  }
  WakeRunner();
  if (dropped_.load(std::memory_order_seq_cst)) DropQueued();
}

// What was taken out of the ring and keeps its turn; the same as above.
void RuntimeCore::PutInFront(WorkNode& node) noexcept {
  injected_.PutInFront(node);
  WakeRunner();
  if (dropped_.load(std::memory_order_seq_cst)) DropQueued();
  if (IsRetired()) DropInjected();
}

void RuntimeCore::NoteRan() noexcept {
  if (Slot* slot = t_thread.runtime == this ? t_thread.slot : nullptr) {
    slot->CountRan();
  } else {
    outside_ran_.fetch_add(1, std::memory_order_release);
  }
}

}  // namespace orchestrate::inline v1::detail
