#include "task/deferred_delete.hpp"

#include <memory>
#include <new>
#include <utility>

#include "exec/scheduling.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {
namespace {

TaskCore* Pop(TaskCore*& first) noexcept {
  TaskCore* const core = first;
  if (core != nullptr) first = static_cast<TaskCore*>(std::exchange(core->next, nullptr));
  return core;
}

void Push(TaskCore*& first, TaskCore& core) noexcept {
  core.next = first;
  first = &core;
}

// No thread will run a created task: what was attached to it ends too, and may look at it meanwhile.
bool EndsUnstarted(TaskCore& core) noexcept {
  core.refs.store(1, sync::memory_order_relaxed);
  CancelTask(core, Errc::Cancelled);
  return core.refs.fetch_sub(1, sync::memory_order_acq_rel) == 1;
}

void EndAndDestroy(TaskCore& core) noexcept {
  if (core.PhaseNow() != kCreated || EndsUnstarted(core)) DestroyCore(core);
}

void Discard(TaskCore& core) noexcept {
  DiscardCallable(core);
  Unref(core);
}

void Note(TaskCore& core) noexcept {
  NoteEnded(core);
  Unref(core);
}

using Act = void (*)(TaskCore& core) noexcept;

// What one of the library's own threads leaves to a worker: of the task's executor, or of the default runtime
// for what has no executor or was refused.
struct Errand final : WorkNode {
  Errand(TaskCore& of, Act what) noexcept : WorkNode{&kOps, nullptr}, core(of), act(what) {}

  static void Run(WorkNode& node) noexcept {
    const std::unique_ptr<Errand> self(static_cast<Errand*>(&node));
    const DeferralScope deferral;
    self->act(self->core);
  }
  static void Refused(WorkNode& node) noexcept {
    auto& self = static_cast<Errand&>(node);
    if (std::exchange(self.had_default, true)) return Run(self);  // there is no worker to be had
    try {
      PostBelow(DefaultRoot(), self);
    } catch (...) {
      Run(self);
    }
  }
  static constexpr WorkOps kOps{Run, Refused};

  TaskCore& core;
  const Act act;
  bool had_default = false;
};

void HandToWorker(TaskCore& core, Act act) noexcept {
  auto* const errand = new (std::nothrow) Errand(core, act);
  if (errand == nullptr) return act(core);
  core.scope != nullptr ? PostBelow(core, *errand) : Errand::Refused(*errand);
}

// What was made without a body has no callable, and a job destroyed its own when it ended.
bool MayRunUserCode(const TaskCore& dead) noexcept {
  return dead.scope != nullptr && dead.Ops().run == RunQueued && !dead.Ops().plain;
}

void Drain(DeferredDeletes& lists) noexcept {
  const bool is_own_thread = t_thread.makers_signals != nullptr;
  const auto run = [is_own_thread](TaskCore& core, Act act) {
    is_own_thread ? HandToWorker(core, act) : act(core);
  };
  for (;;) {
    if (TaskCore* core = Pop(lists.uncalled)) {
      run(*core, Discard);
    } else if (!lists.callables.empty()) {
      TaskCore& uncalled = *lists.callables.back();
      lists.callables.pop_back();
      run(uncalled, Discard);
    } else if (!lists.unnoted.empty()) {
      TaskCore& unnoted = *lists.unnoted.back();
      lists.unnoted.pop_back();
      Note(unnoted);
    } else if (TaskCore* dead = Pop(lists.dead)) {
      MayRunUserCode(*dead) ? run(*dead, EndAndDestroy) : EndAndDestroy(*dead);
    } else {
      return;
    }
  }
}

DeferredDeletes& Lists() noexcept { return *static_cast<DeferredDeletes*>(t_thread.deferred); }

}  // namespace

void DeferralScope::Finish() noexcept {
  Drain(lists_);
  t_thread.deferred = nullptr;
}

void DeleteLater(TaskCore& core) noexcept {
  const DeferralScope scope;
  Push(Lists().dead, core);
}

void DiscardLater(TaskCore& core) noexcept {
  const DeferralScope scope;
  Push(Lists().uncalled, core);
}

void DiscardEntryLater(TaskCore& core) noexcept {
  const DeferralScope scope;
  try {
    Lists().callables.push_back(&core);
    Ref(core);
  } catch (...) {  // without memory the callable goes with the block
  }
}

void NoteEndedLater(TaskCore& core) noexcept {
  const DeferralScope scope;
  try {
    Lists().unnoted.push_back(&core);
    Ref(core);
  } catch (...) {
    NoteEnded(core);
  }
}

void DiscardCallable(TaskCore& core) noexcept {
  if ((core.state.load(sync::memory_order_acquire) & ContextNode::kUncalled) == 0) return;
  if ((core.state.fetch_and(~ContextNode::kUncalled, sync::memory_order_acq_rel) & ContextNode::kUncalled) ==
      0)
    return;
  core.Ops().destroy(core, kCallable);
  NoteEnded(core);
}

void RunDeferred() noexcept {
  if (t_thread.deferred != nullptr) Drain(Lists());
}

}  // namespace orchestrate::inline v1::detail
