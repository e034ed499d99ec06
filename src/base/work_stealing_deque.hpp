#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>
#include <orchestrate/base/sync.hpp>
#include <type_traits>

namespace orchestrate::inline v1::detail {

/// Is a growing Chase-Lev deque: its owner pushes and pops at the newest end, any thread steals the oldest.
///
/// `T` is a pointer or as plain as one, and `T{}` stands for "nothing". The owner is one thread at a time;
/// handing the role over needs a happens-before edge.
///
/// Memory orders: a pop lowers `bottom_` and then reads `top_`, a thief reads `top_` and then `bottom_`, and
/// both take the last item by a compare-exchange of `top_`. All of these are seq_cst, so of a pop and a steal
/// that want the same item at least one sees the other; no standalone fence is used.
template <class T>
class WorkStealingDeque {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(void*));

 public:
  /// Makes an empty deque.
  ///
  /// @param capacity  slots to begin with; a power of two, doubled whenever it is full.
  /// @param first     the number of the first item; tests begin shortly before it wraps.
  explicit WorkStealingDeque(std::size_t capacity = 256, std::uint64_t first = 0)
      : top_(first), bottom_(first), array_(MakeArray(std::bit_ceil(capacity), nullptr)), known_top_(first) {
    if (array_.load(sync::memory_order_relaxed) == nullptr) throw std::bad_alloc();
  }
  WorkStealingDeque(const WorkStealingDeque&) = delete;
  WorkStealingDeque& operator=(const WorkStealingDeque&) = delete;
  ~WorkStealingDeque() {
    Array* array = array_.load(sync::memory_order_relaxed);
    while (array != nullptr) array = DestroyArray(array);
  }

  /// Adds `item` as the newest. Owner only.
  ///
  /// @return false when the deque was full and there was no memory to grow; nothing has changed then.
  [[nodiscard]] bool Push(T item) noexcept {
    const std::uint64_t bottom = bottom_.load(sync::memory_order_relaxed);
    if (!Place(bottom, item)) return false;
    // Release pairs with the load of bottom_ in Steal(): the thief sees the slot, the array and the item.
    bottom_.store(bottom + 1, sync::memory_order_release);
    return true;
  }

  /// Adds `item` as `Push` does, by a seq_cst exchange.
  ///
  /// For a wake-up handshake: the owner pushes and then reads the idle word (seq_cst); the other thread
  /// writes the idle word (seq_cst) and then asks `Empty()`. At least one of them sees the other.
  [[nodiscard]] bool PushSeqCst(T item) noexcept {
    const std::uint64_t bottom = bottom_.load(sync::memory_order_relaxed);
    if (!Place(bottom, item)) return false;
    // seq_cst pairs with the load of bottom_ in Empty(), and as a release with the one in Steal().
    bottom_.exchange(bottom + 1, sync::memory_order_seq_cst);
    return true;
  }

  /// Takes the newest item, or `T{}`. Owner only.
  T Pop() noexcept {
    const std::uint64_t bottom = bottom_.load(sync::memory_order_relaxed) - 1;
    // top_ only grows: a value that says empty stays true, and the exchange below is saved.
    std::uint64_t top = top_.load(sync::memory_order_relaxed);
    if (Distance(top, bottom) < 0) return T{};
    if (top == bottom) return PopLast(top);
    // seq_cst pairs with the loads in Steal(): a thief either sees the lower bottom or is seen here.
    bottom_.store(bottom, sync::memory_order_seq_cst);
    top = top_.load(sync::memory_order_seq_cst);
    const std::int64_t left = Distance(top, bottom);
    T item{};
    if (left >= 0) item = Slot(bottom).load(sync::memory_order_relaxed);
    if (left > 0) return item;
    // The last item is decided by top_: seq_cst pairs with the thieves' compare-exchange.
    if (left == 0 &&
        !top_.compare_exchange_strong(top, top + 1, sync::memory_order_seq_cst, sync::memory_order_relaxed)) {
      item = T{};
    }
    // Relaxed: whoever reads this value either sees an empty deque or fails at top_.
    bottom_.store(bottom + 1, sync::memory_order_relaxed);
    return item;
  }

  /// Takes the newest item when it is `expected`, otherwise changes nothing. Owner only.
  [[nodiscard]] bool PopIf(T expected) noexcept {
    const std::uint64_t newest = bottom_.load(sync::memory_order_relaxed) - 1;
    // Only the owner writes slots, so a different item is reliable; an equal one may have been stolen.
    if (Slot(newest).load(sync::memory_order_relaxed) != expected) return false;
    return Pop() != T{};
  }

  /// Takes the oldest item, or `T{}` when there is none. Any thread.
  ///
  /// @par Blocks  Never; tries again only after another thread has taken an item.
  T Steal() noexcept {
    return StealWhen([](T) { return true; });
  }

  /// Takes the oldest item when it is `expected`, otherwise changes nothing; may miss it while others steal.
  /// Any thread.
  [[nodiscard]] bool StealIf(T expected) noexcept {
    return StealWhen([expected](T item) { return item == expected; }) != T{};
  }

  /// Tells whether it holds more memory than at first. Any thread, while none shrinks it.
  [[nodiscard]] bool HasGrown() const noexcept {
    // Acquire pairs with the release in Grow(): the array is complete.
    return array_.load(sync::memory_order_acquire)->older != nullptr;
  }

  /// Gives the memory that it has grown by back, when it is empty. While no other thread uses the deque.
  ///
  /// @return false when it holds items, and keeps its memory.
  [[nodiscard]] bool Shrink() noexcept {
    if (!Empty()) return false;
    Array* array = array_.load(sync::memory_order_relaxed);
    while (array->older != nullptr) array = DestroyArray(array);
    // Relaxed: what hands the deque over to other threads shows them the array, too.
    array_.store(array, sync::memory_order_relaxed);
    return true;
  }

  /// Tells whether there is nothing to take. Any thread; a snapshot, but see `PushSeqCst`.
  [[nodiscard]] bool Empty() const noexcept {
    // An old top_ can only say "not empty". seq_cst pairs with the exchange in PushSeqCst().
    const std::uint64_t top = top_.load(sync::memory_order_relaxed);
    return Distance(top, bottom_.load(sync::memory_order_seq_cst)) <= 0;
  }

  /// Counts the items. Any thread; a snapshot.
  [[nodiscard]] std::size_t Size() const noexcept {
    const std::uint64_t top = top_.load(sync::memory_order_relaxed);
    const std::int64_t size = Distance(top, bottom_.load(sync::memory_order_relaxed));
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  /// Counts the items that were taken as the oldest, or the last, since the first number; a snapshot.
  [[nodiscard]] std::uint64_t Taken() const noexcept { return top_.load(sync::memory_order_relaxed); }

 private:
  // As between thieves: whoever moves top_ on has the one item, so the owner can leave bottom_ as it is.
  T PopLast(std::uint64_t top) noexcept {
    const T item = Slot(top).load(sync::memory_order_relaxed);
    // seq_cst pairs with the compare-exchange in StealWhen().
    return top_.compare_exchange_strong(top, top + 1, sync::memory_order_seq_cst, sync::memory_order_relaxed)
               ? item
               : T{};
  }

  template <class Predicate>
  T StealWhen(Predicate wanted) noexcept {
    // seq_cst: see the class comment; also acquire, so that bottom_ is not read from before this top_.
    std::uint64_t top = top_.load(sync::memory_order_seq_cst);
    for (;;) {
      // seq_cst pairs with the store in Pop(), as an acquire with the release in Push().
      const std::uint64_t bottom = bottom_.load(sync::memory_order_seq_cst);
      if (Distance(top, bottom) <= 0) return T{};
      // Acquire pairs with the release in Grow(). The array may be an old one: it is still right for every
      // number that it ever held below `bottom`.
      Array* const array = array_.load(sync::memory_order_acquire);
      const T item = array->Slots()[top & array->mask].load(sync::memory_order_relaxed);
      if (!wanted(item)) return T{};
      // Release pairs with the acquire in Place(): the slot was read before the owner may reuse it. seq_cst
      // pairs with the load and the compare-exchange of top_ in Pop(). On failure `top` is fresh.
      if (top_.compare_exchange_strong(top, top + 1, sync::memory_order_seq_cst,
                                       sync::memory_order_seq_cst)) {
        return item;
      }
    }
  }

  // The slots follow the header in one allocation. An array that was outgrown stays until the destructor,
  // because a thief may still read it; all of them together are smaller than the newest.
  struct Array {
    std::uint64_t mask;
    Array* older;
    sync::atomic<T>* Slots() noexcept { return reinterpret_cast<sync::atomic<T>*>(this + 1); }
  };
  static_assert(alignof(sync::atomic<T>) <= alignof(Array));

  static std::int64_t Distance(std::uint64_t from, std::uint64_t to) noexcept {
    return static_cast<std::int64_t>(to - from);  // right across the wrap
  }

  static Array* MakeArray(std::size_t capacity, Array* older) noexcept {
    void* const memory = ::operator new(sizeof(Array) + capacity * sizeof(sync::atomic<T>), std::nothrow);
    if (memory == nullptr) return nullptr;
    auto* const array = new (memory) Array{capacity - 1, older};
    for (std::size_t i = 0; i < capacity; ++i) new (array->Slots() + i) sync::atomic<T>(T{});
    return array;
  }

  static Array* DestroyArray(Array* array) noexcept {
    using Item = sync::atomic<T>;
    for (std::size_t i = 0; i <= array->mask; ++i) array->Slots()[i].~Item();
    Array* const older = array->older;
    ::operator delete(array);
    return older;
  }

  // Owner only, therefore relaxed.
  sync::atomic<T>& Slot(std::uint64_t number) noexcept {
    Array* const array = array_.load(sync::memory_order_relaxed);
    return array->Slots()[number & array->mask];
  }

  // Writes the item into its slot, where nobody looks yet.
  bool Place(std::uint64_t bottom, T item) noexcept {
    if (bottom - known_top_ > array_.load(sync::memory_order_relaxed)->mask) [[unlikely]] {
      // Acquire pairs with the compare-exchange in Steal(): the thief has read the slot that is reused now.
      known_top_ = top_.load(sync::memory_order_acquire);
      if (bottom - known_top_ > array_.load(sync::memory_order_relaxed)->mask && !Grow(bottom)) return false;
    }
    Slot(bottom).store(item, sync::memory_order_relaxed);
    return true;
  }

  bool Grow(std::uint64_t bottom) noexcept {
    Array* const old = array_.load(sync::memory_order_relaxed);
    Array* const grown = MakeArray((old->mask + 1) * 2, old);
    if (grown == nullptr) return false;
    for (std::uint64_t i = known_top_; i != bottom; ++i) {
      const T item = old->Slots()[i & old->mask].load(sync::memory_order_relaxed);
      grown->Slots()[i & grown->mask].store(item, sync::memory_order_relaxed);
    }
    // Release pairs with the acquire in Steal(): the copied slots are visible.
    array_.store(grown, sync::memory_order_release);
    return true;
  }

  // Items have the numbers [top_, bottom_). top_ only grows. bottom_ is written by the owner only.
  alignas(64) sync::atomic<std::uint64_t> top_;
  alignas(64) sync::atomic<std::uint64_t> bottom_;
  sync::atomic<Array*> array_;
  std::uint64_t known_top_;  // owner only: a past value of top_, so that a push need not read it
};

}  // namespace orchestrate::inline v1::detail
