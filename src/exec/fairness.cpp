#include <chrono>
#include <utility>

#include <orchestrate/time/ticks.hpp>

#include "runtime_core.hpp"

// A thread that waits runs what it waits for, from wherever in a queue that lies. When it does so again and
// again, it passes over the rest as long as it likes; runners, which are fair, may have no permit meanwhile.
// So those threads have a slice together, and one of them looks at its end whether something was in a queue
// at the last look and still is. If so a thread from outside stands aside: its permit goes to a runner, and
// it waits like any other. A body goes on, as it may hold a lock of the user's that the overdue work wants: a
// runner beyond the width takes one piece of that work and leaves.
namespace orchestrate::inline v1::detail {
namespace {

constexpr auto kClaimSlice = std::chrono::milliseconds(1);
// The deques are looked at more rarely: in a recursion the oldest of a worker waits until all below is done.
constexpr std::uint32_t kDequeLooks = 4;

std::uint64_t ClaimSliceTicks() noexcept {
  constexpr std::uint64_t kSample = std::uint64_t{1} << 30;
  // Inside a runtime only, of which the child of a fork has none.
  static const auto slice = static_cast<std::uint64_t>(
      static_cast<double>(std::chrono::nanoseconds(kClaimSlice).count()) * static_cast<double>(kSample) /
      static_cast<double>(TicksToDuration(kSample).count()));
  return slice;
}

}  // namespace

bool RuntimeCore::LookForOverdue() noexcept {
  auto end = slice_end_.load(std::memory_order_relaxed);
  const auto next = t_thread.left_ticks + ClaimSliceTicks();
  // One thread looks; what it notes is a hint, so relaxed is enough.
  if (!slice_end_.compare_exchange_strong(end, next, std::memory_order_relaxed)) return false;
  bool overdue = IsRingOverdue();
  const auto look = looks_.fetch_add(1, std::memory_order_relaxed);
  if (look % kDequeLooks == 0) overdue = TakeOverdue(look / kDequeLooks) || overdue;
  // Where no thread can be made there is no runner to stand aside for.
  t_thread.stands_aside = overdue && !starved_.load(std::memory_order_relaxed);
  return t_thread.stands_aside;
}

bool RuntimeCore::IsRingOverdue() noexcept {
  const auto popped = injected_.Popped();
  const auto pushed = seen_pushed_.exchange(injected_.Pushed(), std::memory_order_relaxed);
  // What stands in front was in the ring when a whole look for stale entries began.
  if (injected_.HasFront()) return true;
  return !injected_.Empty() && static_cast<std::int64_t>(pushed - popped) > 0;
}

// Puts what is overdue in the deques into the ring, behind which the waiter queues what it waits for. Numbers
// only grow, and the last item of a deque counts as taken by any thread: the same number is the same
// item.
bool RuntimeCore::TakeOverdue(std::uint32_t look) noexcept {
  std::size_t left = MostTaken();
  bool overdue = false;
  const auto count = slot_count_.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < count; ++i) {
    // Each look begins one further on, so that no deque is passed over for ever where few are served.
    Slot* slot = slots_[(look + i) % count].load(std::memory_order_acquire);
    if (slot == nullptr) continue;
    const auto oldest = slot->deque.Empty() ? 0 : slot->deque.Taken() + 1;
    if (slot->oldest.exchange(oldest, std::memory_order_relaxed) != oldest || oldest == 0) continue;
    if (left == 0) continue;
    WorkNode* node = slot->deque.Steal();
    if (node == nullptr) continue;
    --left;
    PutBack(nullptr, *node);
    overdue = true;
  }
  return overdue;
}

// Each of a recursion's tasks that begins out of turn costs a thread that waits meanwhile. So with more
// bodies blocked than there are workers one look takes one of them, and none that would use up the threads
// which other waits need.
std::size_t RuntimeCore::MostTaken() const noexcept {
  const auto blocked = static_cast<std::uint32_t>(blocked_.load(std::memory_order_relaxed));
  if (blocked <= width_) return slot_limit_;
  return 2 * std::size_t{blocked} < options_.spare_workers ? 1 : 0;
}

// At most as many as there are workers; of threads that lend at once each may be one too many for a moment.
void RuntimeCore::LendATurn() noexcept {
  t_thread.stands_aside = false;
  if (permits_.AvailableNow() <= -static_cast<std::int32_t>(width_)) return;
  permits_.AcquireForced();
  std::uint32_t none = 0;
  if (!HandPermitOver(none)) permits_.Release();
}

// False when no runner could be started: the caller still has its permit. Counts what was run under it.
bool RuntimeCore::HandPermitOver(std::uint32_t& ran) noexcept {
  Slot* slot = TakeSlot();
  if (slot == nullptr) return false;
  outside_ran_.fetch_add(std::exchange(ran, 0), std::memory_order_release);
  return StartHolding(*slot);
}

bool RuntimeCore::StartHolding(Slot& slot) noexcept {
  slot.begins.store(Begins::Holding, std::memory_order_release);
  const bool started = StartRunner(slot);
  // The runner that the timers' thread has launched in its place may have the permit.
  const bool kept =
      !started && slot.begins.exchange(Begins::Looking, std::memory_order_acq_rel) == Begins::Holding;
  if (!started) GiveSlot(slot);
  return !kept;
}

// What is in a deque is found by all, so nothing is lost when no runner can be started.
bool RuntimeCore::EnqueueBeside(WorkNode& node) noexcept {
  Slot* slot = starved_.load(std::memory_order_relaxed) ? nullptr : TakeSlot();
  if (slot == nullptr) return false;
  slot->CountPosted(1);
  PushTo(*slot, node);
  // Its runner begins with that: it is nothing else's turn there yet.
  slot->turn = 0;
  slot->took_outside = true;
  permits_.AcquireForced();
  if (!StartHolding(*slot)) ReturnPermit();
  return true;
}

}  // namespace orchestrate::inline v1::detail
