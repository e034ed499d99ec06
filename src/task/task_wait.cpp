#include <chrono>
#include <utility>

#include <orchestrate/base/parker.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include "exec/cpu_quota.hpp"
#include "exec/forked.hpp"
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "task/claim.hpp"
#include "task/context_nudge.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"
#include "task/thread_wait.hpp"
#include "task/wait_cycle.hpp"

namespace orchestrate::inline v1::detail {
namespace {

constexpr int kSpins = 200;  // about two microseconds: a body that runs on another core may be about to leave

struct TaskWaiter : Waiter, ThreadWait {
  TaskWaiter(RuntimeCore* served, NoSpare no_spare) noexcept : ThreadWait(served, "Wait", no_spare) {
    notify = CurrentFrame() != nullptr ? Tell : TellOutsider;
  }
  static TaskCore* Tell(Waiter& waiter, TaskCore& /*core*/, Notice notice) noexcept {
    auto& self = static_cast<TaskWaiter&>(waiter);
    notice == Notice::Ended ? self.Finish() : self.Nudge();
    return nullptr;
  }
  static TaskCore* TellOutsider(Waiter& waiter, TaskCore& core, Notice notice) noexcept {
    return Tell(waiter, core, notice);
  }
};

// From then on it is known where the task runs; one that ended before may have no scope.
bool HasPlace(const TaskCore& core) noexcept { return core.PhaseNow() >= kBatched && core.scope != nullptr; }

// True where nothing but bodies of `runtime` and timers can end `core`, or what it continues.
bool WaitsForItsOwn(TaskCore& core, const RuntimeCore* runtime) noexcept {
  TaskCore* at = &core;
  Ref(core);
  while (at->PhaseNow() == kAttached) {
    TaskCore* const before = SharePredecessor(*at);
    if (before == nullptr) break;
    Unref(*std::exchange(at, before));
  }
  bool own = HasPlace(*at) && RuntimeOf(*at) == runtime;
  const bool has_body = (at->state.load(sync::memory_order_relaxed) & ContextNode::kNoBody) == 0;
  own = own && (at->Ops().timed || has_body);
  Unref(*at);
  return own;
}

// While a body blocks in a wait that only bodies of its runtime and timers can end, its runtime knows that.
class TimedWait {
 public:
  explicit TimedWait(TaskCore& core) noexcept {
    RuntimeCore* const runtime = t_thread.runtime;
    if (runtime == nullptr || !WaitsForItsOwn(core, runtime)) return;
    counted_ = runtime;
    NoteTimedWait(*runtime, 1);
  }
  TimedWait(const TimedWait&) = delete;
  TimedWait& operator=(const TimedWait&) = delete;
  ~TimedWait() {
    if (counted_ != nullptr) NoteTimedWait(*counted_, -1);
  }

 private:
  RuntimeCore* counted_ = nullptr;
};

// Why a wait for `core` need not begin.
Error CannotBegin(const TaskCore& core) noexcept {
  if (IsForked()) return ForkedError("Wait");
  if (core.PhaseNow() == kCreated && core.refs.load(sync::memory_order_acquire) == 1) {
    return {Errc::NotStarted, "Wait: the task was not started and this is its only handle"};
  }
  return {};
}

// Why this wait, which is entered by the call, can never end. What it waits for may have been queued behind
// this body since the last look: then that is run, and the result is as before the wait.
Error EnterWait(BlockedWait& wait, TaskCore& core) noexcept {
  for (bool again = false;;) {
    Error failure = CannotBegin(core);
    if (!failure) failure = wait.Enter(TargetsOf(core));
    if (!failure || !failure.Is(Errc::WouldDeadlock)) return failure;
    wait.Leave();
    const Claimed claimed = Claim(core);
    if (claimed == Claimed::NoStack) {
      return {Errc::OutOfResources, "Wait: no memory for a stack to run the task on"};
    }
    // What closed the cycle may have been cancelled before the claim: then there is none at the second look.
    if (claimed == Claimed::Nothing && std::exchange(again, true)) return failure;
  }
}

// Until the end, of which the waiter hears. False when that will not come.
bool WaitForEnd(TaskCore& core, TaskWaiter& waiter, Error& failure) noexcept {
  for (BlockedWait wait(waiter);;) {
    failure = EnterWait(wait, core);
    if (failure && core.waiters.Remove(waiter)) return false;
    if (!failure) HandOverBelowTimeout(core);
    waiter.Sleep();
    wait.Leave();
    if (waiter.Finished()) return failure = {}, true;
    Claim(core);
  }
}

bool WaitForTime(TaskCore& core, TaskWaiter& waiter, TimePoint until, Error& failure) noexcept {
  for (;;) {
    failure = CannotEnd(core);
    if (failure && core.waiters.Remove(waiter)) return false;
    const bool in_time = waiter.SleepUntil(until);
    if (!in_time && core.waiters.Remove(waiter)) return false;
    while (!in_time && !waiter.Finished()) waiter.Sleep();  // it ends at this very moment
    if (waiter.Finished()) return failure = {}, true;
  }
}

bool WaitForContext(TaskCore& core, TaskWaiter& waiter, ContextNode& context, Error& failure) noexcept {
  for (const ContextNudge nudge(&context, waiter);;) {
    failure = nudge.Ended();
    if (!failure) failure = CannotEnd(core);
    if (failure && core.waiters.Remove(waiter)) return false;
    waiter.Sleep();
    if (waiter.Finished()) return failure = {}, true;
  }
}

// What ends a wait beside the end of the task: at most one of them.
struct Bound {
  const TimePoint* until = nullptr;
  ContextNode* context = nullptr;
};

// Null when it depends on two runtimes, or on none that is known.
RuntimeCore* ServedBy(const TaskCore& core, const Bound& bound) noexcept {
  RuntimeCore* const served = ServedBy(core);
  return bound.context == nullptr || RuntimeOf(*bound.context) == served ? served : nullptr;
}

// Blocks until the end of the task or of the bound; true at the former.
bool WaitBlocked(TaskCore& core, const Bound& bound, Error& failure) noexcept {
  const bool is_timed = bound.until != nullptr;
  const bool ends_by_itself = is_timed || (core.Ops().timed && core.PhaseNow() == kRunning);
  TaskWaiter waiter(ServedBy(core, bound), ends_by_itself ? NoSpare::KeepsPermit : NoSpare::Fails);
  if (failure = waiter.Failure(); failure) {
    if (!is_timed) Claim(core, BelowTimeouts::Run);
    if (core.IsTerminal()) return failure = {}, true;
    if (Error never = CannotEnd(core)) failure = never;
    return false;
  }
  if (!AddWaiter(core, waiter)) return true;
  const TimedWait counted(core);
  if (is_timed) return WaitForTime(core, waiter, *bound.until, failure);
  return bound.context != nullptr ? WaitForContext(core, waiter, *bound.context, failure)
                                  : WaitForEnd(core, waiter, failure);
}

bool SpinUntilTerminal(const TaskCore& core) noexcept {
  if (core.IsTerminal() || !HasSeveralCpus()) return core.IsTerminal();
  for (int spin = 0; spin < kSpins; ++spin) {
    if (core.IsTerminal()) return true;
    sync::Relax();
  }
  return false;
}

}  // namespace

bool IsOutsider(const Waiter& waiter) noexcept { return waiter.notify == TaskWaiter::TellOutsider; }

Error CannotEnd(const TaskCore& core) noexcept {
  if (Error failure = CannotBegin(core)) return failure;
  if (Keeps(CurrentFrame(), core)) return {Errc::WouldDeadlock, "Wait: the task waits for itself"};
  if (core.Ops().help != nullptr && IsBehind(CurrentFrame(), core)) {
    return {Errc::WouldDeadlock, "Wait: the job's tasks are queued behind the task that waits"};
  }
  return {};
}

Error PrepareAwait(TaskCore& core) noexcept {
  if (core.IsTerminal()) return {};
  if (!IsForked()) Claim(core);
  return core.IsTerminal() ? Error() : CannotBegin(core);
}

RuntimeCore* ServedBy(const TaskCore& core) noexcept { return HasPlace(core) ? RuntimeOf(core) : nullptr; }

TimePoint NowOf(const TaskCore& core) noexcept {
  if (HasPlace(core)) return NowBelow(core);
  const TaskCore* current = CurrentTask();
  return current != nullptr ? NowBelow(*current) : Clock::now();
}

Error Await(TaskCore& core) noexcept {
  Error failure = PrepareAwait(core);
  if (failure || SpinUntilTerminal(core)) return failure;
  WaitBlocked(core, {}, failure);
  return failure;
}

bool AwaitUntil(TaskCore& core, TimePoint until, Error& failure) noexcept {
  if (core.IsTerminal()) return true;
  failure = CannotEnd(core);
  if (failure) return false;
  (void)LendAdmission(core);
  if (NowOf(core) >= until) return core.IsTerminal();  // to sleep for no time costs a call of the system
  return WaitBlocked(core, {.until = &until}, failure);
}

Error AwaitUnder(TaskCore& core, ContextNode& context) noexcept {
  if (core.IsTerminal() || EndIfContextEnded(core)) return {};
  Error failure = EndOf(context);
  if (!failure) failure = CannotEnd(core);
  if (failure) return failure;
  (void)LendAdmission(core);
  if (SpinUntilTerminal(core)) return {};
  WaitBlocked(core, {.context = &context}, failure);
  return failure;
}

TaskCore* CurrentTask() noexcept { return CurrentFrame() != nullptr ? CurrentFrame()->core : nullptr; }

}  // namespace orchestrate::inline v1::detail
