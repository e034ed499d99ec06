#include "task/wait_circle.hpp"

#include <mutex>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/detail/scheduling.hpp>

namespace orchestrate::inline v1::detail {
namespace {

struct AllWaits {
  Mutex mutex;
  IntrusiveList<BlockedWait> waits;  // under mutex
};

// Never destroyed: threads may still wait while the statics are.
AllWaits& All() noexcept {
  alignas(AllWaits) static unsigned char storage[sizeof(AllWaits)];
  static auto* const all = ::new (static_cast<void*>(storage)) AllWaits;
  return *all;
}

// Of a continuation whose predecessor has not ended; only to be compared, it may be gone.
const TaskCore* PredecessorOf(const TaskCore& core) noexcept {
  if (core.PhaseNow() != kAttached) return nullptr;
  const auto address = core.ticks.load(sync::memory_order_relaxed);
  // Still attached: the field was what Attach() wrote, and the predecessor was there.
  return core.PhaseNow() == kAttached ? reinterpret_cast<const TaskCore*>(address) : nullptr;  // NOLINT
}

// The job that has admitted `core`, or null.
const ContextNode* JobOf(const TaskCore& core) noexcept {
  if ((core.flags & ContextNode::kAdmitted) == 0) return nullptr;
  const ContextNode* node = core.parent;
  while (node != nullptr && (node->flags & ContextNode::kTask) == 0) node = node->parent;
  return node;
}

bool Holds(const Frame* frames, const TaskCore& core) noexcept {
  return Keeps(frames, core) || RunsIn(frames, PredecessorOf(core)) || IsBehind(frames, core);
}

}  // namespace

bool WorksOn(const Frame* frames, const ContextNode& root) noexcept {
  for (; frames != nullptr; frames = frames->outer) {
    if (frames->core->scope->home == &root) return true;
  }
  return false;
}

bool IsBehind(const Frame* frames, const TaskCore& core) noexcept {
  const auto phase = core.PhaseNow();
  const bool is_job = core.Ops().help != nullptr && phase == kRunning;
  if (frames == nullptr || (phase != kQueued && !is_job)) return false;
  // A strand may run on another one.
  for (const ContextNode* at = core.scope->home; at != nullptr; at = at->parent) {
    if (RuntimeOf(*at) != nullptr) return false;
    if (WorksOn(frames, *at) && !ExecutorOf(*at).GetCapabilities().parallel) return true;
  }
  return false;
}

bool Keeps(const Frame* frames, const TaskCore& core) noexcept {
  const bool is_job = core.Ops().help != nullptr;
  for (; frames != nullptr; frames = frames->outer) {
    if (frames->core == &core || (is_job && JobOf(*frames->core) == &core)) return true;
  }
  return false;
}

bool RunsIn(const Frame* frames, const TaskCore* core) noexcept {
  if (core == nullptr) return false;
  for (; frames != nullptr; frames = frames->outer) {
    if (frames->core == core) return true;
  }
  return false;
}

Error BlockedWait::Enter(const TaskCore& core) noexcept {
  const auto* mine = static_cast<const Frame*>(t_thread.frame);
  if (mine == nullptr) return {};
  auto& [mutex, waits] = All();
  const std::lock_guard lock(mutex);
  for (const TaskCore* target = &core; target != nullptr;) {
    if (Holds(mine, *target))
      return {Errc::WouldDeadlock, "Wait: the task waits, through others, for itself"};
    // Who is in the list keeps what it waits for alive.
    const BlockedWait* wait = waits.Front();
    while (wait != nullptr && !Holds(wait->frames_, *target)) wait = waits.Next(*wait);
    target = wait != nullptr ? wait->on_ : nullptr;
  }
  frames_ = mine;
  on_ = &core;
  waits.PushBack(*this);
  return {};
}

BlockedWait::~BlockedWait() {
  if (frames_ == nullptr) return;
  const std::lock_guard lock(All().mutex);
  Unlink();
}

}  // namespace orchestrate::inline v1::detail
