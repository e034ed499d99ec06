#pragma once

#include <cstdint>
#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

/// Holds the blocks of one slab that other threads freed, and says whether the slab has an owner.
///
/// Blocks have the numbers 1 to 65535 and are linked inside themselves by the caller; here stands one word:
/// the number of the first block, their count, or "detached". Any thread pushes a chain with one
/// read-modify-write, the owner takes all at once with another, so the same word coming back is harmless. An
/// owner detaches the slab only while the word is zero, and the one thread that then claims it becomes the
/// owner and may read and write everything that belongs to the owner.
class RemoteFreeList {
 public:
  /// Names linked blocks: the first one's number, 0 for none, and how many there are.
  struct Chain {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  /// Adds `chain`, whose last block `link_last(number)` links to the block with that number, 0 for none.
  ///
  /// @return false when the slab was detached: then the caller owns it now, and keeps the chain.
  template <class LinkLast>
  [[nodiscard]] bool Push(Chain chain, LinkLast&& link_last) noexcept {
    std::uint32_t seen = word_.load(sync::memory_order_relaxed);
    for (;;) {
      if (seen == kDetached) {
        if (Claim()) return false;
        seen = word_.load(sync::memory_order_relaxed);
        continue;
      }
      link_last(seen >> kCountBits);
      const std::uint32_t longer = (chain.first << kCountBits) | ((seen & kCountMask) + chain.count);
      // Release pairs with the acquire in Collect(): the links, and what the freeing threads did to the
      // blocks before. Pushes are read-modify-writes, so each continues the release sequence of the earlier
      // ones.
      if (word_.compare_exchange_weak(seen, longer, sync::memory_order_release, sync::memory_order_relaxed)) {
        return true;
      }
    }
  }

  /// Takes everything. Owner only.
  [[nodiscard]] Chain Collect() noexcept {
    if (word_.load(sync::memory_order_relaxed) == 0) return {};
    // Acquire pairs with the release in Push(). The owner is here, so the word is not "detached".
    const std::uint32_t seen = word_.exchange(0, sync::memory_order_acquire);
    return {seen >> kCountBits, seen & kCountMask};
  }

  /// Gives the slab up. Owner only.
  ///
  /// @return false when blocks have come; the caller is still the owner.
  [[nodiscard]] bool Detach() noexcept {
    std::uint32_t seen = 0;
    // Release pairs with the acquire in Claim(): the next owner sees all that this one wrote.
    return word_.compare_exchange_strong(seen, kDetached, sync::memory_order_release,
                                         sync::memory_order_relaxed);
  }

  /// Makes the caller the owner when the slab is detached.
  [[nodiscard]] bool Claim() noexcept {
    std::uint32_t seen = kDetached;
    // Acquire pairs with the release in Detach().
    return word_.compare_exchange_strong(seen, 0, sync::memory_order_acquire, sync::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kCountBits = 16;
  static constexpr std::uint32_t kCountMask = (1U << kCountBits) - 1;
  static constexpr std::uint32_t kDetached = kCountMask;  // many blocks, but no first one

  sync::atomic<std::uint32_t> word_{0};
};

}  // namespace orchestrate::inline v1::detail
