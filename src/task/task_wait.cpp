#include <chrono>
#include <utility>
#include <vector>

#include <orchestrate/base/parker.hpp>
#include <orchestrate/exec/detail/scheduling.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/detail/thread_wait.hpp>
#include "exec/cpu_quota.hpp"
#include "exec/forked.hpp"
#include "exec/fresh_stack.hpp"
#include "exec/thread_state.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"
#include "task/wait_circle.hpp"

namespace orchestrate::inline v1::detail {
namespace {

constexpr int kSpins = 200;  // about two microseconds: a body that runs on another core may be about to leave

Frame* Frames() noexcept { return static_cast<Frame*>(t_thread.frame); }

// Inside a body of a strand nobody else can run what is queued there. Its entry stays and is skipped later.
// False when there was no memory for a stack.
bool ClaimOnStrand(TaskCore& core) noexcept {
  if (!WorksOn(Frames(), *core.scope->home)) return true;
  const Capabilities can = ExecutorOf(core).GetCapabilities();
  if (!can.blocking || can.parallel) return true;
  StackRoom room;
  if (room) room.Run([&core] { TryRun(core, kQueued); });
  return static_cast<bool>(room);
}

// Runs a queued task here instead of waiting for somebody else to do it.
void ClaimQueued(TaskCore& core) noexcept {
  RuntimeCore* runtime = RuntimeOf(core);
  if (runtime == nullptr) return void(ClaimOnStrand(core));
  StackRoom room;
  if (!room) return;
  ClaimRight right(runtime);
  if (!right) return QueueBehind(*runtime, core);
  // What is still in the queue's end is taken out; elsewhere a stale entry stays and is skipped later.
  const bool mine = Unqueue(*runtime, core);
  const bool counted = mine || NoteTaken(*runtime);
  room.Run([&core] { TryRun(core, kQueued); });
  if (counted) right.CountRun();
  if (!mine) return;
  LeaveEntry(core);
  Unref(core);
}

bool IsOnStrand() noexcept {
  for (const Frame* frame = Frames(); frame != nullptr; frame = frame->outer) {
    if (RuntimeOf(*frame->core) == nullptr) return true;
  }
  return false;
}

// Inside a body of a strand, what `core` continues may be queued behind that body.
void ClaimAttached(TaskCore& core) noexcept {
  if (!IsOnStrand()) return;
  std::vector<TaskCore*> before;
  for (TaskCore* at = SharePredecessor(core); at != nullptr; at = SharePredecessor(*at)) {
    try {
      before.push_back(at);
    } catch (...) {
      Unref(*at);
      break;
    }
  }
  const auto claim = [](TaskCore& task) {
    if (task.PhaseNow() == kQueued) (void)ClaimOnStrand(task);
  };
  for (; !before.empty(); before.pop_back()) {
    claim(*before.back());
    Unref(*before.back());
  }
  if (core.PhaseNow() == kQueued) ClaimQueued(core);
}

// Something may have been queued behind the body that waits.
Error LookAgain(TaskCore& core) noexcept {
  if (core.PhaseNow() == kAttached) ClaimAttached(core);
  if (!IsBehind(Frames(), core)) return {};
  if (!ClaimOnStrand(core)) return {Errc::OutOfResources, "Wait: no memory for a stack to run the task on"};
  if (!IsBehind(Frames(), core)) return {};
  return {Errc::WouldDeadlock, "Wait: the task is queued behind the one that waits"};
}

bool RunsInBatchOf(const TaskCore& core) noexcept {
  for (const Frame* frame = Frames(); frame != nullptr; frame = frame->outer) {
    if (frame->core->parent == core.parent) return true;
  }
  return false;
}

// A body that waits for a task of its own batch which is not admitted yet lends it its admission.
void ClaimBatched(TaskCore& core) noexcept {
  if (!RunsInBatchOf(core)) return;
  StackRoom room;
  if (!room) return LendAdmission(core);
  room.Run([&core] { TryRun(core, kBatched); });
}

void Claim(TaskCore& core) noexcept {
  switch (core.PhaseNow()) {
    case kQueued:
      return ClaimQueued(core);
    case kAttached:
      return ClaimAttached(core);
    case kBatched:
      return ClaimBatched(core);
    case kRunning:
      if (core.Ops().help == nullptr) return;
      if (StackRoom room; room) room.Run([&core] { core.Ops().help(core); });
      return;
    default:
      return;
  }
}

struct TaskWaiter : Waiter, ThreadWait {
  explicit TaskWaiter(RuntimeCore* served) noexcept : ThreadWait(served) {
    notify = [](Waiter& waiter, TaskCore& /*core*/, Notice notice) noexcept -> TaskCore* {
      auto& self = static_cast<TaskWaiter&>(waiter);
      notice == Notice::Ended ? self.Finish() : self.Nudge();
      return nullptr;
    };
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

// Blocks until the end or `until`; true at the end.
bool WaitBlocked(TaskCore& core, const TimePoint* until, Error& failure) noexcept {
  TaskWaiter waiter(ServedBy(core));
  if (failure = waiter.Failure(); failure) return false;
  BlockedWait wait;
  if (until == nullptr) failure = wait.Enter(core);
  if (failure) {
    Claim(core);  // it may have been queued behind this body since the look before
    return core.IsTerminal() ? (failure = {}, true) : false;
  }
  if (!AddWaiter(core, waiter)) return true;
  const TimedWait timed(core);
  for (;;) {
    failure = CannotEnd(core);
    if (until == nullptr && !failure) failure = LookAgain(core);
    if (failure && core.waiters.Remove(waiter)) return false;
    bool in_time = true;
    if (until == nullptr) {
      waiter.Sleep();
    } else {
      in_time = waiter.SleepUntil(*until);
    }
    if (!in_time && core.waiters.Remove(waiter)) return false;
    while (!in_time && !waiter.Finished()) waiter.Sleep();  // it ends at this very moment
    if (waiter.Finished()) return failure = {}, true;
  }
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

void LendAdmission(TaskCore& core) noexcept {
  auto state = core.state.load(sync::memory_order_acquire);
  if ((state & ContextNode::kPhaseMask) != kBatched || !RunsInBatchOf(core)) return;
  do {
    if ((state & ContextNode::kPhaseMask) != kBatched) return;
  } while (!core.state.compare_exchange_weak(state, state ^ (kBatched ^ kQueued), sync::memory_order_acq_rel,
                                             sync::memory_order_acquire));
  Ref(core);  // the queue's
  if (!PostTask(core)) Refuse(core);
}

Error CannotEnd(const TaskCore& core) noexcept {
  if (IsForked()) return ForkedError("Wait");
  if (Keeps(Frames(), core)) return {Errc::WouldDeadlock, "Wait: the task waits for itself"};
  if (core.Ops().help != nullptr && IsBehind(Frames(), core)) {
    return {Errc::WouldDeadlock, "Wait: the job's tasks are queued behind the task that waits"};
  }
  if (core.PhaseNow() == kCreated && core.refs.load(sync::memory_order_acquire) == 1) {
    return {Errc::NotStarted, "Wait: the task was not started and this is its only handle"};
  }
  return {};
}

Error PrepareAwait(TaskCore& core) noexcept {
  if (core.IsTerminal()) return {};
  if (!IsForked()) Claim(core);
  return core.IsTerminal() ? Error() : CannotEnd(core);
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
  WaitBlocked(core, nullptr, failure);
  return failure;
}

bool AwaitUntil(TaskCore& core, TimePoint until, Error& failure) noexcept {
  if (core.IsTerminal()) return true;
  failure = CannotEnd(core);
  if (failure) return false;
  LendAdmission(core);
  return WaitBlocked(core, &until, failure);
}

TaskCore* CurrentTask() noexcept { return Frames() != nullptr ? Frames()->core : nullptr; }

}  // namespace orchestrate::inline v1::detail
