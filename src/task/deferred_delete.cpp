#include "task/deferred_delete.hpp"

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

// On one of the library's own threads: a worker gives up the last reference instead, one of the default
// runtime for what has no context.
void HandToWorker(TaskCore& core) noexcept {
  try {
    PostBelow(core.scope != nullptr ? static_cast<ContextNode&>(core) : DefaultRoot(), core);
  } catch (...) {  // there is no worker to be had
    Discard(core);
  }
}

void DeleteOnWorker(TaskCore& core) noexcept {
  // What was made without a body has no callable, and a job destroyed its own when it ended.
  const bool may_run_user_code = core.scope != nullptr && core.Ops().run == RunQueued && !core.Ops().plain;
  if (!may_run_user_code) return EndAndDestroy(core);
  core.refs.store(1, sync::memory_order_relaxed);
  HandToWorker(core);
}

void Drain(DeferredDeletes& lists) noexcept {
  const bool is_own_thread = t_thread.makers_signals != nullptr;
  for (;;) {
    if (TaskCore* core = Pop(lists.uncalled)) {
      is_own_thread ? HandToWorker(*core) : Discard(*core);
    } else if (!lists.unnoted.empty()) {
      TaskCore& unnoted = *lists.unnoted.back();
      lists.unnoted.pop_back();
      NoteEnded(unnoted);
      Unref(unnoted);
    } else if (TaskCore* dead = Pop(lists.dead)) {
      is_own_thread ? DeleteOnWorker(*dead) : EndAndDestroy(*dead);
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
