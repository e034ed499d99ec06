#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1 {

namespace detail {
struct TimerLink {
  TimerLink* next;
  TimerLink* prev;
};
}  // namespace detail

/// Is one timer; lies in whatever it wakes, and must outlive its stay in a wheel.
class TimerNode : private detail::TimerLink {
 public:
  TimerNode() noexcept : TimerLink{nullptr, nullptr} {}
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;

  /// Tells whether it lies in a wheel; no longer once it was handed out.
  [[nodiscard]] bool IsScheduled() const noexcept { return slot_ != kNoSlot; }
  /// Returns the tick that it was scheduled for last.
  [[nodiscard]] std::uint64_t Deadline() const noexcept { return deadline_; }

 private:
  friend class TimerWheel;
  friend class TimerList;

  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

  std::uint64_t deadline_ = 0;
  std::uint32_t slot_ = kNoSlot;
};

/// Lists timers that a wheel handed out, in the order in which they fire.
class TimerList {
 public:
  TimerList() = default;
  TimerList(const TimerList&) = delete;
  TimerList& operator=(const TimerList&) = delete;

  [[nodiscard]] bool Empty() const noexcept { return first_ == nullptr; }

  /// Takes the first, or null; the list does not touch it again.
  TimerNode* Pop() noexcept {
    TimerNode* const node = first_;
    if (node != nullptr) first_ = static_cast<TimerNode*>(node->next);
    return node;
  }

 private:
  friend class TimerWheel;

  void Push(TimerNode& node) noexcept {
    node.next = nullptr;
    if (first_ == nullptr) {
      first_ = &node;
    } else {
      last_->next = &node;
    }
    last_ = &node;
  }

  TimerNode* first_ = nullptr;
  TimerNode* last_ = nullptr;  // valid while first_ is set
};

/// Keeps timers sorted by the tick at which they are due.
///
/// Pure: no clock, no allocation, no thread; a tick is whatever the caller says. Timers are handed out in the
/// order of their ticks, those of one tick in the order in which they were scheduled, and never early.
///
/// @par Thread safety  None: the caller holds a lock, and fires what it was handed outside of it.
class ORCHESTRATE_API TimerWheel {
 public:
  /// Is the tick that `NextExpiry` returns for an empty wheel.
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  /// Makes an empty wheel whose time is `now`.
  explicit TimerWheel(std::uint64_t now = 0) noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Schedules `node`, or moves it when it is scheduled already.
  ///
  /// @param deadline  any tick; one that has passed counts as now: the next `Advance` hands it out.
  ///
  /// @par Complexity  O(1), no allocation.
  void Schedule(TimerNode& node, std::uint64_t deadline) noexcept {
    Cancel(node);
    node.deadline_ = deadline < now_ ? now_ : deadline;
    Slot& slot = Claim(node);
    LinkBetween(node, slot.link.prev, &slot.link);
    ++size_;
  }

  /// Takes `node` out; false when it is not scheduled, or not any more.
  ///
  /// @par Complexity  O(1).
  bool Cancel(TimerNode& node) noexcept {
    if (node.slot_ == TimerNode::kNoSlot) return false;
    Slot& slot = slots_[node.slot_];
    if (slot.earliest == node.deadline_) slot.earliest = kUnknown;
    Unlink(node);
    node.slot_ = TimerNode::kNoSlot;
    --size_;
    return true;
  }

  /// Moves the time on to `now` and hands out what is due, at most `budget` steps at once.
  ///
  /// A step hands one timer out or moves one closer; a timer that is 64^n ticks away is moved n times at
  /// most. A `now` below the last one counts as that. `kNever` hands everything out.
  ///
  /// @return whether the budget ran out before the work: call again.
  ///
  /// @par Complexity  O(budget), whatever the time between two calls.
  [[nodiscard]] bool Advance(std::uint64_t now, std::size_t budget, TimerList& due) noexcept;

  /// Returns the tick of the timer that is due first, or `kNever`.
  ///
  /// Exact, but for one case: when the first of more than 1024 timers that lie close together was cancelled,
  /// the tick may be too early, never too late. Where `Advance` left work, it may be a tick that has passed.
  ///
  /// @par Complexity  O(levels); after a cancel once O(timers close to the cancelled one, at most 1024).
  [[nodiscard]] std::uint64_t NextExpiry() noexcept;

  /// Calls `fn` for each timer, in no order, some of them twice; it may schedule the one that it is given.
  template <class Fn>
  void ForEach(Fn fn) {
    for (Slot& slot : slots_) {
      for (detail::TimerLink* at = slot.link.next; at != &slot.link;) {
        auto& node = static_cast<TimerNode&>(*at);
        at = at->next;
        fn(node);
      }
    }
  }

  /// Returns the last tick that `Advance` was told.
  [[nodiscard]] std::uint64_t Now() const noexcept { return now_; }
  /// Returns how many timers are scheduled.
  [[nodiscard]] std::size_t Size() const noexcept { return size_; }

 private:
  // A tick is eleven digits of six bits. A timer lies on the level of the highest digit in which its deadline
  // differs from cursor_, in the slot that this digit names. So a slot of level 0 holds one tick, all timers
  // of a level are due before those of the next, and a slot's timers move down when the cursor reaches its
  // start. Then all levels below are empty: taking the slot from its end and pushing to the front of theirs
  // keeps the order, even when others are scheduled (at the back) before the last one has moved.
  static constexpr unsigned kDigitBits = 6;
  static constexpr unsigned kSlots = 1U << kDigitBits;
  static constexpr unsigned kLevels = 11;
  static constexpr std::uint32_t kNoSlot = TimerNode::kNoSlot;
  static constexpr std::uint64_t kUnknown = 0;  // no deadline on the levels that ask: those are above cursor_

  struct Slot {
    detail::TimerLink link{};         // of a ring, so that unlinking needs no case
    std::uint64_t earliest = kNever;  // the least deadline, or kUnknown; kNever when empty
  };

  // Where the next work lies: a slot and the tick at which it begins.
  struct Place {
    std::uint32_t slot;
    std::uint64_t start;
  };

  static void LinkBetween(TimerNode& node, detail::TimerLink* prev, detail::TimerLink* next) noexcept {
    node.prev = prev;
    node.next = next;
    prev->next = &node;
    next->prev = &node;
  }

  // Finds the slot of node's deadline and notes that it is used.
  Slot& Claim(TimerNode& node) noexcept {
    const std::uint64_t deadline = node.deadline_;
    const auto top_bit = static_cast<unsigned>(std::bit_width((deadline ^ cursor_) | 1)) - 1;
    const unsigned level = top_bit / kDigitBits;
    const unsigned digit = (deadline >> (level * kDigitBits)) % kSlots;
    used_[level] |= std::uint64_t{1} << digit;
    node.slot_ = level * kSlots + digit;
    Slot& slot = slots_[node.slot_];
    // A branch, here and in Cancel(): a store each time would chain all timers of a slot.
    if (deadline < slot.earliest) slot.earliest = deadline;
    return slot;
  }

  void Unlink(TimerNode& node) noexcept {
    node.prev->next = node.next;
    node.next->prev = node.prev;
    if (node.prev == node.next) Vacate(node.slot_);
  }

  // Notes that the slot is no longer used, if that is so.
  void Vacate(std::uint32_t index) noexcept {
    Slot& slot = slots_[index];
    if (slot.link.next != &slot.link) return;
    slot.earliest = kNever;
    used_[index / kSlots] &= ~(std::uint64_t{1} << (index % kSlots));
  }

  [[nodiscard]] Place NextPlace() const noexcept;
  void Expire(std::uint32_t index, std::size_t& budget, TimerList& due) noexcept;
  void Cascade(std::size_t& budget) noexcept;

  std::uint64_t now_;                  // what Advance was told
  std::uint64_t cursor_;               // how far the work is done, at most now_
  std::uint32_t cascading_ = kNoSlot;  // a slot that begins at cursor_ and has not moved down entirely
  std::size_t size_ = 0;
  std::uint64_t used_[kLevels] = {};  // bit n: slot n is not empty
  Slot slots_[kLevels * kSlots];
};

}  // namespace orchestrate::inline v1
