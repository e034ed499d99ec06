#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/sync.hpp>
#include "base/remote_free_list.hpp"

namespace orchestrate::inline v1::detail {

inline constexpr std::size_t kUnitBytes = 64;  // sizes and alignment of blocks are multiples of it
inline constexpr std::size_t kSlabBits = 16;
inline constexpr std::size_t kSlabBytes = std::size_t{1} << kSlabBits;
inline constexpr std::size_t kChunkBits = 22;
inline constexpr std::size_t kChunkBytes = std::size_t{1} << kChunkBits;
inline constexpr std::size_t kChunkSlabs = kChunkBytes / kSlabBytes;

inline constexpr std::array<std::uint8_t, 9> kClassUnits{1, 2, 3, 4, 6, 8, 12, 16, 32};
inline constexpr std::size_t kClasses = kClassUnits.size();
inline constexpr std::size_t kLargestBlock = kClassUnits.back() * kUnitBytes;

// The smallest class that holds so many units.
inline constexpr auto kClassOfUnits = [] {
  std::array<std::uint8_t, kLargestBlock / kUnitBytes + 1> table{};
  std::size_t size_class = 0;
  for (std::size_t units = 0; units < table.size(); ++units) {
    if (units > kClassUnits[size_class]) ++size_class;
    table[units] = static_cast<std::uint8_t>(size_class);
  }
  return table;
}();

inline std::size_t ClassOf(std::size_t bytes) noexcept {
  return kClassOfUnits[(bytes + kUnitBytes - 1) / kUnitBytes];
}

// A free block.
struct Block {
  Block* next;
};

// Describes 64 KiB of blocks of one size. The descriptors of a chunk stand in its first slab, so that a slab
// can be given back to the system while its descriptor stays, and that descriptors of different slabs do not
// fall into the same few cache sets.
//
// Every block is free in `free`, or not carved yet, or live: handed out, on its way back through another
// thread's hands, or in `remote`. `live` counts the last kind. A slab has an owner exactly while `remote` is
// not detached; an owned slab is its heap's current one, or in its list of partly used ones, or its reserve.
struct Slab : ListNode<> {
  // The owner's; handed on through `remote` (release/acquire) or the lock of the slab source.
  Block* free = nullptr;
  std::uint32_t live = 0;
  std::uint16_t carved = 0;
  std::uint16_t capacity = 0;
  std::uint16_t block_bytes = 0;
  std::uint8_t size_class = 0;
  std::byte* base = nullptr;

  // Everybody's, on a line of its own. `owner` is only compared with the reader's own heap: just that heap's
  // thread ever makes the two equal or unequal, so relaxed is enough.
  alignas(64) sync::atomic<const void*> owner{nullptr};
  RemoteFreeList remote;
  sync::atomic<bool> abandoned{false};  // in a list of the slab source; written under its lock

  void Format(std::size_t new_class) noexcept {
    free = nullptr;
    live = 0;
    carved = 0;
    size_class = static_cast<std::uint8_t>(new_class);
    block_bytes = static_cast<std::uint16_t>(kClassUnits[new_class] * kUnitBytes);
    capacity = static_cast<std::uint16_t>(kSlabBytes / block_bytes);
  }

  std::uint32_t NumberOf(const Block* block) const noexcept {
    const auto offset = static_cast<std::size_t>(reinterpret_cast<const std::byte*>(block) - base);
    return static_cast<std::uint32_t>(offset / kUnitBytes) + 1;
  }

  Block* BlockOf(std::uint32_t number) const noexcept {
    return number == 0 ? nullptr : reinterpret_cast<Block*>(base + (number - 1) * kUnitBytes);
  }

  // Takes a free block. Owner only, and only when there is one.
  void* Take() noexcept {
    Block* const block = free;
    free = block->next;
    // The next one was perhaps freed by another thread and lies in that core's cache; null does no harm.
    __builtin_prefetch(free, 1);
    ++live;
    return block;
  }

  // Gets free blocks from the other threads, or unused ones. Owner only.
  bool Refill() noexcept {
    if (free != nullptr) return true;
    CollectRemote();
    if (free == nullptr) Carve();
    return free != nullptr;
  }

  void CollectRemote() noexcept {
    const RemoteFreeList::Chain chain = remote.Collect();
    if (chain.count == 0) return;
    Block* const first = BlockOf(chain.first);
    if (free != nullptr) {
      Block* last = first;
      while (last->next != nullptr) last = last->next;
      last->next = free;
    }
    free = first;
    live -= chain.count;
  }

 private:
  void Carve() noexcept {
    constexpr std::size_t kBytesAtOnce = 4096;
    std::size_t count = kBytesAtOnce / block_bytes;
    if (count > std::size_t{capacity} - carved) count = std::size_t{capacity} - carved;
    std::byte* const begin = base + std::size_t{carved} * block_bytes;
    for (std::size_t i = count; i-- > 0;) {
      auto* const block = reinterpret_cast<Block*>(begin + i * block_bytes);
      block->next = free;
      free = block;
    }
    carved = static_cast<std::uint16_t>(carved + count);
  }
};

// The descriptors of the 64 slabs of a chunk; where they begin depends on the chunk, for the cache sets'
// sake.
inline constexpr std::size_t kSlabsOffsetStep = kChunkSlabs * sizeof(Slab);
inline constexpr std::size_t kSlabsOffsets = kSlabBytes / kSlabsOffsetStep;
static_assert(sizeof(Slab) == 128 && kSlabsOffsets == 8);

inline Slab* SlabAt(std::uintptr_t address) noexcept {
  const std::uintptr_t chunk = address & ~(std::uintptr_t{kChunkBytes} - 1);
  const std::uintptr_t offset = (address >> kChunkBits) % kSlabsOffsets * kSlabsOffsetStep;
  const std::uintptr_t index = (address >> kSlabBits) % kChunkSlabs;
  return reinterpret_cast<Slab*>(chunk + offset + index * sizeof(Slab));
}
inline Slab* SlabOf(const void* block) noexcept { return SlabAt(reinterpret_cast<std::uintptr_t>(block)); }

}  // namespace orchestrate::inline v1::detail
