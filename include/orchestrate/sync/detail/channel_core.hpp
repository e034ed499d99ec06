#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <utility>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/export.hpp>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/sync.hpp>
#include <orchestrate/task/detail/context_node.hpp>

namespace orchestrate::inline v1::detail {

// What the untyped core has to know about the items.
struct ItemOps {
  std::size_t size;
  std::size_t alignment;
  void (*move)(void* to, void* from) noexcept;      // `from` stays as a moved-from item
  void (*relocate)(void* to, void* from) noexcept;  // `from` is raw memory afterwards
  void (*destroy)(void* item) noexcept;
};

template <class T>
inline constexpr ItemOps kItemOps{
    sizeof(T), alignof(T),
    [](void* to, void* from) noexcept { ::new (to) T(std::move(*static_cast<T*>(from))); },
    [](void* to, void* from) noexcept {
      ::new (to) T(std::move(*static_cast<T*>(from)));
      static_cast<T*>(from)->~T();
    },
    [](void* item) noexcept { static_cast<T*>(item)->~T(); }};

enum class ChannelWait : std::uint8_t {
  Waiting,      // in the queue
  Done,         // the item was handed over
  Closed,       // the channel is closed (for receivers: and drained)
  Ended,        // the waiter's context has ended: nothing was handed over
  OutOfMemory,  // the ring could not grow
};

// One that receives into the raw memory at `item`, or sends the item at `item`, which is moved out of only
// when it was sent. Set `notify` and `item`, then call RecvOrWait() or SendOrWait():
//   Done     it was received or sent; `notify` is not called.
//   Closed   nothing will come, or go; `notify` is not called.
//   Ended    the same, because `context` has ended.
//   Waiting  `notify` will be called once, without a lock, on the thread that sends, receives or
//            closes; `result` is Done, Closed or Ended then. It runs library code only, which may call the
//            channel. The node belongs to its owner again and may be gone when `notify` returns.
// The node keeps no reference to the channel nor to the context: its owner does. It may be used again.
//
// With a `context`, a thread that comes to give or take something looks whether that has ended, and passes
// the waiter by then. So nothing that begins after the end of the context reaches the waiter.
//
// To give up: CancelWait() == true means that `notify` will not be called and nothing was taken. On false it
// was called, or is being called by another thread: the owner waits for it and then has an item, unless
// Closed, that it uses or gives back with PutBack(). So nothing is taken and dropped.
struct ChannelWaiter : ListNode<> {
  void (*notify)(ChannelWaiter& self) noexcept = nullptr;
  void* item = nullptr;
  ContextNode* context = nullptr;
  ChannelWait result = ChannelWait::Waiting;
  std::uint64_t number = 0;  // of a received item: how many had left the channel before it
};

// Memory for a ring of items: a power of two of places, or none.
class ChannelSlots {
 public:
  ChannelSlots() noexcept = default;
  // Room for `count` items at least; none without memory.
  ChannelSlots(const ItemOps& ops, std::size_t count) noexcept;
  ChannelSlots(ChannelSlots&& other) noexcept { Swap(other); }
  ChannelSlots& operator=(ChannelSlots&& other) noexcept {
    ChannelSlots taken(std::move(other));
    Swap(taken);
    return *this;
  }
  ~ChannelSlots();

  [[nodiscard]] std::size_t Count() const noexcept { return count_; }
  [[nodiscard]] std::size_t Bytes() const noexcept { return count_ == 0 ? 0 : count_ * ops_->size; }
  [[nodiscard]] void* At(std::size_t position) const noexcept {
    return memory_ + (position & (count_ - 1)) * ops_->size;
  }

 private:
  void Swap(ChannelSlots& other) noexcept {
    std::swap(ops_, other.ops_);
    std::swap(memory_, other.memory_);
    std::swap(count_, other.count_);
  }

  const ItemOps* ops_ = nullptr;
  std::byte* memory_ = nullptr;
  std::size_t count_ = 0;
};

// A ring of items and the two queues of those who wait, behind one lock.
//
// Under the lock runs no user code, neither a move nor an allocation nor a clock: items whose moves are the
// user's lie in boxes (channel_cell.hpp), and what an operation needs from outside it fetches without the
// lock and then begins anew.
//
// Receivers wait only while the ring is empty, senders only while it is full, nobody once it is closed. So
// items are handed over in the order of their sends, and to waiters in the order in which they came.
class ORCHESTRATE_API ChannelCore {
 public:
  static constexpr std::size_t kUnbounded = std::numeric_limits<std::size_t>::max();

  ChannelCore(const ItemOps& ops, std::size_t capacity) noexcept : ops_(ops), capacity_(capacity) {}
  ChannelCore(const ChannelCore&) = delete;
  ChannelCore& operator=(const ChannelCore&) = delete;

  void Ref() noexcept { refs_.fetch_add(1, sync::memory_order_relaxed); }
  void Unref() noexcept {
    // Release pairs with the acquire of the last owner, which destroys the items.
    if (refs_.fetch_sub(1, sync::memory_order_acq_rel) == 1) delete this;
  }

  // Why an item would be refused at this moment, without a lock. `node` as in Send().
  [[nodiscard]] Error WhyNotSend(ContextNode* node) const noexcept;
  [[nodiscard]] Error WhyNotTrySend() const noexcept;

  // Blocking forms. `node` is the context, or null for that of the task that runs here, if any.
  [[nodiscard]] Error Send(ContextNode* node, void* item) noexcept;
  [[nodiscard]] Error Recv(ContextNode* node, void* to) noexcept;

  [[nodiscard]] Error TrySend(void* item) noexcept;
  [[nodiscard]] bool TryRecv(void* to) noexcept;

  // Call-back forms: Waiting means that `waiter.notify` will be called, unless CancelWait() returns true.
  [[nodiscard]] ChannelWait SendOrWait(ChannelWaiter& waiter) noexcept;
  [[nodiscard]] ChannelWait RecvOrWait(ChannelWaiter& waiter) noexcept;
  // The same without waiting; false when there is nothing.
  [[nodiscard]] bool TryRecvInto(ChannelWaiter& waiter) noexcept;
  // True when `waiter` was taken out of its queue; false when it is in none: notified, or being notified now.
  [[nodiscard]] bool CancelWait(ChannelWaiter& waiter) noexcept;
  // Makes a received item the oldest again, also beyond the capacity and when closed; false without memory.
  [[nodiscard]] bool PutBack(void* item) noexcept;

  bool Close() noexcept;
  [[nodiscard]] bool IsClosed() const noexcept { return closed_.load(sync::memory_order_acquire); }
  [[nodiscard]] std::size_t Size() const noexcept { return count_.load(sync::memory_order_relaxed); }
  [[nodiscard]] std::size_t Capacity() const noexcept { return capacity_; }
  // How many items have left so far.
  [[nodiscard]] std::uint64_t Received() noexcept;
  // How many wait now, to send or to receive: never both.
  [[nodiscard]] std::size_t Waiting() noexcept;

 private:
  using Waiters = IntrusiveList<ChannelWaiter>;
  class Errand;

  ~ChannelCore();
  // Calls `step(errand)` under the lock until it needs nothing from outside, then notifies.
  template <class Step>
  ChannelWait Run(Step step) noexcept;

  // The lock is held in all of these.
  [[nodiscard]] ChannelWait Put(void* item, ContextNode* context, Errand& errand) noexcept;
  [[nodiscard]] ChannelWait Take(void* to, ContextNode* context, Errand& errand) noexcept;
  [[nodiscard]] ChannelWaiter* FirstOf(Waiters& queue, Errand& errand) noexcept;
  void HandTo(ChannelWaiter& receiver, void* item, Errand& errand) noexcept;
  [[nodiscard]] bool HasRoomFor(std::size_t count, Errand& errand) noexcept;
  void SetCount(std::size_t count) noexcept { count_.store(count, sync::memory_order_relaxed); }

  [[nodiscard]] ChannelWait TryPut(void* item, ContextNode* context) noexcept;
  [[nodiscard]] ChannelWait TryTake(void* to, ContextNode* context, std::uint64_t* number) noexcept;
  struct Direction;  // sending or receiving, so that waiting is written once
  [[nodiscard]] Error Sleep(const Direction& direction, ContextNode* node, void* item) noexcept;

  const ItemOps& ops_;
  const std::size_t capacity_;
  sync::atomic<std::size_t> refs_{1};
  Mutex mutex_;
  sync::atomic<bool> closed_{false};    // written under mutex_
  sync::atomic<std::size_t> count_{0};  // items in the ring; written under mutex_
  ChannelSlots slots_;
  std::size_t head_ = 0;        // the oldest item
  std::uint64_t received_ = 0;  // under mutex_: how many items have left
  Waiters receivers_;
  Waiters senders_;
};

}  // namespace orchestrate::inline v1::detail
