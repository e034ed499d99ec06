#pragma once

#include <cstddef>
#include <cstdint>
#include <orchestrate/base/intrusive_queue.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/sync.hpp>
#include "base/ring.hpp"

namespace orchestrate::inline v1::detail {

/// Is an unbounded queue for any number of pushing and popping threads: a ring, and a list for what does not
/// fit.
///
/// It never allocates after construction; the list uses the link inside the item. First in, first out per
/// producer: while the list is not empty every push goes to it, and only its oldest items move to the ring.
///
/// `spilled_` counts the list. It rises before an item is in the list and falls after the item is in the
/// ring, so whoever reads first `spilled_` and then the ring misses nothing, and a producer that reads zero
/// knows that its earlier items stand in the ring.
template <class T, class Link = NextLink<T>>
class ConcurrentQueue {
 public:
  /// Makes an empty queue whose ring holds `ring_capacity` items and begins at position `first`.
  explicit ConcurrentQueue(std::size_t ring_capacity = 1024, std::uint64_t first = 0)
      : ring_(ring_capacity, first) {}

  /// Adds `item` as the newest of this producer.
  ///
  /// @par Blocks  Never for long: behind a full ring a lock is held for a few dozen instructions.
  void Push(T& item) noexcept {
    // Acquire pairs with the release in MoveToRing(): items of this thread that were spilled are in the ring.
    if (spilled_.load(sync::memory_order_acquire) == 0 && ring_.TryPush(&item)) return;
    const MutexLock lock(mutex_);
    // seq_cst pairs with the load in Empty(), as the ring's tail does for a push that fits.
    spilled_.fetch_add(1, sync::memory_order_seq_cst);
    overflow_.Push(item);
    MoveToRing();
  }

  /// Takes the oldest item, or null.
  ///
  /// May find nothing while the push of an older item has not returned; `Empty()` is then false.
  T* TryPop() noexcept {
    if (T* const item = ring_.TryPop()) return item;
    return Refill() ? ring_.TryPop() : nullptr;
  }

  /// Takes the oldest item when it is `item`, otherwise changes no order.
  [[nodiscard]] bool TryPopIf(const T& item) noexcept {
    if (ring_.Empty()) Refill();
    return ring_.TryPopIf(const_cast<T*>(&item));
  }

  /// Tells whether everything that was pushed has been popped.
  ///
  /// The pusher pushes and then reads a word (seq_cst), another thread writes that word by a seq_cst
  /// read-modify-write and then asks `Empty()`: at least one of them sees the other.
  [[nodiscard]] bool Empty() const noexcept {
    // The list first: items move from it to the ring, never back. seq_cst pairs with the fetch_add in Push().
    return spilled_.load(sync::memory_order_seq_cst) == 0 && ring_.Empty();
  }

  /// Counts the items; a snapshot.
  [[nodiscard]] std::size_t Size() const noexcept {
    return spilled_.load(sync::memory_order_relaxed) + ring_.Size();
  }

  /// Counts the pushes since construction, and the first position; never too few.
  [[nodiscard]] std::uint64_t Pushed() const noexcept {
    // The list first, as in Empty(): while an item moves to the ring it may count twice.
    const auto spilled = spilled_.load(sync::memory_order_seq_cst);
    return spilled + ring_.Pushed();
  }

  /// Changes with every pop; a snapshot.
  [[nodiscard]] std::uint64_t Popped() const noexcept { return ring_.Popped(); }

 private:
  static constexpr std::size_t kBatch = 32;

  // Tells whether something may have come into the ring.
  bool Refill() noexcept {
    // Relaxed: a stale zero is a pop that came before the push.
    if (spilled_.load(sync::memory_order_relaxed) == 0) return false;
    const MutexLock lock(mutex_);
    MoveToRing();
    return true;
  }

  // Under the lock.
  void MoveToRing() noexcept {
    std::size_t moved = 0;
    for (; moved < kBatch && !overflow_.Empty(); ++moved) {
      // Unlinked first: once it is in the ring it may be popped and gone.
      T* const item = overflow_.Pop();
      if (ring_.TryPush(item)) continue;
      overflow_.PushFront(*item);
      break;
    }
    // Release pairs with the acquire in Push() and the load in Empty(): who sees the count fall sees the
    // ring.
    if (moved != 0) spilled_.fetch_sub(moved, sync::memory_order_release);
  }

  Ring<T*> ring_;
  alignas(64) sync::atomic<std::size_t> spilled_{0};
  Mutex mutex_;
  IntrusiveQueue<T, Link> overflow_;  // under mutex_
};

}  // namespace orchestrate::inline v1::detail
