#include "exec/thread_state.hpp"

#include "runtime_core.hpp"

// Work that has to start even when all workers are busy. It has a queue of its own and one thread beyond the
// workers, which takes it in turn and leaves when there is none; workers that have nothing else to do take
// it, too. While a piece of it blocks in a wait of the library, another thread goes on in its place.
namespace orchestrate::inline v1::detail {

void RuntimeCore::PostUrgent(Work work) noexcept {
  // The count first, then the phase; Retire() does it the other way round, so one of the two sees the other.
  urgent_.fetch_add(1, std::memory_order_seq_cst);
  urgent_queue_.Push(*work.Release());
  if (IsRetired() || starved_.load(std::memory_order_relaxed)) return QueueUrgent();
  ServeUrgent();
  if (urgent_queue_.Size() > 1) WakeRunner();  // workers that have nothing else to do help
}

// The push first, then the look at the mark; StopServing() does it the other way round: either the runner
// that stops finds the work, or this thread launches another.
void RuntimeCore::ServeUrgent() noexcept {
  if (urgent_queue_.Empty() || urgent_served_.exchange(true, std::memory_order_seq_cst)) return;
  Slot* slot = TakeSlot();
  if (slot == nullptr) return StopServing(Begins::Urgent);
  slot->begins.store(Begins::Urgent, std::memory_order_release);
  if (StartRunner(*slot)) return;
  // The one that was launched in its place meanwhile may have it.
  StopServing(slot->begins.exchange(Begins::Looking, std::memory_order_acq_rel));
  GiveSlot(*slot);
}

// Gives up what a runner that could not be launched would have begun with.
void RuntimeCore::StopServing(Begins begins) noexcept {
  if (begins == Begins::Holding) {
    permits_.Release();
    launch_failed_.store(true, std::memory_order_seq_cst);
    WatchLaunches();
  } else if (begins == Begins::Urgent) {
    urgent_served_.store(false, std::memory_order_seq_cst);
    QueueUrgent();
  }
}

// No thread can be had for it: it waits for a worker like other work.
void RuntimeCore::QueueUrgent() noexcept {
  while (WorkNode* node = urgent_queue_.TryPop()) {
    Enqueue(*node);
    urgent_.fetch_sub(1, std::memory_order_seq_cst);
  }
  NoteQuiet();
}

// By the extra thread.
void RuntimeCore::RunUrgent() noexcept {
  permits_.AcquireForced();
  for (;;) {
    t_thread.serves_urgent = true;
    while (WorkNode* node = urgent_queue_.TryPop()) {
      t_thread.runs_urgent = true;
      node->ops->run(*node);
      if (std::exchange(t_thread.runs_urgent, false)) urgent_.fetch_sub(1, std::memory_order_seq_cst);
      if (!t_thread.serves_urgent) break;
    }
    if (!t_thread.serves_urgent) break;  // it blocked meanwhile, and another thread goes on
    t_thread.serves_urgent = false;
    urgent_served_.store(false, std::memory_order_seq_cst);
    if (urgent_queue_.Empty() || urgent_served_.exchange(true, std::memory_order_seq_cst)) break;
  }
  permits_.Release();
  WakeRunnerIfNeeded();
}

// By the extra thread, when it blocks or does not come back.
void RuntimeCore::HandOverUrgent() noexcept {
  if (!std::exchange(t_thread.serves_urgent, false)) return;
  urgent_served_.store(false, std::memory_order_seq_cst);
  ServeUrgent();
}

// For a worker: from here on it counts as posted to its slot.
WorkNode* RuntimeCore::TakeUrgent(Slot& slot) noexcept {
  WorkNode* node = urgent_queue_.TryPop();
  if (node == nullptr) return nullptr;
  slot.CountPosted(1);
  urgent_.fetch_sub(1, std::memory_order_seq_cst);
  return node;
}

}  // namespace orchestrate::inline v1::detail
