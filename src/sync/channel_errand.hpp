#pragma once

#include <cstddef>
#include <utility>

#include <orchestrate/sync/detail/channel_core.hpp>
#include <orchestrate/task/detail/context_node.hpp>

// What an operation on a channel needs from outside its lock.
namespace orchestrate::inline v1::detail {

inline constexpr std::size_t kLargeRing = std::size_t{256} * 1024;  // bytes; a ring up to this size is kept

[[nodiscard]] inline bool IsMostlyEmpty(const ChannelSlots& ring, std::size_t items) noexcept {
  return ring.Bytes() > kLargeRing && items <= ring.Count() / 4;
}

// Lives outside the lock: fetches what a step under the lock has asked for, and does what is left to do.
class ChannelCore::Errand {
 public:
  Errand() noexcept = default;
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;
  ~Errand() {
    while (ChannelWaiter* waiter = told_.PopFront()) waiter->notify(*waiter);
    if (looked_at_ != nullptr) [[unlikely]]
      UnrefNode(*looked_at_);
  }

  // ---- the lock is held ----

  // Hands the outcome to a waiter, which leaves its queue.
  void Resolve(ChannelWaiter& waiter, ChannelWait result) noexcept {
    waiter.Unlink();
    waiter.result = result;
    told_.PushBack(waiter);
  }
  // False when the deadline of `node` has to be looked at first. A reference keeps it for that.
  [[nodiscard]] bool KnowsClockOf(ContextNode& node) noexcept {
    if ((node.scope->flags & ContextNode::kDeadline) == 0 || &node == looked_at_) return true;
    RefNode(node);
    to_look_at_ = &node;
    return false;
  }
  void AskForSlots(std::size_t count) noexcept { wanted_ = count; }
  [[nodiscard]] bool HasFailed() const noexcept { return failed_; }
  [[nodiscard]] bool IsIncomplete() const noexcept { return wanted_ != 0 || to_look_at_ != nullptr; }

  // Puts the ring in reserve, which has room for the items, in the place of the one in use.
  void MoveItems(ChannelCore& channel) noexcept {
    const std::size_t items = channel.Size();
    for (std::size_t i = 0; i < items; ++i)
      channel.ops_.relocate(slots.At(i), channel.slots_.At(channel.head_ + i));
    std::swap(channel.slots_, slots);
    channel.head_ = 0;
  }
  // Halves a large ring that is mostly empty, which needs memory: false when that has to be fetched first.
  // Without any it stays.
  [[nodiscard]] bool FitRing(ChannelCore& channel) noexcept {
    const ChannelSlots& ring = channel.slots_;
    if (channel.Size() == 1 || !IsMostlyEmpty(ring, channel.Size()) || failed_) return true;
    if (slots.Count() == 0) {
      AskForSlots(ring.Count() / 2);
      return false;
    }
    if (slots.Count() < ring.Count() && slots.Count() >= channel.Size()) MoveItems(channel);
    return true;
  }

  ChannelSlots slots;  // in reserve; the ring whose place it has taken comes back here
  ChannelSlots unused;

  // ---- without the lock ----

  void Fetch(const ItemOps& ops) noexcept {
    if (const std::size_t count = std::exchange(wanted_, 0); count != 0) {
      slots = ChannelSlots(ops, count);
      failed_ = slots.Count() == 0;
    }
    if (to_look_at_ == nullptr) return;
    if (looked_at_ != nullptr) UnrefNode(*looked_at_);
    looked_at_ = std::exchange(to_look_at_, nullptr);
    (void)EndOf(*looked_at_);  // marks it when its time has come
  }

 private:
  Waiters told_;
  ContextNode* to_look_at_ = nullptr;
  ContextNode* looked_at_ = nullptr;  // kept, so that its address means no other
  std::size_t wanted_ = 0;
  bool failed_ = false;
};

}  // namespace orchestrate::inline v1::detail
