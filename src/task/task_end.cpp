#include <orchestrate/task/detail/task_core.hpp>

#include <orchestrate/time/ticks.hpp>
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "task/context_end.hpp"
#include "task/deferred_delete.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// The last transition, by the one thread that owns it; flags that others set meanwhile stay.
void SetTerminal(TaskCore& core, std::uint32_t phase) noexcept {
  auto state = core.state.load(sync::memory_order_relaxed);
  // Release pairs with the acquire in PhaseNow(): who sees a terminal phase sees value, error and duration.
  while (!core.state.compare_exchange_weak(state, (state & ~std::uint32_t{ContextNode::kPhaseMask}) | phase,
                                           sync::memory_order_acq_rel, sync::memory_order_relaxed)) {
  }
}

// Running or, of a task without a body, Adopting → Completed with `flags`, unless Cancel() was faster.
bool TryComplete(TaskCore& core, std::uint32_t from, std::uint32_t flags) noexcept {
  auto state = core.state.load(sync::memory_order_relaxed);
  do {
    if ((state & ContextNode::kEnded) != 0) return false;
  } while (!core.state.compare_exchange_weak(state, (state ^ (from ^ kCompleted)) | flags,
                                             sync::memory_order_acq_rel, sync::memory_order_relaxed));
  return true;
}

// Says why the task ends. Whoever holds a task without a body in the phase Adopting has won it: a Cancel()
// that was about to win gives up, and leaves its error behind. False when a Cancel() of a running body was
// faster.
bool SetError(TaskCore& core, Error error, std::uint32_t from) noexcept {
  if (from != kAdopting) return core.error.TrySet(std::move(error));
  core.error.Replace(std::move(error));
  return true;
}

// Destroying the callable does, and the observer is.
bool RunsUserCodeAtEnd(const TaskCore& core) noexcept {
  return !core.Ops().light || (core.flags & ContextNode::kSpawned) != 0;
}

// Everything but telling those who wait.
void End(TaskCore& core, BodyResult& result, std::uint32_t from) noexcept {
  bool cancelled = (core.state.load(sync::memory_order_acquire) & ContextNode::kEnded) != 0;
  if (!cancelled && core.scope != nullptr && MayHaveEnded(core)) {
    if (const Error ended = SlowEndOf(core)) {
      SetError(core, EndWithOwn(ended, result.error), from);
      cancelled = true;
    }
  }
  if (!cancelled && (result.end == BodyEnd::Failure || result.end == BodyEnd::Cancelled)) {
    cancelled = !SetError(core, std::move(result.error), from) || result.end == BodyEnd::Cancelled;
  }
  const bool is_put_off = RunsUserCodeAtEnd(core) && IsDeferring();
  if (!is_put_off && !core.Ops().light) core.Ops().destroy(core, kCallable);
  if (!is_put_off && (core.flags & ContextNode::kSpawned) != 0) NoteEnded(core);
  const auto flags =
      (from == kAdopting ? ContextNode::kBodyGone : 0U) | (is_put_off ? ContextNode::kUncalled : 0U);
  if (!cancelled && result.end == BodyEnd::Value && !TryComplete(core, from, flags)) cancelled = true;
  if (cancelled) {
    if (result.end == BodyEnd::Value) core.Ops().destroy(core, kValue);
    SetTerminal(core, kCancelled | flags);
  } else if (result.end == BodyEnd::Failure) {
    SetTerminal(core, kFailed | flags);
  }
  if (is_put_off) DiscardEntryLater(core);
}

}  // namespace

void EndBody(TaskCore& core, BodyResult& result) noexcept { End(core, result, kRunning); }

void FinishBody(TaskCore& core, BodyResult& result) noexcept {
  End(core, result, kRunning);
  NotifyWaiters(core);
}

void FinishUncalled(TaskCore& core, BodyResult& result) noexcept {
  core.error.TrySet(std::move(result.error));
  core.Ops().destroy(core, kCallable);
  NoteEnded(core);
  SetTerminal(core, kCancelled);
  NotifyWaiters(core);
}

bool TryEndUnrun(TaskCore& core, std::uint32_t from, std::uint32_t to, ContextNode* parent) noexcept {
  // Open, as destroying the callable runs code of the user.
  if (!TryFlip(core, from, (from ^ kAdopting) | ContextNode::kOpen)) return false;
  if (core.parent == nullptr && parent != nullptr) Adopt(core, *parent);
  core.ticks.store(0, sync::memory_order_relaxed);
  if (from == kAttached) core.place = nullptr;
  if (!RunsUserCodeAtEnd(core) || !IsDeferring()) {
    core.Ops().destroy(core, kCallable);
    NoteEnded(core);
    SetTerminal(core, to | ContextNode::kEnded);
    return true;
  }
  // A queued one is cleared by the thread that comes to its entry in the queue.
  if (from != kQueued) Ref(core);
  SetTerminal(core, to | ContextNode::kEnded | ContextNode::kUncalled);
  if (from != kQueued) DiscardLater(core);
  return true;
}

namespace {

// A task without a body, held in the phase Adopting, → Cancelled.
void EndOpen(TaskCore& core) noexcept {
  const bool was_listed = !core.Ops().timed && LeaveFollowed(core);
  StampEnd(core);
  const bool is_noted_later = (core.flags & ContextNode::kSpawned) != 0 && IsDeferring();
  if (!is_noted_later) NoteEnded(core);
  SetTerminal(core, kCancelled | ContextNode::kEnded);
  if (is_noted_later) NoteEndedLater(core);
  if (was_listed) Unref(core);  // the list's; the caller has its own
}

// What to do with a task whose body is on a thread: Cancel ends its context, Leave knows that this has ended.
enum class Running : std::uint8_t { Cancel, Leave };

// By the thread that has won the error. False when it lost to a body that leaves with a value.
bool EndWithError(TaskCore& core, Running running) noexcept {
  auto state = core.state.load(sync::memory_order_acquire);
  for (;;) {
    const auto phase = state & ContextNode::kPhaseMask;
    if (phase == kCancelled) return true;  // the body left and found the error set
    if (phase >= kCompleted) return false;
    const bool no_body = (state & ContextNode::kNoBody) != 0;
    if (phase == kAdopting && no_body) return false;  // a promise is being set
    if (phase == kRunning && !no_body && running == Running::Leave) return true;
    if (phase == kAdopting || (phase == kRunning && (state & ContextNode::kPinned) != 0)) {
      sync::Relax();
      state = core.state.load(sync::memory_order_acquire);
    } else if (phase < kRunning) {
      const bool was_listed = phase == kAttached && LeavePredecessor(core);
      const bool is_ended = TryEndUnrun(core, phase, kCancelled);
      if (is_ended) NotifyWaiters(core);
      if (was_listed) Unref(core);  // the list's; the caller has its own
      if (is_ended) return true;
      state = core.state.load(sync::memory_order_acquire);
    } else if (core.state.compare_exchange_weak(
                   state, no_body ? state ^ (kRunning ^ kAdopting) : state | ContextNode::kEnded,
                   sync::memory_order_acq_rel, sync::memory_order_acquire)) {
      if (no_body) EndOpen(core);
      // Below a sleep there is nothing, and each end that is published has all bodies look at their
      // ancestors.
      if (running == Running::Cancel && !core.Ops().timed) PublishEnd(core);
      if (no_body) NotifyWaiters(core);
      return true;
    }
  }
}

}  // namespace

bool EndUnrun(TaskCore& core, std::uint32_t from, const Error& error, std::uint32_t to) noexcept {
  if (core.PhaseNow() != from || !core.error.TrySet(error)) return false;
  if (!TryEndUnrun(core, from, to)) return false;
  NotifyWaiters(core);
  return true;
}

bool CancelTask(TaskCore& core, const Error& cause) noexcept {
  if (core.IsTerminal() || !core.error.TrySet(cause ? cause : Error(Errc::Cancelled))) return false;
  return EndWithError(core, Running::Cancel);
}

void EndBound(TaskCore& core, const Error& cause) noexcept {
  if (core.Ops().timed) return;
  if (!IsBodiless(core.state.load(sync::memory_order_acquire)) || !core.error.TrySet(cause)) return;
  EndWithError(core, Running::Leave);
}

// ---- tasks without a body ----

bool BeginSet(TaskCore& core) noexcept {
  auto state = core.state.load(sync::memory_order_relaxed);
  do {
    if ((state & ContextNode::kPhaseMask) != kRunning) return false;
  } while (!core.state.compare_exchange_weak(state, state ^ (kRunning ^ kAdopting),
                                             sync::memory_order_acquire, sync::memory_order_relaxed));
  return true;
}

void EndSet(TaskCore& core, BodyResult& result) noexcept {
  StampEnd(core);
  End(core, result, kAdopting);
  NotifyWaiters(core);
}

void StampEnd(TaskCore& core) noexcept {
  const auto begin = core.ticks.load(sync::memory_order_relaxed);
  if (begin != 0) core.ticks.store(ReadTicks() - begin, sync::memory_order_relaxed);
}

bool LeaveBody(TaskCore& core) noexcept {
  constexpr auto kBits = ContextNode::kNoBody | ContextNode::kPinned;
  auto state = core.state.load(sync::memory_order_relaxed);
  do {
    if ((state & ContextNode::kEnded) != 0) return false;
  } while (!core.state.compare_exchange_weak(state, state | kBits, sync::memory_order_acq_rel,
                                             sync::memory_order_relaxed));
  return true;
}

// ---- telling ----

namespace {

// The work of telling, done by the outermost call of this thread: a chain of continuations that ends with one
// error is walked in a loop.
struct Telling {
  ChainNode* ended = nullptr;  // tasks that ended because another did, and have waiters of their own to tell
  ChainNode* first = nullptr;  // what runs code of the user, once no other is left to be told
  ChainNode* last = nullptr;
  int nested = 0;             // calls of ReleaseSoon()
  TaskCore* spare = nullptr;  // which the last to be told may take a reference of
};

// Returns the continuation that this worker has to run next, if there is one only: several go where all
// workers take them in the order of their registration. Before the last is told, `spare` is offered: that one
// may be run and gone before this call returns.
TaskCore* TellAll(TaskCore& core, Waiter* newest, TaskCore** spare = nullptr) noexcept {
  TaskCore* first = nullptr;
  bool several = false;
  for (Waiter* at = WaiterList<TaskCore>::Reverse(newest); at != nullptr;) {
    Waiter& waiter = *at;
    at = at->next;
    if (at == nullptr && spare != nullptr) *spare = &core;
    TaskCore* next = waiter.notify(waiter, core, Notice::Ended);
    if (next == nullptr) continue;
    const auto* runtime = RuntimeOf(*next);
    if (runtime == nullptr || runtime != t_thread.runtime || t_thread.slot == nullptr) {
      PostBelow(*next, *next);
    } else if (first == nullptr && !several) {
      first = next;
    } else {
      several = true;
      if (first != nullptr) PostLastBelow(*first, *first);
      first = nullptr;
      PostLastBelow(*next, *next);
    }
  }
  return first;
}

void PostFirst(TaskCore* first) noexcept {
  if (first != nullptr) PostBelow(*first, *first);
}

void TellNext(Telling& telling) noexcept {
  ChainNode& node = *telling.ended;
  telling.ended = static_cast<ChainNode*>(node.next);
  TaskCore* next = node.successor;
  if (node.release != nullptr) node.release(node);
  if (next == nullptr) return;
  PostFirst(TellAll(*next, next->waiters.Close()));
  Unref(*next);
}

void SettleNext(Telling& telling) noexcept {
  ChainNode& node = *telling.first;
  telling.first = static_cast<ChainNode*>(node.next);
  const FreshDeferral fresh;
  node.release(node);
}

// May run inside itself, when what it runs waits: then what is left is done there.
void TellTheRest(Telling& telling) noexcept {
  while (telling.ended != nullptr || telling.first != nullptr) {
    telling.ended != nullptr ? TellNext(telling) : SettleNext(telling);
  }
}

}  // namespace

bool NoteWaited(TaskCore& core, std::uint32_t bits) noexcept {
  bits |= ContextNode::kWaited;
  auto state = core.state.load(sync::memory_order_acquire);
  for (;;) {
    const auto phase = state & ContextNode::kPhaseMask;
    if (phase >= kCompleted) return false;
    if ((state & bits) == bits) return true;
    if (phase == kAdopting && (state & (ContextNode::kNoBody | ContextNode::kOpen)) == 0) {
      sync::Relax();  // TryAdopt() leaves that phase by a store, at once
      state = core.state.load(sync::memory_order_acquire);
    } else if (core.state.compare_exchange_weak(state, state | bits, sync::memory_order_acquire,
                                                sync::memory_order_acquire)) {
      return true;
    }
  }
}

// The flag first: whoever ends the task after that closes the list. The entry is the last touch of `core`,
// for the node may be told, and what keeps the task be given up, at once.
bool AddOwnWaiter(TaskCore& core, Waiter& node) noexcept {
  return NoteWaited(core) && core.waiters.Add(node);
}

bool AddWaiter(TaskCore& core, Waiter& node) noexcept {
  if (!NoteWaited(core, ContextNode::kFollows)) return false;
  FollowContext(core);
  return core.waiters.Add(node);
}

void NotifyWaiters(TaskCore& core, Spare& spare) noexcept {
  if ((core.state.load(sync::memory_order_relaxed) & ContextNode::kWaited) == 0) return;
  Waiter* newest = core.waiters.Close();
  if (newest == nullptr) return;
  const DeferralScope deferral;
  if (t_thread.draining != nullptr) return PostFirst(TellAll(core, newest));
  const bool single = newest->next == nullptr;
  Telling telling;
  t_thread.draining = &telling;
  TaskCore* first = TellAll(core, newest, spare == Spare::Left ? &telling.spare : nullptr);
  if (spare == Spare::Left && std::exchange(telling.spare, nullptr) == nullptr) spare = Spare::Taken;
  if (first != nullptr && telling.ended == nullptr && telling.first == nullptr) {
    const ExecutorUse executor(*first);
    PostFollower(*executor, *first, core);
  } else {
    PostFirst(first);
  }
  TellTheRest(telling);
  t_thread.draining = nullptr;
  if (!single || first == nullptr) t_thread.left_turn = ThreadState::kNoTurn;  // that took its time
}

void TellLater(ChainNode& node) noexcept {
  if (auto* telling = static_cast<Telling*>(t_thread.draining)) {
    node.next = telling->ended;
    telling->ended = &node;
    return;
  }
  TaskCore* core = node.successor;
  if (node.release != nullptr) node.release(node);
  if (core == nullptr) return;
  NotifyWaiters(*core);
  Unref(*core);
}

void ReleaseSoon(ChainNode& node) noexcept {
  constexpr int kNested = 32;
  auto* telling = static_cast<Telling*>(t_thread.draining);
  if (telling == nullptr || telling->nested == kNested) return TellLater(node);
  ++telling->nested;
  node.release(node);
  --telling->nested;
}

void SettleLater(ChainNode& node) noexcept {
  auto* telling = static_cast<Telling*>(t_thread.draining);
  if (telling == nullptr) return node.release(node);
  node.next = nullptr;
  if (telling->first == nullptr) {
    telling->first = &node;
  } else {
    telling->last->next = &node;
  }
  telling->last = &node;
}

void TellPutOff() noexcept {
  if (auto* telling = static_cast<Telling*>(t_thread.draining)) TellTheRest(*telling);
}

void EndSetChained(ChainNode& node, BodyResult& result) noexcept {
  node.successor->place = nullptr;
  StampEnd(*node.successor);
  End(*node.successor, result, kAdopting);
  TellLater(node);
}

bool TakeSpare(TaskCore& predecessor) noexcept {
  auto* telling = static_cast<Telling*>(t_thread.draining);
  if (telling == nullptr || telling->spare != &predecessor) return false;
  telling->spare = nullptr;
  return true;
}

void ReturnSpare(TaskCore& predecessor) noexcept {
  static_cast<Telling*>(t_thread.draining)->spare = &predecessor;
}

}  // namespace orchestrate::inline v1::detail
