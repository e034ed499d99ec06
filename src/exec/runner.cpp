#include <algorithm>
#include <thread>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/time/ticks.hpp>
#include "exec/cpu_quota.hpp"
#include "exec/own_thread.hpp"
#include "exec/thread_state.hpp"

#include "runtime_core.hpp"
#include "tbb_arena.h"
#include "tsan.hpp"

// What a runner does: finds work, runs it, looks a little longer, leaves.
namespace orchestrate::inline v1::detail {
namespace {

constexpr auto kSlice = std::chrono::milliseconds(1);    // then oneTBB may lend the thread to somebody else
constexpr auto kLinger = std::chrono::microseconds(50);  // how long an idle runner looks before it leaves
constexpr auto kPolite = std::chrono::microseconds(5);   // after which it offers its core to others
constexpr auto kSharedLinger =
    std::chrono::microseconds(500);                        // the same while others keep work to themselves
constexpr auto kPause = std::chrono::nanoseconds(400);     // between two looks,
constexpr auto kLongestPause = 16 * kPause;                // and at the most
constexpr auto kFairTime = std::chrono::microseconds(20);  // after which work from outside goes first,
constexpr std::uint32_t kFairTurn = 61;                    // as every so often
constexpr std::uint32_t kPasses = 16;                      // looks that leave work to others, at the most
constexpr std::uint32_t kOldestTurn = 30;  // and as often its own oldest: the newest may start more for ever

// The same span in ticks, about: nothing here needs it exactly.
std::uint64_t SliceTicks(std::chrono::nanoseconds span) noexcept {
  constexpr std::uint64_t kSample = std::uint64_t{1} << 30;
  const auto sample = static_cast<double>(TicksToDuration(kSample).count());
  return static_cast<std::uint64_t>(static_cast<double>(span.count()) * static_cast<double>(kSample) /
                                    sample);
}

void PauseFor(std::uint64_t ticks) noexcept {
  for (const auto begin = ReadTicks(); ElapsedTicks(begin, ReadTicks()) < ticks;) sync::Relax();
}

}  // namespace

void RuntimeCore::WakeRunner() noexcept {
  if (permits_.NeedsRunner()) Launch();
}

void RuntimeCore::Launch() noexcept {
  // While no thread can be made each attempt costs oneTBB a worker: the chores find out when one can.
  Slot* slot = starved_.load(std::memory_order_seq_cst) ? nullptr : TakeSlot();
  if (slot != nullptr && StartRunner(*slot)) return;
  if (slot != nullptr) GiveSlot(*slot);
  permits_.StopSpinning();
  // The runners that are there will find the work; there may be none.
  launch_failed_.store(true, std::memory_order_seq_cst);
  WatchLaunches();
}

bool RuntimeCore::StartRunner(Slot& slot) noexcept {
  // One for the runner, which may have left before this call has, and one for this call: Retire() waits for
  // both before it destroys the arena. Release pairs with its acquire.
  runners_.fetch_add(2, std::memory_order_relaxed);
  void* arena = slot.arena;
  slot.launched.store(chores_.load(std::memory_order_relaxed) + 1, std::memory_order_seq_cst);
  NoteHandOver(&slot);
  const auto run = [](void* argument) { RunnerEntry(argument); };
  int result = 0;
  {
    const InsideTbb inside;
    const MakersSignals signals;  // a thread that is made here inherits them
    result = orchestrate_arena_enqueue(arena, run, &slot);
  }
  if (result < 0) NoteNoThread(slot);
  const bool started = result > 0 || slot.launched.exchange(0, std::memory_order_acq_rel) == 0;
  if (started) WatchLaunches();
  runners_.fetch_sub(started ? 1 : 2, std::memory_order_release);
  return started;
}

void RuntimeCore::RunnerEntry(void* argument) noexcept {
  auto& slot = *static_cast<Slot*>(argument);
  NoteTakeOver(&slot);
  if (slot.launched.exchange(0, std::memory_order_acq_rel) == 0) return;  // void
  slot.in_place.store(false, std::memory_order_relaxed);
  WatchForExit();
  const ThreadState outer = t_thread;
  t_thread = {.runtime = slot.owner, .slot = &slot, .frame = nullptr, .draining = nullptr};
  t_thread.in_runner = true;
  slot.owner->Runner(slot);
  t_thread = outer;
}

void RuntimeCore::Runner(Slot& slot) noexcept {
  const Begins begins = slot.begins.exchange(Begins::Looking, std::memory_order_acq_rel);
  if (begins == Begins::Urgent) {
    RunUrgent();
    return LeaveRunner(slot);
  }
  bool holds_permit = begins == Begins::Holding;
  for (;;) {
    if (!holds_permit && !LookForWork()) return LeaveRunner(slot);
    holds_permit = false;
    switch (WorkForASlice(slot)) {
      case SliceEnd::Overcommitted:
        return LeaveRunner(slot);
      case SliceEnd::TimeIsUp:
        slot.begins.store(Begins::Holding, std::memory_order_release);
        if (StartRunner(slot)) {
          runners_.fetch_sub(1, std::memory_order_release);
          return;
        }
        holds_permit = slot.begins.exchange(Begins::Looking, std::memory_order_acq_rel) == Begins::Holding;
        continue;
      case SliceEnd::NoWork:
        break;
    }
    if (permits_.ReleaseAndSpin()) {
      NoteQuiet();
      continue;  // as the one that spins
    }
    if (AnyWork() && permits_.TryAcquire()) {
      holds_permit = true;
      continue;
    }
    NoteQuiet();
    return LeaveRunner(slot);
  }
}

RuntimeCore::SliceEnd RuntimeCore::WorkForASlice(Slot& slot) noexcept {
  // Workers only, of which the child of a fork has none.
  static const std::uint64_t slice = SliceTicks(kSlice);
  const auto begin = ReadTicks();
  bool first = true;
  for (std::uint32_t done = 1;; ++done) {
    WorkNode* node = Find(slot);
    if (node == nullptr) return SliceEnd::NoWork;
    if (std::exchange(first, false)) WakeRunnerIfNeeded();
    t_thread.running = node;
    ++t_thread.turn;
    // A stale entry is no turn for one that has to leave after it.
    const bool is_turn =
        permits_.AvailableNow() >= 0 || node->ops->is_stale == nullptr || !node->ops->is_stale(*node);
    node->ops->run(*node);
    slot.CountRan();
    if (is_turn && permits_.LeaveIfOvercommitted()) return QueueNext(slot), SliceEnd::Overcommitted;
    if (done % 16 == 0 && ReadTicks() - begin > slice) return QueueNext(slot), SliceEnd::TimeIsUp;
  }
}

// Before the worker runs anything else: others may depend on it.
void RuntimeCore::QueueNext(Slot& slot) noexcept {
  WorkNode* node = std::exchange(slot.next, nullptr);
  if (node == nullptr) return;
  PushTo(slot, *node);
  WakeRunner();
}

// What a runner that looks for work saw of the queue that all share; of a deque its slot keeps that.
struct RuntimeCore::Glance {
  std::uint64_t pushed = 0;
  std::uint64_t popped = 0;
  std::uint32_t claimed = 0;  // run by threads from outside
};

// Threads that wait run what they wait for: to take it from under them costs both a trip between the cores.
// So a queue is left to them that holds one piece of work, and another one than at the last look.
RuntimeCore::Sight RuntimeCore::LookAround(Glance& seen) noexcept {
  const Glance now{injected_.Pushed(), injected_.Popped(), permits_.Ran()};
  Sight sight{.moves = now.pushed != seen.pushed, .is_theirs = true};
  if (const auto size = injected_.Size(); size != 0 || injected_.HasFront()) {
    sight.is_theirs = size == 1 && now.popped != seen.popped && now.claimed != seen.claimed;
  }
  seen = now;
  const auto count = slot_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    Slot* slot = slots_[i].load(std::memory_order_acquire);
    if (slot == nullptr) continue;
    const auto taken = slot->deque.Taken();
    const bool moves = taken != slot->seen_taken.load(std::memory_order_relaxed);
    slot->seen_taken.store(taken, std::memory_order_relaxed);
    sight.moves = sight.moves || moves;
    if (const auto size = slot->deque.Size(); size != 0)
      sight.is_theirs = sight.is_theirs && size == 1 && moves;
  }
  return sight;
}

// As the one that spins: true with a permit when there may be work.
bool RuntimeCore::LookForWork() noexcept {
  // Workers only, of which the child of a fork has none.
  static const std::uint64_t linger = SliceTicks(kLinger);
  static const std::uint64_t shared_linger = SliceTicks(kSharedLinger);
  static const std::uint64_t polite = SliceTicks(kPolite);
  static const std::uint64_t ask_again = SliceTicks(kAskAgain);
  static const std::uint64_t first_pause = SliceTicks(kPause);
  static const std::uint64_t longest_pause = SliceTicks(kLongestPause);
  Glance seen;
  (void)LookAround(seen);
  std::uint32_t passes = 0;
  std::uint64_t pause = first_pause;
  auto begin = ReadTicks();
  std::uint64_t asked = 0;
  for (;; PauseFor(pause)) {
    const Sight sight = LookAround(seen);
    // Each look fetches cache lines that they write: the longer they do without this runner, the rarer.
    if (sight.moves) pause = std::min(2 * pause, longest_pause);
    if (AnyWork()) {
      // But now and then anything is taken.
      const bool leaves_it = ++passes % kPasses != 0 && sight.is_theirs;
      if (!leaves_it && permits_.StopSpinningAndAcquire()) return true;
      if (leaves_it) continue;
    } else if (HasSeveralCpus() && IsRunning()) {
      const auto now = ReadTicks();
      // While others keep queueing (and run their work themselves) it stays: a wake costs them more.
      if (sight.moves) begin = now;
      const auto looked = ElapsedTicks(begin, now);
      const bool is_shared = AnySharers();
      if (is_shared && now - asked > ask_again) {
        asked = now;
        AskSharers();
      }
      if (looked < (is_shared ? shared_linger : linger)) {
        if (looked > polite || pause == longest_pause) std::this_thread::yield();
        continue;
      }
    }
    permits_.StopSpinning();
    AskSharers();  // the next answer wakes a runner
    if (!AnyWork() || !permits_.NeedsRunner()) {
      NoteQuiet();
      return false;
    }
  }
}

WorkNode* RuntimeCore::Find(Slot& slot) noexcept {
  if (WorkNode* node = FindFairly(slot)) return node;
  if (WorkNode* node = std::exchange(slot.next, nullptr)) return node;
  if (WorkNode* node = slot.deque.Pop()) return node;
  if (WorkNode* node = injected_.TryPop()) return node;
  if (WorkNode* node = TakeUrgent(slot)) return node;
  return Steal(slot);
}

// What has its turn although there may be newer work at hand.
WorkNode* RuntimeCore::FindFairly(Slot& slot) noexcept {
  // Workers only, of which the child of a fork has none.
  static const std::uint64_t fair_time = SliceTicks(kFairTime);
  if (++slot.turn == kFairTurn) slot.turn = 0;
  if (slot.turn == kOldestTurn) {
    QueueNext(slot);
    if (WorkNode* node = slot.deque.Steal()) return node;
  }
  // No counter is read for this: when the last body left is near enough. Never twice in a row, so that long
  // bodies from outside leave half of the time to what is here.
  const bool is_late =
      !std::exchange(slot.took_outside, false) && t_thread.left_ticks - slot.looked_outside > fair_time;
  if (slot.turn != 0 && !is_late) return nullptr;
  slot.looked_outside = t_thread.left_ticks;
  if (injected_.Empty()) return nullptr;
  QueueNext(slot);
  WorkNode* node = injected_.TryPop();
  slot.took_outside = node != nullptr;
  return node;
}

WorkNode* RuntimeCore::Steal(Slot& slot) noexcept {
  ++t_thread.turn;  // looking around is no part of what comes next
  const auto count = slot_count_.load(std::memory_order_acquire);
  if (count == 0) return nullptr;
  slot.random = slot.random * 1664525U + 1013904223U;
  const std::size_t start = (slot.random >> 8) % count;
  for (std::size_t i = 0; i < count; ++i) {
    Slot* victim = slots_[(start + i) % count].load(std::memory_order_acquire);
    if (victim == nullptr || victim == &slot) continue;
    if (WorkNode* node = victim->deque.Steal()) return node;
  }
  return nullptr;
}

bool RuntimeCore::AnyWork() const noexcept {
  return !injected_.Empty() || !urgent_queue_.Empty() || AnyInDeques();
}

bool RuntimeCore::AnyInDeques() const noexcept {
  const auto count = slot_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    const Slot* slot = slots_[i].load(std::memory_order_acquire);
    if (slot != nullptr && !slot->deque.Empty()) return true;
  }
  return false;
}

void RuntimeCore::LeaveRunner(Slot& slot) noexcept {
  ReturnStrayBlocks();
  GiveSlot(slot);
  WakeRunnerIfNeeded();  // others may have found no slot
  AskSharers();
  NoteQuiet();
  // Release pairs with the acquire in Retire(): the last access of this runner to the core.
  runners_.fetch_sub(1, std::memory_order_release);
}

}  // namespace orchestrate::inline v1::detail
