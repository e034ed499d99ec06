#pragma once

#include <array>
#include <cstddef>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/mutex.hpp>

#include "slab.hpp"

namespace orchestrate::inline v1::detail {

// Hands out slabs to the heaps of the process: abandoned ones of the wanted class, then empty ones that still
// have memory, then others. A lock for every few hundred blocks.
class SlabSource {
 public:
  struct Counts {
    std::size_t in_use = 0;
    std::size_t resident = 0;
    std::size_t chunks = 0;
  };

  // The one of the process; never destroyed.
  static SlabSource& Instance() noexcept;

  // Returns a slab that the caller owns and that has room, or null when there is no memory.
  Slab* Take(std::size_t size_class) noexcept;

  // Takes back a slab without live blocks from its owner.
  void Release(Slab& slab) noexcept;

  // Detaches a partly used slab and offers it to every heap. False when another thread has freed blocks
  // meanwhile: then the caller still owns it.
  [[nodiscard]] bool Abandon(Slab& slab) noexcept;

  // Withdraws the offer of a slab that the caller has claimed.
  void Withdraw(Slab& slab) noexcept;

  void SetWatermark(std::size_t slabs) noexcept;
  void DropEmpty() noexcept;   // gives the memory of every empty slab back
  void DropUnused() noexcept;  // of those that were empty all the time since the last call
  Counts Count() noexcept;
  Mutex& Lock() noexcept { return mutex_; }

 private:
  static constexpr std::size_t kDefaultWatermark = (std::size_t{256} << 20) / kSlabBytes;

  Slab* TakeEmpty() noexcept;
  Slab* TakeNew() noexcept;
  Slab* PopResident(Slab* slab) noexcept;
  void DropAbove(std::size_t kept) noexcept;

  Mutex mutex_;
  std::array<IntrusiveList<Slab>, kClasses> abandoned_;
  IntrusiveList<Slab> resident_;  // empty, with memory; the last one is the warmest
  IntrusiveList<Slab> dropped_;   // empty, without
  std::byte* chunk_ = nullptr;    // the newest
  std::size_t chunk_used_ = kChunkSlabs;
  std::size_t empty_resident_ = 0;
  std::size_t never_needed_ = 0;  // the least of empty_resident_ since the last DropUnused()
  std::size_t watermark_ = kDefaultWatermark;
  Counts counts_;
};

}  // namespace orchestrate::inline v1::detail
