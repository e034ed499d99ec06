#include "runtime_core.hpp"

#include <algorithm>
#include <mutex>
#include <string>
#include <thread>

#include <orchestrate/time/deadline.hpp>

#include "base/counted.hpp"
#include "exec/forked.hpp"

#include "process_limit.hpp"
#include "tbb_arena.h"
#include "tsan.hpp"

namespace orchestrate::inline v1::detail {

constinit thread_local ThreadState t_thread;

namespace {

constexpr std::size_t kMostWorkers = 1024;
constexpr std::size_t kMostSpareWorkers = 4096;

[[noreturn]] void Refuse(const std::string& sentence) {
  Error(Errc::InvalidArgument, "Runtime: " + sentence).Rethrow();
}

// Before any thread is made.
RuntimeOptions Checked(RuntimeOptions options) {
  if (IsForked()) ForkedError("Runtime").Rethrow();
  if (options.workers > kMostWorkers) {
    Refuse(std::to_string(options.workers) + " workers, must be 0 to " + std::to_string(kMostWorkers));
  }
  if (options.spare_workers > kMostSpareWorkers) {
    Refuse(std::to_string(options.spare_workers) + " spare workers, must be 0 to " +
           std::to_string(kMostSpareWorkers));
  }
  if (options.grace < options.grace.zero()) {
    Refuse("grace " + std::to_string(options.grace.count()) + " ms, must be >= 0");
  }
  return options;
}

}  // namespace

RuntimeCore::RuntimeCore(RuntimeOptions options)
    : options_(Checked(std::move(options))),
      observer_(options_.observer),
      is_virtual_(options_.clock != nullptr && options_.clock->AsVirtual() != nullptr),
      width_(options_.workers != 0 ? options_.workers : AvailableCpus()),
      // One for each permit, each blocked wait, and two that come or go at this moment.
      slot_limit_(width_ + options_.spare_workers + 2),
      permits_(static_cast<std::int32_t>(width_)),
      slots_(std::make_unique<std::atomic<Slot*>[]>(slot_limit_)),
      timers_(std::make_unique<TimerService>(options_.clock != nullptr ? *options_.clock
                                                                       : ClockSource::Steady())) {
  ExecutorAccess::SetRuntime(*this, *this);
  if (Error error = ProcessLimit::Add(slot_limit_)) error.Rethrow();
  timers_->OnRemovePending(
      [](void* context) noexcept {
        auto& self = *static_cast<RuntimeCore*>(context);
        if (self.quiet_watchers_.load(std::memory_order_seq_cst) != 0) self.NoteQuiet();
      },
      this);
  timers_->SetChore([](void* self) noexcept { return static_cast<RuntimeCore*>(self)->DoChores(); }, this);
  try {
    if (orchestrate_arena_limit_cause() == OrchestrateLimitOfControl) ReportLimit("");
    if (IsVirtual()) EnterVirtualTime();
  } catch (...) {
    ProcessLimit::Remove(slot_limit_);
    throw;
  }
}

// ---- permits ----

void RuntimeCore::ReturnPermit(std::uint32_t ran) noexcept {
  if (std::exchange(t_thread.stands_aside, false) && HandPermitOver(ran)) return;
  permits_.Release(ran);
  WakeRunnerIfNeeded();
  AskSharers();
  NoteQuiet();
}

void RuntimeCore::WakeRunnerIfNeeded() noexcept {
  if (AnyWork()) WakeRunner();
}

bool RuntimeCore::BeginBlocked() noexcept {
  ShareAllOfThread();
  if (t_thread.runtime == this && t_thread.slot != nullptr) QueueNext(*t_thread.slot);
  const auto before = blocked_.fetch_add(kBlockedChange + 1, std::memory_order_seq_cst);
  if (static_cast<std::uint32_t>(before) >= options_.spare_workers) {
    EndBlocked();
    return false;
  }
  if (t_thread.runtime == this) HandOverUrgent();
  return true;
}

// ---- slots ----

Slot* RuntimeCore::TakeSlot() noexcept {
  const std::lock_guard lock(slots_mutex_);
  if (Slot* slot = free_slots_) {
    free_slots_ = slot->next_free;
    return slot;
  }
  const auto count = slot_count_.load(std::memory_order_relaxed);
  if (count == slot_limit_) return nullptr;
  try {
    owned_slots_.push_back(std::make_unique<Slot>(*this));
  } catch (...) {
    return nullptr;
  }
  Slot& slot = *owned_slots_.back();
  {
    const InsideTbb inside;
    slot.arena = orchestrate_arena_create();
  }
  if (slot.arena == nullptr) {
    owned_slots_.pop_back();
    return nullptr;
  }
  slot.random += static_cast<std::uint32_t>(count);
  // Release pairs with the acquire in Steal() and AnyWork(): the slot is complete.
  slots_[count].store(&slot, std::memory_order_release);
  slot_count_.store(count + 1, std::memory_order_release);
  return &slot;
}

void RuntimeCore::GiveSlot(Slot& slot) noexcept {
  if (slot.arena_is_dead) return;
  const std::lock_guard lock(slots_mutex_);
  slot.next_free = free_slots_;
  free_slots_ = &slot;
}

// ---- quiet: nothing runs and nothing can run ----

std::size_t RuntimeCore::Remaining() const noexcept {
  // What ran is read first: as it only grows, and what was posted is never less than it was then, equal sums
  // mean that they were equal in between.
  const auto borrowers = permits_.Ran();
  std::uint64_t ran = outside_ran_.load(std::memory_order_acquire);
  auto count = slot_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i)
    ran += slots_[i].load(std::memory_order_acquire)->ran.load(std::memory_order_acquire);
  std::uint64_t posted = taken_.load(std::memory_order_seq_cst);
  count = slot_count_.load(std::memory_order_acquire);  // what ran may have been posted by a new one
  for (std::size_t i = 0; i < count; ++i)
    posted += slots_[i].load(std::memory_order_acquire)->posted.load(std::memory_order_acquire);
  posted += injected_.Pushed();  // last: what a deque refuses is counted here before it is uncounted there
  return static_cast<std::size_t>(std::max<std::int64_t>(Permits::Less(posted - ran, borrowers), 0));
}

bool RuntimeCore::Quiet(Idle idle) const noexcept {
  // The seq_cst read of the permits pairs with the read-modify-write of whoever gave the last one back: the
  // counters that it wrote before are visible.
  if (permits_.AvailableNow() != static_cast<std::int32_t>(width_)) return false;
  if (urgent_.load(std::memory_order_seq_cst) != 0) return false;
  if (idle == Idle::NothingSleeps && timers_->Pending() > 0) return false;
  if (idle == Idle::SleepingBodies && timers_->Pending() > 0 && AllBodiesWait()) return true;
  if (ends_inside_.load(std::memory_order_seq_cst)) return AllBodiesWait();
  return SomebodyLeft() ? NobodyElseRuns() : Remaining() == 0;
}

// Those that are blocked wait for each other, for timers, or for the body that destroys the runtime. When the
// blocked ones have not changed around the look at the rest, no body was on its way from one to the other.
bool RuntimeCore::AllBodiesWait() const noexcept {
  const auto blocked = blocked_.load(std::memory_order_seq_cst);
  return static_cast<std::uint32_t>(blocked) == timed_waits_.load(std::memory_order_seq_cst) && !AnyWork() &&
         permits_.AvailableNow() == static_cast<std::int32_t>(width_) &&
         blocked_.load(std::memory_order_seq_cst) == blocked;
}

void RuntimeCore::NoteQuiet() noexcept {
  if (quiet_watchers_.load(std::memory_order_seq_cst) != 0) {
    quiet_epoch_.fetch_add(1, std::memory_order_seq_cst);
    sync::FutexWake(quiet_epoch_, 1 << 30);
  }
  if (IsVirtual() && timers_ != nullptr) timers_->Wake();
}

bool RuntimeCore::WaitIdle(std::optional<TimePoint> until, Idle idle) noexcept {
  quiet_watchers_.fetch_add(1, std::memory_order_seq_cst);
  bool quiet = false;
  for (;;) {
    const auto epoch = quiet_epoch_.load(std::memory_order_seq_cst);
    quiet = Quiet(idle);
    if (quiet) break;
    if (!until.has_value()) {
      sync::FutexWait(quiet_epoch_, epoch);
    } else if (Clock::now() >= *until) {
      break;
    } else {
      sync::FutexWaitUntil(quiet_epoch_, epoch, *until);
    }
  }
  quiet_watchers_.fetch_sub(1, std::memory_order_seq_cst);
  return quiet;
}

// ---- life ----

std::size_t RuntimeCore::Shutdown(ShutdownMode mode, std::chrono::nanoseconds grace) noexcept {
  struct AtEnd {
    RuntimeCore& core;
    ~AtEnd() { core.TellCounted(); }
  } const at_end{*this};
  const TimePoint until = SaturatingAdd(Clock::now(), grace);
  Phase running = Phase::Running;
  bool in_time = true;
  if (mode == ShutdownMode::Drain) {
    phase_.compare_exchange_strong(running, Phase::Draining, std::memory_order_seq_cst);
    // What is queued runs with the timers in force that anything waits for. Of those end early what bodies
    // wait for that nothing but a timer would wake.
    timers_->StopUnawaited();
    in_time = WaitIdle(until, Idle::SleepingBodies);
    if (in_time) timers_->Stop();
    in_time = in_time && WaitIdle(until, Idle::NothingSleeps);
  }
  StopIntake();  // after a drain, too: a continuation that is attached from now on must not run
  if (in_time && WaitIdle(until, Idle::NothingSleeps)) return 0;
  DropQueued();  // bodies that do not leave keep nobody waiting who has not begun
  // A call-back that runs counts as one more body only where there is none: the runtime is not quiet.
  const std::size_t own = SomebodyLeft() ? 1 : 0;  // its body will not return
  const std::size_t remaining = std::max(Remaining(), own) - own;
  return std::max<std::size_t>(remaining, urgent_.load(std::memory_order_seq_cst) != 0 ? 1 : own);
}

void RuntimeCore::StopIntake() noexcept {
  phase_.store(Phase::Cancelling, std::memory_order_seq_cst);
  if (auto* root = ExecutorAccess::AttachmentOf(*this).load(std::memory_order_acquire)) root->CancelAll();
  timers_->Stop();
  if (starved_.load(std::memory_order_relaxed)) DropQueued();  // no thread may ever come for it
}

void RuntimeCore::DropQueued() noexcept {
  dropped_.store(true, std::memory_order_seq_cst);
  const auto drop = [this](WorkNode& node) {
    node.ops->drop(node);
    outside_ran_.fetch_add(1, std::memory_order_release);
  };
  while (WorkNode* node = injected_.TryPop()) drop(*node);
  const auto count = slot_count_.load(std::memory_order_acquire);
  const auto steal = [this](std::size_t i) {
    const std::lock_guard lock(slots_mutex_);  // ShrinkDeques() changes what a thief looks at
    return slots_[i].load(std::memory_order_acquire)->deque.Steal();
  };
  for (std::size_t i = 0; i < count; ++i) {
    while (WorkNode* node = steal(i)) drop(*node);
  }
}

// Dropping may post more: the outermost call takes that, too, so that the depth costs no stack.
void RuntimeCore::DropInjected() noexcept {
  while (!injected_.Empty()) {
    if (dropping_.exchange(true, std::memory_order_seq_cst))
      return;  // who drops looks again after letting go
    while (WorkNode* node = injected_.TryPop()) node->ops->drop(*node);
    dropping_.store(false, std::memory_order_seq_cst);
  }
}

void RuntimeCore::Abandon() noexcept {
  Silence();
  static constinit std::atomic<RuntimeCore*> all{nullptr};
  next_abandoned_ = all.exchange(this, std::memory_order_acq_rel);
}

void RuntimeCore::Retire() noexcept {
  if (IsVirtual()) LeaveVirtualTime();
  phase_.store(Phase::Retired, std::memory_order_seq_cst);
  // Once closed, no runner is launched any more; those that are there leave.
  while (!permits_.TryClose(static_cast<std::int32_t>(width_))) std::this_thread::yield();
  while (urgent_.load(std::memory_order_seq_cst) != 0 || runners_.load(std::memory_order_acquire) != 0) {
    std::this_thread::yield();
  }
  timers_->Close();
  DropInjected();
  DropQueued();
  const std::lock_guard lock(slots_mutex_);
  for (auto& slot : owned_slots_) {
    const InsideTbb inside;
    if (!slot->arena_is_dead) orchestrate_arena_destroy(std::exchange(slot->arena, nullptr));
  }
  ProcessLimit::Remove(slot_limit_);
  Silence();
}

void RuntimeCore::Silence() noexcept {
  observer_.store(nullptr, std::memory_order_seq_cst);
  TellCounted();
  muted_.store(true, std::memory_order_seq_cst);
  while (reporting_.load(std::memory_order_seq_cst) != 0 || !observing_.IsEmpty()) std::this_thread::yield();
}

}  // namespace orchestrate::inline v1::detail
