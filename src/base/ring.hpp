#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <orchestrate/base/sync.hpp>
#include <type_traits>

namespace orchestrate::inline v1::detail {

/// Is a bounded first-in, first-out queue for any number of pushing and popping threads.
///
/// `T` is a pointer or as plain as one, and `T{}` stands for "nothing". A cell whose sequence is its position
/// is free for the push of that position, one more and it holds the item; the pop leaves the position of the
/// next lap. Whoever moves `tail_` or `head_` past a position owns that cell until it stores the next
/// sequence.
///
/// A pop may find nothing while a push of an older position is still writing its cell; `Empty()` says
/// "not empty" then.
template <class T>
class Ring {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*));

 public:
  /// Makes an empty ring.
  ///
  /// @param capacity  items it holds; at least 2, rounded up to a power of two.
  /// @param first     the first position; tests begin shortly before it wraps.
  explicit Ring(std::size_t capacity, std::uint64_t first = 0)
      : mask_(std::bit_ceil(capacity < 2 ? 2 : capacity) - 1),
        cells_(new Cell[mask_ + 1]),
        tail_(first),
        head_(first) {
    for (std::uint64_t i = first; i != first + mask_ + 1; ++i) {
      At(i).sequence.store(i, sync::memory_order_relaxed);
    }
  }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { delete[] cells_; }

  /// Adds `item` as the newest unless the ring is full.
  [[nodiscard]] bool TryPush(T item) noexcept {
    std::uint64_t position = tail_.load(sync::memory_order_relaxed);
    for (;;) {
      Cell& cell = At(position);
      // Acquire pairs with the release in Take(): the item of the last lap has been read.
      const std::int64_t lap = Distance(position, cell.sequence.load(sync::memory_order_acquire));
      if (lap < 0) return false;
      if (lap > 0) {
        position = tail_.load(sync::memory_order_relaxed);
        continue;
      }
      // seq_cst pairs with the load in Empty(): after this, a thread that announced itself idle before it
      // asks Empty() is seen by the pusher's next seq_cst load, or sees this.
      if (tail_.compare_exchange_weak(position, position + 1, sync::memory_order_seq_cst,
                                      sync::memory_order_relaxed)) {
        cell.item.store(item, sync::memory_order_relaxed);
        // Release pairs with the acquire in Pop...(): the item and what it points to are visible.
        cell.sequence.store(position + 1, sync::memory_order_release);
        return true;
      }
    }
  }

  /// Takes the oldest item, or `T{}`.
  T TryPop() noexcept {
    return PopWhen([](T) { return true; });
  }

  /// Takes the oldest item when it is `expected`, otherwise changes nothing.
  [[nodiscard]] bool TryPopIf(T expected) noexcept {
    return PopWhen([expected](T item) { return item == expected; }) != T{};
  }

  /// Tells whether every push that had begun has been popped.
  ///
  /// With a push that returned before: the pusher pushes and then reads a word (seq_cst), another thread
  /// writes that word (seq_cst) and then asks `Empty()`; at least one of them sees the other.
  [[nodiscard]] bool Empty() const noexcept {
    // seq_cst pairs with the compare-exchange in TryPush(). An old head_ can only say "not empty".
    const std::uint64_t tail = tail_.load(sync::memory_order_seq_cst);
    return Distance(head_.load(sync::memory_order_relaxed), tail) <= 0;
  }

  /// Counts the items; a snapshot.
  [[nodiscard]] std::size_t Size() const noexcept {
    const std::uint64_t tail = tail_.load(sync::memory_order_relaxed);
    const std::int64_t size = Distance(head_.load(sync::memory_order_relaxed), tail);
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  /// Counts the pops since construction, and the first position; a snapshot.
  [[nodiscard]] std::uint64_t Popped() const noexcept { return head_.load(sync::memory_order_relaxed); }

  /// Counts the pushes likewise.
  ///
  /// seq_cst: in one order with what the pusher and who asks do before.
  [[nodiscard]] std::uint64_t Pushed() const noexcept { return tail_.load(sync::memory_order_seq_cst); }

  /// Returns how many items fit.
  [[nodiscard]] std::size_t Capacity() const noexcept { return static_cast<std::size_t>(mask_) + 1; }

 private:
  struct Cell {
    sync::atomic<std::uint64_t> sequence{0};
    sync::atomic<T> item{};  // atomic because a pop that comes too late may still read it
  };

  static std::int64_t Distance(std::uint64_t from, std::uint64_t to) noexcept {
    return static_cast<std::int64_t>(to - from);  // right across the wrap
  }
  Cell& At(std::uint64_t position) noexcept { return cells_[static_cast<std::size_t>(position & mask_)]; }

  template <class Predicate>
  T PopWhen(Predicate wanted) noexcept {
    std::uint64_t position = head_.load(sync::memory_order_relaxed);
    for (;;) {
      Cell& cell = At(position);
      // Acquire pairs with the release in TryPush().
      const std::int64_t lap = Distance(position + 1, cell.sequence.load(sync::memory_order_acquire));
      if (lap < 0) return T{};
      if (lap > 0) {
        position = head_.load(sync::memory_order_relaxed);
        continue;
      }
      // Read before the claim: if another thread pops this position meanwhile, the compare-exchange fails and
      // the item, which may be of a later lap, is forgotten.
      const T item = cell.item.load(sync::memory_order_relaxed);
      if (!wanted(item)) {
        const std::uint64_t now = head_.load(sync::memory_order_relaxed);
        if (now == position) return T{};
        position = now;
        continue;
      }
      // Relaxed: head_ only decides who pops; the cell's sequence carries the data.
      if (head_.compare_exchange_weak(position, position + 1, sync::memory_order_relaxed,
                                      sync::memory_order_relaxed)) {
        // Release pairs with the acquire in TryPush() one lap later: the item has been read.
        cell.sequence.store(position + mask_ + 1, sync::memory_order_release);
        return item;
      }
    }
  }

  const std::uint64_t mask_;
  Cell* const cells_;
  alignas(64) sync::atomic<std::uint64_t> tail_;  // position of the next push
  alignas(64) sync::atomic<std::uint64_t> head_;  // position of the next pop
};

}  // namespace orchestrate::inline v1::detail
