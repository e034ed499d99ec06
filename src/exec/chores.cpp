#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/time/clock.hpp>

#include "fresh_stack.hpp"
#include "runtime_core.hpp"

// What a runtime's timer thread does beside firing timers.
//
// oneTBB takes a thread that blocks inside somebody's parallel_for, which has no other work left, for one
// that is about to come free, and wakes no other for what is enqueued meanwhile. When that thread waits for
// what was enqueued, nobody would ever run it. So a runner that has not begun some milliseconds after its
// launch is launched again, in another arena: each time oneTBB wakes one thread more.
namespace orchestrate::inline v1::detail {
namespace {

constexpr auto kPatience = std::chrono::milliseconds(5);
constexpr auto kSlabsEvery = std::chrono::seconds(1);

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
  const auto any_waits = [this](std::uint32_t before) {
    bool any = launch_failed_.load(std::memory_order_seq_cst);
    const bool starved = starved_.load(std::memory_order_relaxed);
    const auto count = slot_count_.load(std::memory_order_acquire);
    for (std::size_t i = 0; i < count; ++i) {
      Slot& slot = *slots_[i].load(std::memory_order_acquire);
      const auto launched = slot.launched.load(std::memory_order_seq_cst);
      any = any || launched != 0;
      if (launched != 0 && launched < before && !starved) LaunchInPlaceOf(slot, launched);
    }
    return any;
  };
  if (starved_.load(std::memory_order_seq_cst) && CanMakeThreads())
    starved_.store(false, std::memory_order_seq_cst);
  if (!starved_.load(std::memory_order_relaxed) && launch_failed_.exchange(false, std::memory_order_seq_cst))
    WakeRunnerIfNeeded();
  const TimePoint now = Clock::now();
  const TimePoint slabs_due = LookAfterSlabs(now);
  if (any_waits(round)) return now + kPatience;
  launches_watched_.store(false, std::memory_order_seq_cst);
  if (!any_waits(0) || launches_watched_.exchange(true, std::memory_order_seq_cst)) return slabs_due;
  return now + kPatience;
}

// Gives memory that nobody needed for a second back to the system; after work, until none is left to give.
TimePoint RuntimeCore::LookAfterSlabs(TimePoint now) noexcept {
  if (slabs_due_ == TimePoint::max()) slabs_due_ = now + kSlabsEvery;
  if (now < slabs_due_) return slabs_due_;
  slabs_due_ = TimePoint::max();
  DropUnusedSlabs();
  DropUnusedStacks();
  const PoolStats stats = Stats();
  if (stats.resident_slabs > stats.slabs_in_use || IdleStacks() != 0) slabs_due_ = now + kSlabsEvery;
  return slabs_due_;
}

// When both begin in the end, one finds nothing to do and leaves.
void RuntimeCore::LaunchInPlaceOf(Slot& slot, std::uint32_t launched) noexcept {
  Slot* fresh = TakeSlot();
  if (fresh == nullptr) return;
  const auto now = chores_.load(std::memory_order_relaxed) + 1;
  if (!slot.launched.compare_exchange_strong(launched, now, std::memory_order_relaxed))
    return GiveSlot(*fresh);  // it has begun
  fresh->urgent.store(slot.urgent.exchange(nullptr, std::memory_order_acq_rel), std::memory_order_release);
  fresh->keeps_permit.store(slot.keeps_permit.exchange(false, std::memory_order_acq_rel),
                            std::memory_order_release);
  if (StartRunner(*fresh)) return;
  slot.urgent.store(fresh->urgent.exchange(nullptr, std::memory_order_acq_rel), std::memory_order_release);
  slot.keeps_permit.store(fresh->keeps_permit.exchange(false, std::memory_order_acq_rel),
                          std::memory_order_release);
  GiveSlot(*fresh);
}

}  // namespace orchestrate::inline v1::detail
