#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/detail/sharer.hpp>
#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include "base/concurrent_queue.hpp"
#include "base/rundown.hpp"
#include "base/work_stealing_deque.hpp"
#include "exec/equal_reports.hpp"
#include "exec/permits.hpp"
#include "exec/scheduling.hpp"
#include "exec/shared_queue.hpp"
#include "exec/thread_state.hpp"

namespace orchestrate::inline v1::detail {

// How a runner that was launched begins.
enum class Begins : std::uint8_t {
  Looking,  // as the one that spins
  Holding,  // with the permit of the runner that launched it in the middle of its work
  Urgent    // as the one that runs urgent work
};

// One place where a runner can work: a one-slot TBB arena, a deque and the counters that only its thread
// writes.
struct alignas(64) Slot {
  explicit Slot(RuntimeCore& core) : owner(&core) {}

  // Release pairs with the acquire in Remaining(): what was counted elsewhere before is seen.
  void CountPosted(int change) noexcept {
    posted.store(posted.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(change),
                 std::memory_order_release);
  }
  void CountRan() noexcept { ran.store(ran.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

  RuntimeCore* owner;
  void* arena = nullptr;
  Slot* next_free = nullptr;
  // How many chores had been done when its runner was launched, plus 1; 0 once that has begun.
  std::atomic<std::uint64_t> launched{0};
  std::atomic<bool> in_place{false};  // launched in place of another one, and has not begun
  bool arena_is_dead = false;
  std::vector<void*> dead_arenas;  // whose entries still lead here
  // Taken once: by its runner, or by the one that is launched in its place.
  std::atomic<Begins> begins{Begins::Looking};
  WorkNode* next = nullptr;  // to be run as soon as the running node has returned; nobody can steal it
  std::uint32_t turn = 0;
  std::uint32_t sweeps = 0;          // looks for stale entries that are still to be made
  bool took_outside = false;         // the last piece of work came from outside before its turn
  std::uint64_t looked_outside = 0;  // ticks
  std::uint32_t random = 0x9e3779b9U;
  std::atomic<std::uint64_t> seen_taken{0};  // of the deque, by the runner that looks for work
  std::atomic<std::uint64_t> oldest{0};  // in the deque at the last look for overdue work: its number plus 1
  std::atomic<std::uint64_t> posted{0};  // written by its thread only, as the next
  std::atomic<std::uint64_t> ran{0};
  WorkStealingDeque<WorkNode*> deque{256};
};

// The report as one line on standard error.
void PrintReport(const Report& report) noexcept;

// The arena: where queued work lies, who may run it, and the runners that do. docs/adr/0002 has the protocol.
class RuntimeCore final : public Executor {
 public:
  explicit RuntimeCore(RuntimeOptions options);
  ~RuntimeCore() override;

  // ---- Executor ----
  void Post(Work work) noexcept override;
  void PostUrgent(Work work) noexcept override;
  [[nodiscard]] Capabilities GetCapabilities() const noexcept override {
    return {.parallel = width_ > 1, .blocking = true};
  }
  [[nodiscard]] TimerService& Timers() noexcept override { return *timers_; }
  [[nodiscard]] TimePoint Now() noexcept override { return timers_->Now(); }
  [[nodiscard]] bool IsRunning() const noexcept override {
    return phase_.load(std::memory_order_seq_cst) == Phase::Running;
  }
  [[nodiscard]] bool IsDraining() const noexcept {
    return phase_.load(std::memory_order_relaxed) == Phase::Draining;
  }

  // ---- queues ----
  void Enqueue(WorkNode& node) noexcept;
  void EnqueueLast(WorkNode& node) noexcept;
  void EnqueueOfMany(WorkNode& node) noexcept;
  // In a queue of its own, with which a runner beyond the width begins; false when there is no place for one.
  [[nodiscard]] bool EnqueueBeside(WorkNode& node) noexcept;
  void EnqueueFollower(WorkNode& node, const WorkNode& ending) noexcept;
  [[nodiscard]] bool Unqueue(WorkNode& node) noexcept;
  void NoteRan() noexcept;
  // Counts a body that a thread from outside runs although its entry is still in a queue.
  void NoteTaken() noexcept { taken_.fetch_add(1, std::memory_order_seq_cst); }

  // ---- permits ----
  [[nodiscard]] bool TryBorrow() noexcept { return permits_.TryAcquire(); }
  void ReturnPermit(std::uint32_t ran = 0) noexcept;
  void TakePermitBack() noexcept { permits_.AcquireForced(); }
  void ServeUrgent() noexcept;
  [[nodiscard]] bool BeginBlocked() noexcept;
  void NoteTimedWait(int change) noexcept {
    timed_waits_.fetch_add(static_cast<std::uint32_t>(change), std::memory_order_seq_cst);
  }
  void EndBlocked() noexcept { blocked_.fetch_add(kBlockedChange - 1, std::memory_order_seq_cst); }

  // ---- fairness ----
  // After a body that a waiter has run, or before it claims one: true when the calling thread has to stand
  // aside, because something has lain in a queue for a whole slice.
  [[nodiscard]] bool OwesATurn() noexcept {
    return t_thread.stands_aside || (IsSliceOver(t_thread.left_ticks) && LookForOverdue());
  }
  // By a body that goes on all the same: a runner beyond the width runs a piece of the overdue work.
  void LendATurn() noexcept;

  // ---- sharing ----
  void AddSharer(Sharer& sharer) noexcept;
  void RemoveSharer(Sharer& sharer) noexcept;
  // Sequentially consistent: pairs with AddSharer(), which enters the sharer and then looks at the permits.
  [[nodiscard]] bool AnySharers() const noexcept { return sharing_.load(std::memory_order_seq_cst) != 0; }
  void AskSharers() noexcept;

  // ---- virtual time ----
  [[nodiscard]] bool IsVirtual() const noexcept { return is_virtual_; }
  void OutsideSleeps() noexcept;
  // The same for a wait of which nobody knows what it depends on: it counts for every runtime in virtual
  // time.
  [[nodiscard]] static bool AnyIsVirtual() noexcept;
  static void StrangerSleeps() noexcept;
  static void StrangerWakes() noexcept;
  void OutsideWakes() noexcept { outside_blocked_.fetch_add(kOutsideChange - 1, std::memory_order_seq_cst); }

  // ---- life ----
  // What WaitIdle() waits for, beyond that no body runs and no work is queued.
  enum class Idle : std::uint8_t {
    NothingSleeps,   // also no work waits for a timer
    Sleepers,        // work may
    SleepingBodies,  // and bodies may, which wait for nothing else
  };
  [[nodiscard]] bool WaitIdle(std::optional<TimePoint> until, Idle idle) noexcept;
  [[nodiscard]] std::size_t Shutdown(ShutdownMode mode, std::chrono::nanoseconds grace) noexcept;
  // By the destructor of the runtime, where that cannot wait for everything: inside one of its own bodies, or
  // on the thread of its timers. Cancels, and leaves the rest to a thread of its own.
  void EndFromInside() noexcept;
  [[nodiscard]] bool IsInside() const noexcept { return t_thread.runtime == this || timers_->IsOwnThread(); }
  // The user's observer and on_report are not used any more when this returns.
  void Silence() noexcept;
  // Gives everything up but the memory, which contexts and tasks may still lead to; no body is running.
  void Retire() noexcept;
  // The same, and goes itself, sooner or later.
  void Bury() noexcept;
  // Kept for ever, because of bodies that do not leave; in a list, so that leak checkers know of it.
  void Abandon() noexcept;
  // The calling thread, which runs a body of this runtime, is in std::exit(): it will not come back.
  void LeaveForGood() noexcept;
  [[nodiscard]] bool SomebodyLeft() const noexcept { return somebody_left_.load(std::memory_order_seq_cst); }
  [[nodiscard]] std::size_t Remaining() const noexcept;
  [[nodiscard]] std::size_t Width() const noexcept { return width_; }
  [[nodiscard]] Observer* GetObserver() const noexcept { return observer_.load(std::memory_order_relaxed); }
  // ObserverUse calls these: null once the runtime is silent.
  [[nodiscard]] Observer* EnterObserver() noexcept {
    observing_.Enter();
    return observer_.load(std::memory_order_seq_cst);
  }
  void LeaveObserver() noexcept { observing_.Leave(); }
  [[nodiscard]] RuntimeOptions& Options() noexcept { return options_; }
  [[nodiscard]] std::chrono::nanoseconds Grace() const noexcept;
  void SendReport(const Report& report) noexcept;
  // Tells what was counted of equal reports.
  void TellCounted() noexcept;

 private:
  enum class Phase : std::uint8_t { Running, Draining, Cancelling, Retired };

  [[nodiscard]] bool IsRetired() const noexcept {
    return phase_.load(std::memory_order_seq_cst) == Phase::Retired;
  }

  static void RunnerEntry(void* slot) noexcept;
  void Runner(Slot& slot) noexcept;
  enum class SliceEnd : std::uint8_t { NoWork, TimeIsUp, Overcommitted };
  [[nodiscard]] SliceEnd WorkForASlice(Slot& slot) noexcept;
  struct Glance;
  struct Sight {
    bool moves;      // something was queued by others, or taken, since the last look
    bool is_theirs;  // whatever lies there is run by those who wait for it
  };
  [[nodiscard]] Sight LookAround(Glance& seen) noexcept;
  [[nodiscard]] bool LookForWork() noexcept;
  [[nodiscard]] WorkNode* Find(Slot& slot) noexcept;
  [[nodiscard]] WorkNode* FindFairly(Slot& slot) noexcept;
  void QueueNext(Slot& slot) noexcept;
  [[nodiscard]] bool IsSliceOver(std::uint64_t ticks) const noexcept {
    return static_cast<std::int64_t>(ticks - slice_end_.load(std::memory_order_relaxed)) > 0;
  }
  [[nodiscard]] bool LookForOverdue() noexcept;
  [[nodiscard]] bool IsRingOverdue() noexcept;
  [[nodiscard]] bool TakeOverdue(std::uint32_t look) noexcept;
  [[nodiscard]] std::size_t MostTaken() const noexcept;
  [[nodiscard]] bool HandPermitOver(std::uint32_t& ran) noexcept;
  [[nodiscard]] bool StartHolding(Slot& slot) noexcept;
  void DropStale(Slot& slot) noexcept;
  void DropStaleInjected() noexcept;
  void PutBack(Slot* slot, WorkNode& node) noexcept;
  void PutInFront(WorkNode& node) noexcept;
  [[nodiscard]] WorkNode* Steal(Slot& slot) noexcept;
  [[nodiscard]] bool AnyWork() const noexcept;
  [[nodiscard]] bool AnyInDeques() const noexcept;
  void WakeRunner() noexcept;
  void WakeRunnerIfNeeded() noexcept;
  void Launch() noexcept;
  [[nodiscard]] bool StartRunner(Slot& slot) noexcept;
  void WatchLaunches() noexcept;
  [[nodiscard]] TimePoint DoChores() noexcept;
  [[nodiscard]] TimePoint LookAfterSlabs(TimePoint now) noexcept;
  [[nodiscard]] bool AnyWaits() const noexcept;
  void LookAfterLaunches(std::uint64_t round) noexcept;
  void LaunchInPlaceOf(Slot& slot, std::uint64_t launched) noexcept;
  [[nodiscard]] bool ShrinkDeques() noexcept;
  void ReportLimit(const char* outcome) noexcept;
  void StopServing(Begins begins) noexcept;
  void RunUrgent() noexcept;
  void HandOverUrgent() noexcept;
  void QueueUrgent() noexcept;
  [[nodiscard]] WorkNode* TakeUrgent(Slot& slot) noexcept;
  void StopIntake() noexcept;
  void WaitForOthers() noexcept;
  void ReportOwnEnd() noexcept;
  void BuryWhenLeft() noexcept;
  [[nodiscard]] Slot* TakeSlot() noexcept;
  void NoteNoThread(Slot& slot) noexcept;
  [[nodiscard]] static bool CanMakeThreads() noexcept;
  void GiveSlot(Slot& slot) noexcept;
  void LeaveRunner(Slot& slot) noexcept;
  [[nodiscard]] bool Quiet(Idle idle) const noexcept;
  [[nodiscard]] bool AllBodiesWait() const noexcept;
  [[nodiscard]] bool NobodyElseRuns() const noexcept;
  void EnterVirtualTime();
  void LeaveVirtualTime() noexcept;
  [[nodiscard]] bool MayJump() const noexcept;
  void NoteQuiet() noexcept;
  void PushTo(Slot& slot, WorkNode& node) noexcept;
  void Inject(WorkNode& node) noexcept;
  void NoteInjected() noexcept;
  void DropQueued() noexcept;
  void DropInjected() noexcept;
  void Tell(const Report& report) noexcept;
  void TellAll(const std::vector<KeptReport>& reports) noexcept;
  RuntimeOptions options_;
  EqualReports equal_reports_;
  std::atomic<Observer*> observer_;  // null once silent, as the user's object may be gone
  Rundown observing_;
  const bool is_virtual_;
  const std::size_t width_;
  const std::size_t slot_limit_;
  std::atomic<Phase> phase_{Phase::Running};

  alignas(64) Permits permits_;
  alignas(64) SharedQueue injected_;
  std::atomic<bool> drops_stale_{false};  // a thread looks for stale entries there
  // What was to be done is what was pushed to `injected_` and the deques, and `taken_`. What is done is what
  // the permits and the slots count, and `outside_ran_`: whatever is taken out of a queue counts once.
  alignas(64) std::atomic<std::uint64_t> taken_{0};
  std::atomic<std::uint64_t> outside_ran_{0};
  std::atomic<std::int64_t> urgent_{0};         // urgent work that has not left
  ConcurrentQueue<WorkNode> urgent_queue_{64};  // counts in `urgent_` only
  std::atomic<bool> urgent_served_{false};      // a runner was launched for it and has not stopped taking it
  std::atomic<bool> ends_inside_{false};        // a body of this runtime is in the destructor
  // Of the threads that run what they wait for: when the next of them looks for overdue work, and what the
  // last one saw.
  std::atomic<std::uint64_t> slice_end_{0};  // ticks
  std::atomic<std::uint64_t> seen_pushed_{0};
  std::atomic<std::uint32_t> looks_{0};
  // How many threads from outside wait, and above that how often this number has changed.
  static constexpr std::uint64_t kOutsideChange = std::uint64_t{1} << 32;
  std::atomic<std::uint64_t> outside_blocked_{0 - kOutsideChange};  // shortly before that wraps, as the next
  // Waits inside tasks, and above that how often this number has changed.
  static constexpr std::uint64_t kBlockedChange = std::uint64_t{1} << 32;
  std::atomic<std::uint64_t> blocked_{0 - kBlockedChange};
  std::atomic<std::uint32_t> timed_waits_{0};  // those of them that only bodies here and timers can end
  std::atomic<bool> somebody_left_{false};
  std::atomic<std::uint32_t> quiet_watchers_{0};
  std::atomic<std::uint32_t> quiet_epoch_{0U - 1};  // shortly before it wraps, so that each test crosses it
  std::atomic<std::uint32_t> runners_{0};
  std::atomic<bool> launches_watched_{false};
  std::atomic<bool> launch_failed_{false};  // for want of memory or slots: the chores try again
  std::atomic<bool> starved_{false};        // no thread could be made: nothing is launched until one can be
  std::atomic<std::uint64_t> chores_{0};
  // By the timer thread:
  TimePoint slabs_due_ = TimePoint::max();
  std::uint64_t late_since_ = 0;      // the round that first saw the launches wait that still do; 0: none
  std::uint64_t relaunched_ = 0;      // the last round that launched in place of another launch
  std::uint64_t relaunch_after_ = 0;  // the round
  std::uint64_t relaunch_pause_ = 1;  // rounds
  bool limit_was_told_ = false;
  std::atomic<std::uint32_t> reporting_{0};  // threads inside on_report
  std::atomic<bool> muted_{false};           // on_report may be gone
  std::atomic<bool> dropped_{false};         // DropQueued() has begun
  std::atomic<bool> dropping_{false};        // somebody is in DropInjected()

  alignas(64) std::atomic<std::size_t> sharing_{0};
  Mutex sharers_mutex_;
  IntrusiveList<Sharer> sharers_;  // under sharers_mutex_

  std::unique_ptr<std::atomic<Slot*>[]> slots_;
  std::atomic<std::size_t> slot_count_{0};
  Mutex slots_mutex_;
  Slot* free_slots_ = nullptr;  // under slots_mutex_
  std::vector<std::unique_ptr<Slot>> owned_slots_;

  std::unique_ptr<TimerService> timers_;
  RuntimeCore* next_abandoned_ = nullptr;
};

}  // namespace orchestrate::inline v1::detail
