#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/sync.hpp>

#include "slab.hpp"

namespace orchestrate::inline v1::detail {

// The slabs that one thread allocates from. Heaps are made once and go from a thread that ends to one that
// begins, empty: an ending thread offers its slabs to all.
class alignas(64) ThreadHeap {
 public:
  // The fast paths; see the .cpp for what happens otherwise.
  void* TryAllocate(std::size_t size_class) noexcept {
    Slab* const slab = current_[size_class];
    if (slab == nullptr || slab->free == nullptr) [[unlikely]]
      return nullptr;
    CountLive(1);
    return slab->Take();
  }
  bool TryFree(Slab& slab, Block& block) noexcept {
    if (slab.owner.load(sync::memory_order_relaxed) != this) [[unlikely]]
      return false;
    CountLive(-1);
    block.next = slab.free;
    slab.free = &block;
    if (--slab.live == 0 && current_[slab.size_class] != &slab) [[unlikely]]
      PutAside(slab);
    return true;
  }

  void* Allocate(std::size_t size_class) noexcept;  // null when there is no memory
  void Free(Slab& slab, Block& block) noexcept;
  void ReturnStrays() noexcept;
  void GiveUpSlabs() noexcept;

  // Blocks allocated minus blocks freed by the threads that had this heap; only the sum of all heaps tells.
  std::int64_t Live() const noexcept { return live_.load(sync::memory_order_relaxed); }

  ThreadHeap* next = nullptr;       // of all heaps
  ThreadHeap* next_idle = nullptr;  // of those without a thread

 private:
  // Blocks of one slab of somebody else's, on their way back.
  struct Strays {
    Slab* slab = nullptr;
    Block* first = nullptr;
    Block* last = nullptr;
    std::uint32_t count = 0;
  };
  static constexpr std::size_t kStrays = 8;
  static constexpr std::uint32_t kStrayBatch = 32;

  // One thread writes, so no read-modify-write.
  void CountLive(std::int64_t change) noexcept { live_.store(Live() + change, sync::memory_order_relaxed); }

  Strays& StraysOf(const Slab& slab) noexcept {
    return strays_[(reinterpret_cast<std::uintptr_t>(&slab) / sizeof(Slab)) % kStrays];
  }

  bool Leave(Slab& slab) noexcept;
  Slab* Next(std::size_t size_class) noexcept;
  void Own(Slab& slab) noexcept;
  void LookAtOldest(std::size_t size_class) noexcept;
  void PutAside(Slab& slab) noexcept;
  void GiveUp(Slab& slab) noexcept;
  void AddStray(Slab& slab, Block& block) noexcept;
  void Return(Strays& strays) noexcept;
  void Absorb(Strays& strays) noexcept;

  std::array<Slab*, kClasses> current_{};
  sync::atomic<std::int64_t> live_{0};
  std::array<Slab*, kClasses>
      reserve_{};  // an empty slab, so that a lone block does not cost a lock each time
  std::array<IntrusiveList<Slab>, kClasses> partial_;
  std::array<Strays, kStrays> strays_;
};

}  // namespace orchestrate::inline v1::detail
