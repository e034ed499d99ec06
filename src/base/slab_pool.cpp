#include <cstddef>
#include <cstdint>
#include <new>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/base/sync.hpp>

#include "base/sanitizers.hpp"

#include "slab_source.hpp"
#include "thread_heap.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// AddressSanitizer finds a use after free only in its own allocator.
#ifdef ORCHESTRATE_ASAN
constexpr std::size_t kLargestPooled = 0;
#else
constexpr std::size_t kLargestPooled = kLargestBlock;
#endif
constexpr std::align_val_t kAlignment{kUnitBytes};

// Blocks that are too large for a slab.
constinit sync::atomic<std::size_t> large_live{0};

void* AllocateLarge(std::size_t bytes) {
  void* const block = ::operator new(bytes, kAlignment);
  large_live.fetch_add(1, sync::memory_order_relaxed);  // a statistic orders nothing
  return block;
}

void FreeLarge(void* block) noexcept {
  large_live.fetch_sub(1, sync::memory_order_relaxed);
  ::operator delete(block, kAlignment);
}

// Every heap there is, and the one for threads that cannot have their own: those whose thread_locals are
// gone, and those for which there was no memory. Never destroyed.
struct Heaps {
  Mutex mutex;
  ThreadHeap* all = nullptr;
  ThreadHeap* idle = nullptr;
  Mutex shared_mutex;  // before `mutex` and the lock of the slab source
  ThreadHeap shared;

  static Heaps& Instance() noexcept {
    alignas(Heaps) static std::byte storage[sizeof(Heaps)];
    static Heaps* const instance = new (storage) Heaps;
    return *instance;
  }

  ThreadHeap* Acquire() noexcept {
    const MutexLock lock(mutex);
    ThreadHeap* heap = idle;
    if (heap != nullptr) {
      idle = heap->next_idle;
      return heap;
    }
    heap = new (std::nothrow) ThreadHeap;
    if (heap == nullptr) return nullptr;
    heap->next = all;
    return all = heap;
  }

  void Release(ThreadHeap& heap) noexcept {
    const MutexLock lock(mutex);
    heap.next_idle = idle;
    idle = &heap;
  }
};

// Before main: a fork that met another thread in the guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_heaps = Heaps::Instance();

// Trivially destructible: they can be read after this thread's other thread_locals are gone.
constinit thread_local ThreadHeap* thread_heap __attribute__((tls_model("initial-exec"))) = nullptr;
constinit thread_local bool thread_is_ending = false;

struct ThreadEnd {
  bool armed = false;
  ~ThreadEnd() {
    ThreadHeap& heap = *thread_heap;
    thread_heap = nullptr;
    thread_is_ending = true;
    heap.ReturnStrays();
    heap.GiveUpSlabs();
    Heaps::Instance().Release(heap);
  }
};

ThreadHeap* ThreadHeapOrNull() noexcept {
  if (thread_heap != nullptr || thread_is_ending) return thread_heap;
  thread_heap = Heaps::Instance().Acquire();
  if (thread_heap == nullptr) return nullptr;
  static thread_local ThreadEnd end;
  end.armed = true;
  return thread_heap;
}

[[gnu::noinline]] void* AllocateSlowly(std::size_t size_class) {
  void* block = nullptr;
  if (ThreadHeap* const heap = ThreadHeapOrNull()) {
    block = heap->Allocate(size_class);
  } else {
    Heaps& heaps = Heaps::Instance();
    const MutexLock lock(heaps.shared_mutex);
    block = heaps.shared.Allocate(size_class);
  }
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

[[gnu::noinline]] void FreeSlowly(Slab& slab, Block& block) noexcept {
  if (ThreadHeap* const heap = ThreadHeapOrNull()) return heap->Free(slab, block);
  Heaps& heaps = Heaps::Instance();
  const MutexLock lock(heaps.shared_mutex);
  heaps.shared.Free(slab, block);
  heaps.shared.ReturnStrays();
}

}  // namespace

void* AllocateBlock(std::size_t bytes) {
  if (bytes > kLargestPooled) [[unlikely]]
    return AllocateLarge(bytes);
  const std::size_t size_class = ClassOf(bytes);
  if (thread_heap != nullptr) [[likely]] {
    if (void* const block = thread_heap->TryAllocate(size_class)) [[likely]]
      return block;
  }
  return AllocateSlowly(size_class);
}

void FreeBlock(void* block, std::size_t bytes) noexcept {
  if (bytes > kLargestPooled) [[unlikely]]
    return FreeLarge(block);
  Slab& slab = *SlabOf(block);
  auto* const free = new (block) Block;
  if (thread_heap == nullptr || !thread_heap->TryFree(slab, *free)) [[unlikely]]
    FreeSlowly(slab, *free);
}

void ReturnStrayBlocks() noexcept {
  if (thread_heap != nullptr) thread_heap->ReturnStrays();
}

void TrimBlocks() noexcept {
  if (thread_heap != nullptr) {
    thread_heap->ReturnStrays();
    thread_heap->GiveUpSlabs();
  }
  {
    Heaps& heaps = Heaps::Instance();
    const MutexLock lock(heaps.shared_mutex);
    heaps.shared.GiveUpSlabs();
  }
  SlabSource::Instance().DropEmpty();
}

void DropUnusedSlabs() noexcept { SlabSource::Instance().DropUnused(); }

void SetPoolWatermark(std::size_t slabs) noexcept { SlabSource::Instance().SetWatermark(slabs); }

PoolStats Stats() noexcept {
  const SlabSource::Counts counts = SlabSource::Instance().Count();
  PoolStats stats{.live_blocks = large_live.load(sync::memory_order_relaxed),
                  .slabs_in_use = counts.in_use,
                  .resident_slabs = counts.resident,
                  .slab_bytes = kSlabBytes,
                  .bytes_reserved = counts.chunks * kChunkBytes};
  Heaps& heaps = Heaps::Instance();
  const MutexLock lock(heaps.mutex);
  std::int64_t live = heaps.shared.Live();
  for (const ThreadHeap* heap = heaps.all; heap != nullptr; heap = heap->next) live += heap->Live();
  stats.live_blocks += static_cast<std::size_t>(live);
  return stats;
}

void LockPoolForFork() noexcept {
  Heaps& heaps = Heaps::Instance();
  heaps.shared_mutex.Lock();
  heaps.mutex.Lock();
  SlabSource::Instance().Lock().Lock();
}

void UnlockPoolAfterFork() noexcept {
  SlabSource::Instance().Lock().Unlock();
  Heaps& heaps = Heaps::Instance();
  heaps.mutex.Unlock();
  heaps.shared_mutex.Unlock();
}

}  // namespace orchestrate::inline v1::detail
