#include "process_limit.hpp"

#include <atomic>
#include <mutex>

#include <orchestrate/base/mutex.hpp>

#include "tbb_arena.h"

namespace orchestrate::inline v1::detail {
namespace {

constinit Mutex mutex;
constinit std::atomic<std::size_t> total{0};  // written under mutex
constinit std::atomic<bool> damaged{false};

}  // namespace

bool ProcessLimit::InUse() noexcept {
  return total.load(std::memory_order_relaxed) != 0 || damaged.load(std::memory_order_relaxed);
}

void ProcessLimit::LockForFork() noexcept { mutex.Lock(); }
void ProcessLimit::UnlockAfterFork() noexcept { mutex.Unlock(); }

Error ProcessLimit::Add(std::size_t slots) noexcept {
  WatchForks();
  const std::lock_guard lock(mutex);
  if (orchestrate_arena_set_limit(1 + total + slots) == 0) {
    return {Errc::OutOfResources, "Runtime: oneTBB did not take a limit of threads"};
  }
  total += slots;
  return {};
}

void ProcessLimit::Remove(std::size_t slots) noexcept {
  const std::lock_guard lock(mutex);
  total -= slots;
  if (total == 0 && damaged.load(std::memory_order_relaxed)) return orchestrate_arena_free_limit();
  orchestrate_arena_set_limit(total == 0 ? 0 : 1 + total);
}

void ProcessLimit::NoteNoThread() noexcept { damaged.store(true, std::memory_order_relaxed); }

}  // namespace orchestrate::inline v1::detail
