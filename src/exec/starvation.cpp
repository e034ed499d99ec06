#include <thread>

#include "process_limit.hpp"
#include "runtime_core.hpp"
#include "tbb_arena.h"
#include "tsan.hpp"

// What becomes of a runtime for which oneTBB cannot make a thread.
namespace orchestrate::inline v1::detail {

// When oneTBB can make no thread it keeps the entry all the same, which is void when it is begun: the slot is
// not marked as launched. It also takes the arena for one that is served, and leaves it in a state in which
// later calls wait for ever, so the slot gets another one.
void RuntimeCore::NoteNoThread(Slot& slot) noexcept {
  ProcessLimit::NoteNoThread();
  slot.arena_is_dead = true;
  try {
    slot.dead_arenas.push_back(slot.arena);
    const InsideTbb inside;
    if (void* fresh = orchestrate_arena_create()) {
      slot.arena = fresh;
      slot.arena_is_dead = false;
    }
  } catch (...) {  // without memory the slot is given up
  }
  if (starved_.exchange(true, std::memory_order_seq_cst)) return;
  SendReport({.what = "oneTBB could make no thread for a worker; what is queued waits until it can"});
}

// Asked before oneTBB is, to which each attempt costs a worker.
bool RuntimeCore::CanMakeThreads() noexcept {
  try {
    std::thread([] {}).join();
    return true;
  } catch (...) {
    return false;
  }
}

RuntimeCore::~RuntimeCore() {
  // A dead arena still leads to its slot. In a list, so that leak checkers know of it.
  static constinit std::atomic<Slot*> kept{nullptr};
  for (auto& slot : owned_slots_) {
    if (!slot->arena_is_dead && slot->dead_arenas.empty()) continue;
    Slot* const dead = slot.release();
    dead->next_free = kept.exchange(dead, std::memory_order_acq_rel);
  }
}

}  // namespace orchestrate::inline v1::detail
