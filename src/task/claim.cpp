#include "task/claim.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <orchestrate/base/slab_pool.hpp>
#include "exec/scheduling.hpp"

#include "exec/fresh_stack.hpp"
#include "exec/thread_state.hpp"
#include "task/deferred_delete.hpp"
#include "task/frame.hpp"
#include "task/wait_cycle.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// A thread from outside leaves a longer way to the workers, which need not hand over each step.
constexpr std::size_t kFarFromOutside = 16;

// What nothing else can run while the body that waits is there, so that is not asked for the right to it. The
// entry in the queue stays, and is skipped later.
Claimed RunHere(TaskCore& core, std::uint32_t from) noexcept {
  StackRoom room;
  if (!room) return Claimed::NoStack;
  // All the same the rest of the runtime whose permit this is has its turn.
  if (t_thread.runtime != nullptr) (void)OwesATurn(*t_thread.runtime);
  bool ran = false;
  room.Run([&core, &ran, from] { ran = TryRun(core, from); });
  return ran ? Claimed::Ran : Claimed::Nothing;
}

// Inside a body of a strand nothing else can run what is queued there.
Claimed ClaimOnStrand(TaskCore& core) noexcept {
  if (!WorksOn(CurrentFrame(), *core.scope->home)) return Claimed::Nothing;
  const Capabilities can = ExecutorOf(core).GetCapabilities();
  return can.blocking && !can.parallel ? RunHere(core, kQueued) : Claimed::Nothing;
}

// Runs a queued task here instead of waiting until another thread does.
Claimed ClaimQueued(TaskCore& core) noexcept {
  RuntimeCore* runtime = RuntimeOf(core);
  if (runtime == nullptr) return ClaimOnStrand(core);
  StackRoom room;
  if (!room) return Claimed::NoStack;
  ClaimRight right(runtime);
  if (!right) return Claimed::Nothing;
  // What is still in the queue's end is taken out; elsewhere a stale entry stays and is skipped later.
  const bool mine = Unqueue(*runtime, core);
  const bool counted = mine || NoteTaken(*runtime);
  bool ran = false;
  room.Run([&core, &ran] { ran = TryRun(core, kQueued); });
  if (counted) right.CountRun();
  if (mine) {
    LeaveEntry(core);
    Unref(core);
  }
  return ran ? Claimed::Ran : Claimed::Nothing;
}

bool RunsInBatchOf(const TaskCore& core) noexcept {
  for (const Frame* frame = CurrentFrame(); frame != nullptr; frame = frame->outer) {
    if (frame->core->parent == core.parent) return true;
  }
  return false;
}

// A body that waits for a task of its own batch which is not admitted yet lends it its admission.
Claimed ClaimBatched(TaskCore& core) noexcept {
  if (!RunsInBatchOf(core)) return Claimed::Nothing;
  const Claimed result = RunHere(core, kBatched);
  if (result == Claimed::NoStack) (void)LendAdmission(core);
  return result;
}

Claimed HelpJob(TaskCore& core) noexcept {
  StackRoom room;
  if (!room) return Claimed::NoStack;
  room.Run([&core] { core.Ops().help(core); });
  return core.IsTerminal() ? Claimed::Ran : Claimed::Nothing;
}

Claimed ClaimOne(TaskCore& core) noexcept {
  switch (core.PhaseNow()) {
    case kQueued:
      return ClaimQueued(core);
    case kBatched:
      return ClaimBatched(core);
    case kRunning:
      return core.Ops().help != nullptr ? HelpJob(core) : Claimed::Nothing;
    default:
      return Claimed::Nothing;
  }
}

// With a reference.
TaskCore* ShareNext(TaskCore& core, bool& is_timed) noexcept {
  switch (core.PhaseNow()) {
    case kAttached:
      return SharePredecessor(core);
    case kRunning:
      return core.Ops().help == nullptr ? ShareInner(core, is_timed) : nullptr;
    default:
      return nullptr;
  }
}

// From what is waited for to what has to end first.
class Way {
  static constexpr std::size_t kNone = ~std::size_t{0};

 public:
  Way(TaskCore& end, BelowTimeouts below) noexcept : end_(end), below_(below) {}
  Way(const Way&) = delete;
  Way& operator=(const Way&) = delete;
  ~Way() {
    while (!tasks_.empty()) Back();
  }

  [[nodiscard]] TaskCore& Here() const noexcept { return tasks_.empty() ? end_ : *tasks_.back(); }
  // False at what depends on nothing else.
  [[nodiscard]] bool Advance() noexcept {
    if (t_thread.slot == nullptr && tasks_.size() == kFarFromOutside) return false;
    bool is_timed = false;
    TaskCore* next = ShareNext(Here(), is_timed);
    if (next == nullptr) return false;
    try {
      tasks_.push_back(next);
      if (is_timed) below_timeout_ = std::min(below_timeout_, tasks_.size());
      return true;
    } catch (...) {
      Unref(*next);
      return false;
    }
  }
  // False at the end of the way, which is where it began.
  bool Back() noexcept {
    if (tasks_.empty()) return false;
    TaskCore* last = tasks_.back();
    tasks_.pop_back();
    if (tasks_.size() < below_timeout_) below_timeout_ = kNone;
    Unref(*last);
    return true;
  }
  // What lies below a timeout would outlast it here, unless nothing else may run it: behind this body, or
  // in its batch.
  [[nodiscard]] bool MayRun() const noexcept {
    if (below_ == BelowTimeouts::Run || tasks_.size() < below_timeout_) return true;
    const auto phase = Here().PhaseNow();
    return phase == kBatched || (phase == kQueued && RuntimeOf(Here()) == nullptr);
  }

 private:
  TaskCore& end_;
  const BelowTimeouts below_;
  std::vector<TaskCore*> tasks_;       // each with a reference
  std::size_t below_timeout_ = kNone;  // from how many of them on
};

// A second entry of a queued task; the first is skipped later.
class SecondEntry final : public WorkNode {
 public:
  explicit SecondEntry(TaskCore& core) noexcept : WorkNode{&kOps, nullptr}, core_(core) { Ref(core); }
  void Free() noexcept {
    Unref(core_);
    std::destroy_at(this);
    FreeBlock(this, sizeof(SecondEntry));
  }

 private:
  static void Run(WorkNode& node) noexcept {
    auto& self = static_cast<SecondEntry&>(node);
    (void)TryRun(self.core_, kQueued);
    self.Free();
  }
  static void Drop(WorkNode& node) noexcept { static_cast<SecondEntry&>(node).Free(); }
  static constexpr WorkOps kOps{Run, Drop};

  TaskCore& core_;
};

}  // namespace

void HandOverBelowTimeout(TaskCore& core) noexcept {
  Way way(core, BelowTimeouts::Leave);
  while (way.Advance()) {
  }
  TaskCore& here = way.Here();
  RuntimeCore* const runtime = t_thread.runtime;
  if (way.MayRun() || runtime == nullptr || here.PhaseNow() != kQueued || RuntimeOf(here) != runtime) return;
  try {
    auto* entry = ::new (AllocateBlock(sizeof(SecondEntry))) SecondEntry(here);
    if (!PostBeside(*runtime, *entry)) entry->Free();
  } catch (...) {  // without memory it has its turn when that comes
  }
}

Claimed Claim(TaskCore& core, BelowTimeouts below) noexcept {
  const FreshDeferral fresh;
  Claimed result = Claimed::Nothing;
  for (Way way(core, below);;) {
    while (way.Advance()) {
    }
    TaskCore& here = way.Here();
    // What follows something that was run here may be run here, too.
    const bool may_run = way.MayRun() || result == Claimed::Ran;
    const Claimed one = may_run ? ClaimOne(here) : Claimed::Nothing;
    if (one != Claimed::Nothing) result = one;
    if (here.IsTerminal()) {
      if (!way.Back()) return result;
    } else if (one != Claimed::Ran) {
      return result;
    }
  }
}

bool LendAdmission(TaskCore& core) noexcept {
  auto state = core.state.load(sync::memory_order_acquire);
  if ((state & ContextNode::kPhaseMask) != kBatched || !RunsInBatchOf(core)) return false;
  do {
    if ((state & ContextNode::kPhaseMask) != kBatched) return false;
  } while (!core.state.compare_exchange_weak(state, state ^ (kBatched ^ kQueued), sync::memory_order_acq_rel,
                                             sync::memory_order_acquire));
  Ref(core);  // the queue's
  if (!PostTask(core)) Refuse(core);
  return true;
}

}  // namespace orchestrate::inline v1::detail
