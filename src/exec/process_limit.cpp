#include "process_limit.hpp"

#include <atomic>
#include <mutex>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/slab_pool.hpp>

#include "fresh_stack.hpp"
#include "tbb_arena.h"

namespace orchestrate::inline v1::detail {
namespace {

constinit Mutex mutex;
constinit std::atomic<std::size_t> total{0};  // written under mutex
constinit std::atomic<bool> damaged{false};

// Empty slabs that keep their memory: while the timers of a runtime look after them, and while nothing does.
constexpr std::size_t kServedSlabs = 4096;
constexpr std::size_t kUnservedSlabs = 16;

}  // namespace

bool ProcessLimit::InUse() noexcept {
  return total.load(std::memory_order_relaxed) != 0 || damaged.load(std::memory_order_relaxed);
}

std::size_t ProcessLimit::Wanted() noexcept { return 1 + total.load(std::memory_order_relaxed); }

void ProcessLimit::LockForFork() noexcept { mutex.Lock(); }
void ProcessLimit::UnlockAfterFork() noexcept { mutex.Unlock(); }

Error ProcessLimit::Add(std::size_t slots) noexcept {
  WatchForks();
  const std::lock_guard lock(mutex);
  if (orchestrate_arena_set_limit(1 + total + slots) == 0) {
    return {Errc::OutOfResources, "Runtime: oneTBB did not take a limit of threads"};
  }
  if (total == 0) SetPoolWatermark(kServedSlabs);
  total += slots;
  return {};
}

void ProcessLimit::Remove(std::size_t slots) noexcept {
  const std::lock_guard lock(mutex);
  total -= slots;
  if (total != 0) {
    orchestrate_arena_set_limit(1 + total);
    return;
  }
  damaged.load(std::memory_order_relaxed) ? orchestrate_arena_free_limit()
                                          : void(orchestrate_arena_set_limit(0));
  SetPoolWatermark(kUnservedSlabs);
  TrimBlocks();
  DropUnusedStacks();
  DropUnusedStacks();  // those that were idle since the call before
}

void ProcessLimit::NoteNoThread() noexcept { damaged.store(true, std::memory_order_relaxed); }

}  // namespace orchestrate::inline v1::detail
