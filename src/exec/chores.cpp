#include <algorithm>
#include <mutex>
#include <string>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/time/clock.hpp>

#include "base/counted.hpp"
#include "fresh_stack.hpp"
#include "process_limit.hpp"
#include "runtime_core.hpp"
#include "tbb_arena.h"

// What a runtime's timer thread does beside firing timers.
//
// oneTBB takes a thread that blocks inside somebody's parallel_for, which has no other work left, for one
// that is about to come free, and wakes no other for what is enqueued meanwhile. When that thread waits for
// what was enqueued, nobody would ever run it. So a runner that has not begun some milliseconds after its
// launch is launched again, in another arena: each time oneTBB wakes one thread more. On a machine that is
// just busy that would only add threads: as long as that does not help at once, it is done ever more rarely.
// It is done all the same while earlier ones have not begun: each thread that blocks so swallows a launch.
namespace orchestrate::inline v1::detail {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(5);
constexpr std::uint64_t kLongestPause = 128;  // rounds between two launches in place of others
constexpr std::uint64_t kReportAfter = 100;   // rounds for which launches have waited
constexpr auto kSlabsEvery = std::chrono::seconds(1);

const char* CauseOfLimit() noexcept {
  switch (orchestrate_arena_limit_cause()) {
    case OrchestrateLimitOfFirstUse:
      return "oneTBB was used before the first runtime, which fixed its limit at ";
    case OrchestrateLimitOfLibrary:
      return "all runtimes of a process can have ";
    default:
      return "a tbb::global_control of the program allows ";
  }
}

}  // namespace

// The mark on the slot first, then the look whether somebody watches; DoChores() does it the other way round.
void RuntimeCore::WatchLaunches() noexcept {
  if (launches_watched_.load(std::memory_order_seq_cst)) return;
  if (!launches_watched_.exchange(true, std::memory_order_seq_cst))
    timers_->AskForChore(Clock::now() + kPatience);
}

TimePoint RuntimeCore::DoChores() noexcept {
  struct Kept {  // Retire() waits
    std::atomic<std::uint32_t>& runners;
    ~Kept() { runners.fetch_sub(1, std::memory_order_release); }
  } const kept{runners_};
  runners_.fetch_add(1, std::memory_order_seq_cst);
  const auto round = chores_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (starved_.load(std::memory_order_seq_cst) && CanMakeThreads())
    starved_.store(false, std::memory_order_seq_cst);
  const bool starved = starved_.load(std::memory_order_relaxed);
  if (!starved && launch_failed_.exchange(false, std::memory_order_seq_cst)) WakeRunnerIfNeeded();
  const TimePoint now = Clock::now();
  const TimePoint slabs_due = LookAfterSlabs(now);
  const bool any_waits = AnyWaits();
  if (any_waits) {
    if (!starved) LookAfterLaunches(round);
    return now + kPatience;
  }
  late_since_ = 0;
  relaunch_after_ = 0;
  relaunch_pause_ = 1;
  launches_watched_.store(false, std::memory_order_seq_cst);
  if (!AnyWaits() || launches_watched_.exchange(true, std::memory_order_seq_cst)) return slabs_due;
  return now + kPatience;
}

bool RuntimeCore::AnyWaits() const noexcept {
  bool any = launch_failed_.load(std::memory_order_seq_cst);
  const auto count = slot_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    any = any || slots_[i].load(std::memory_order_acquire)->launched.load(std::memory_order_seq_cst) != 0;
  }
  return any;
}

// Launches one runner in place of the one that has waited for the longest, if any has since the last round.
void RuntimeCore::LookAfterLaunches(std::uint64_t round) noexcept {
  Slot* latest = nullptr;
  std::uint64_t launched = round;
  bool any_in_place = false;
  const auto count = slot_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    Slot* slot = slots_[i].load(std::memory_order_acquire);
    const auto mark = slot->launched.load(std::memory_order_seq_cst);
    any_in_place = any_in_place || slot->in_place.load(std::memory_order_relaxed);
    if (mark == 0 || mark >= launched) continue;
    latest = slot;
    launched = mark;
  }
  // The last one has helped at once.
  if (!any_in_place && round == relaunched_ + 1) relaunch_pause_ = (relaunch_pause_ + 1) / 2;
  if (latest == nullptr) return;
  if (late_since_ == 0) late_since_ = round;
  if (round - late_since_ > kReportAfter) ReportLimit("; what is queued waits until it allows more");
  if (round < relaunch_after_) return;
  relaunched_ = round;
  relaunch_after_ = round + relaunch_pause_;
  relaunch_pause_ = std::min(2 * relaunch_pause_, kLongestPause);
  LaunchInPlaceOf(*latest, launched);
}

// When both begin in the end, one finds nothing to do and leaves.
void RuntimeCore::LaunchInPlaceOf(Slot& slot, std::uint64_t launched) noexcept {
  Slot* fresh = TakeSlot();
  if (fresh == nullptr) return;
  const auto now = chores_.load(std::memory_order_relaxed) + 1;
  if (!slot.launched.compare_exchange_strong(launched, now, std::memory_order_relaxed))
    return GiveSlot(*fresh);  // it has begun
  // The slot may have been given back and launched anew since: then this one does what the new launch was to
  // do.
  const Begins begins = slot.begins.exchange(Begins::Looking, std::memory_order_acq_rel);
  fresh->begins.store(begins, std::memory_order_release);
  fresh->in_place.store(true, std::memory_order_relaxed);
  if (StartRunner(*fresh)) return;
  fresh->in_place.store(false, std::memory_order_relaxed);
  StopServing(fresh->begins.exchange(Begins::Looking, std::memory_order_acq_rel));
  GiveSlot(*fresh);
}

// Tells once that the limit of oneTBB's threads in this process is lower than the runtimes need, if it is.
void RuntimeCore::ReportLimit(const char* outcome) noexcept {
  const std::size_t active = orchestrate_arena_active_limit();
  if (active >= ProcessLimit::Wanted() || std::exchange(limit_was_told_, true)) return;
  try {
    const std::string cause = CauseOfLimit();
    SendReport({.what = cause + Counted(active, "thread", "threads") + ", the runtimes want " +
                        std::to_string(ProcessLimit::Wanted()) + outcome});
  } catch (...) {  // without memory for the sentence
  }
}

// Gives memory that nobody needed for a second back to the system; after work, until none is left to give.
TimePoint RuntimeCore::LookAfterSlabs(TimePoint now) noexcept {
  if (slabs_due_ == TimePoint::max()) slabs_due_ = now + kSlabsEvery;
  if (now < slabs_due_) return slabs_due_;
  slabs_due_ = TimePoint::max();
  DropUnusedSlabs();
  DropUnusedStacks();
  const bool grown = ShrinkDeques();
  const PoolStats stats = Stats();
  if (grown || stats.resident_slabs > stats.slabs_in_use || IdleStacks() != 0) slabs_due_ = now + kSlabsEvery;
  return slabs_due_;
}

// True when one is still larger than at first. No runner works while all slots are free, none can be launched
// while the lock is held, and this thread is what DropQueued() and Retire() wait for or exclude by the same
// lock.
bool RuntimeCore::ShrinkDeques() noexcept {
  const std::lock_guard lock(slots_mutex_);
  bool grown = false;
  std::size_t free = 0;
  for (const auto& slot : owned_slots_) grown = grown || slot->deque.HasGrown();
  if (!grown) return false;
  for (const Slot* slot = free_slots_; slot != nullptr; slot = slot->next_free) ++free;
  if (free != owned_slots_.size()) return true;
  grown = false;
  for (const auto& slot : owned_slots_) grown = !slot->deque.Shrink() || grown;
  return grown;
}

}  // namespace orchestrate::inline v1::detail
