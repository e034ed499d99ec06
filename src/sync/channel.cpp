#include <orchestrate/sync/channel.hpp>

#include <bit>
#include <cstdlib>
#include <mutex>
#include <string>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/forked.hpp"
#include "sync/linked_wait.hpp"

namespace orchestrate::inline v1::detail {
namespace {

constexpr std::size_t kFirstSlots = 8;
constexpr std::size_t kLargeRing = std::size_t{256} * 1024;  // bytes; kept for the next items up to this size

void Notify(ChannelWaiter* waiter) noexcept {
  if (waiter != nullptr) waiter->notify(*waiter);
}

Error ErrorOf(ChannelWait result) noexcept {
  switch (result) {
    case ChannelWait::Closed:
      return Errc::Closed;
    case ChannelWait::OutOfMemory:
      return Errc::OutOfResources;
    default:
      return {};
  }
}

// Hands the outcome to a waiter that has left its queue.
ChannelWaiter* Resolve(ChannelWaiter& waiter, ChannelWait result) noexcept {
  waiter.result = result;
  return &waiter;
}

struct ThreadWaiter : ChannelWaiter, LinkedWait {
  ThreadWaiter(ContextNode* context, void* place) noexcept : LinkedWait(context) {
    item = place;
    notify = [](ChannelWaiter& waiter) noexcept { static_cast<ThreadWaiter&>(waiter).Finish(); };
  }
};

}  // namespace

ChannelCore& MakeChannel(const ItemOps& ops, std::size_t capacity) {
  if (capacity == 0) Error(Errc::InvalidArgument, "Channel: capacity 0, must be >= 1").Rethrow();
  return *new ChannelCore(ops, capacity);
}

void ThrowNegativeCapacity(long long capacity) {
  Error(Errc::InvalidArgument, "Channel: capacity " + std::to_string(capacity) + ", must be >= 1").Rethrow();
  std::abort();
}

ChannelCore::~ChannelCore() {
  const std::size_t count = Size();
  for (std::size_t i = 0; i < count; ++i) ops_.destroy(At(head_ + i));
  FreeSlots();
}

// ---- the ring; the lock is held ----

bool ChannelCore::GrowTo(std::size_t count) noexcept {
  if (count <= slot_count_) return true;
  if (count > kUnbounded / 2 / ops_.size) return false;
  const std::size_t slots = std::bit_ceil(count < kFirstSlots ? kFirstSlots : count);
  void* memory = ::operator new(slots* ops_.size, std::align_val_t{ops_.alignment}, std::nothrow);
  if (memory == nullptr) return false;
  auto* fresh = static_cast<std::byte*>(memory);
  const std::size_t items = Size();
  for (std::size_t i = 0; i < items; ++i) ops_.relocate(fresh + i * ops_.size, At(head_ + i));
  FreeSlots();
  slots_ = fresh;
  slot_count_ = slots;
  head_ = 0;
  return true;
}

void ChannelCore::FreeSlots() noexcept {
  if (slots_ != nullptr) ::operator delete(slots_, std::align_val_t{ops_.alignment});
  slots_ = nullptr;
  slot_count_ = 0;
}

ChannelWait ChannelCore::Put(void* item, ChannelWaiter*& woken) noexcept {
  if (IsClosed()) return ChannelWait::Closed;
  if (ChannelWaiter* receiver = receivers_.PopFront()) {
    ops_.move(receiver->item, item);
    receiver->number = received_++;
    woken = Resolve(*receiver, ChannelWait::Done);
    return ChannelWait::Done;
  }
  const std::size_t count = Size();
  if (count >= capacity_) return ChannelWait::Waiting;
  if (!GrowTo(count + 1)) return ChannelWait::OutOfMemory;
  ops_.move(At(head_ + count), item);
  SetCount(count + 1);
  return ChannelWait::Done;
}

ChannelWait ChannelCore::Take(void* to, ChannelWaiter*& woken) noexcept {
  std::size_t count = Size();
  if (count == 0) return IsClosed() ? ChannelWait::Closed : ChannelWait::Waiting;
  ops_.relocate(to, At(head_++));
  ++received_;
  --count;
  if (ChannelWaiter* sender = count < capacity_ ? senders_.PopFront() : nullptr) {
    ops_.move(At(head_ + count), sender->item);
    woken = Resolve(*sender, ChannelWait::Done);
    ++count;
  }
  SetCount(count);
  if (count == 0 && slot_count_ * ops_.size > kLargeRing) FreeSlots();
  return ChannelWait::Done;
}

// ---- without waiting ----

ChannelWait ChannelCore::TryPut(void* item) noexcept {
  ChannelWaiter* woken = nullptr;
  auto result = ChannelWait::Waiting;
  {
    const std::lock_guard lock(mutex_);
    result = Put(item, woken);
  }
  Notify(woken);
  return result;
}

ChannelWait ChannelCore::TryTake(void* to, std::uint64_t* number) noexcept {
  ChannelWaiter* woken = nullptr;
  auto result = ChannelWait::Waiting;
  {
    const std::lock_guard lock(mutex_);
    result = Take(to, woken);
    if (number != nullptr) *number = received_ - 1;
  }
  Notify(woken);
  return result;
}

Error ChannelCore::TrySend(void* item) noexcept {
  const auto result = TryPut(item);
  return result == ChannelWait::Waiting ? Error(Errc::QueueFull) : ErrorOf(result);
}

bool ChannelCore::TryRecv(void* to) noexcept { return TryTake(to) == ChannelWait::Done; }

bool ChannelCore::TryRecvInto(ChannelWaiter& waiter) noexcept {
  return TryTake(waiter.item, &waiter.number) == ChannelWait::Done;
}

// ---- call-backs ----

ChannelWait ChannelCore::SendOrWait(ChannelWaiter& waiter) noexcept {
  ChannelWaiter* woken = nullptr;
  auto result = ChannelWait::Waiting;
  {
    const std::lock_guard lock(mutex_);
    result = waiter.result = Put(waiter.item, woken);
    if (result == ChannelWait::Waiting) senders_.PushBack(waiter);
  }
  Notify(woken);
  return result;
}

ChannelWait ChannelCore::RecvOrWait(ChannelWaiter& waiter) noexcept {
  ChannelWaiter* woken = nullptr;
  auto result = ChannelWait::Waiting;
  {
    const std::lock_guard lock(mutex_);
    result = waiter.result = Take(waiter.item, woken);
    waiter.number = received_ - 1;
    if (result == ChannelWait::Waiting) receivers_.PushBack(waiter);
  }
  Notify(woken);
  return result;
}

bool ChannelCore::CancelWait(ChannelWaiter& waiter) noexcept {
  const std::lock_guard lock(mutex_);
  if (waiter.result != ChannelWait::Waiting || !waiter.IsLinked()) return false;
  waiter.Unlink();
  return true;
}

bool ChannelCore::PutBack(void* item) noexcept {
  ChannelWaiter* woken = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (ChannelWaiter* receiver = receivers_.PopFront()) {
      ops_.move(receiver->item, item);
      receiver->number = received_++;
      woken = Resolve(*receiver, ChannelWait::Done);
    } else {
      const std::size_t count = Size();
      if (!GrowTo(count + 1)) return false;
      ops_.move(At(--head_), item);
      SetCount(count + 1);
    }
  }
  Notify(woken);
  return true;
}

bool ChannelCore::Close() noexcept {
  Waiters woken;
  {
    const std::lock_guard lock(mutex_);
    if (IsClosed()) return false;
    // Release pairs with the acquire in IsClosed(): who sees it closed finds all items that were sent before.
    closed_.store(true, sync::memory_order_release);
    woken.Splice(receivers_);
    woken.Splice(senders_);
    // From here on CancelWait() leaves them alone, so the list below is this thread's.
    for (auto* waiter = woken.Front(); waiter != nullptr; waiter = woken.Next(*waiter)) {
      Resolve(*waiter, ChannelWait::Closed);
    }
  }
  while (ChannelWaiter* waiter = woken.PopFront()) Notify(waiter);
  return true;
}

std::uint64_t ChannelCore::Received() noexcept {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::size_t ChannelCore::Waiting() noexcept {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const Waiters* list : {&receivers_, &senders_}) {
    for (auto* waiter = list->Front(); waiter != nullptr; waiter = list->Next(*waiter)) ++count;
  }
  return count;
}

// ---- blocking ----

struct ChannelCore::Direction {
  const char* name;
  ChannelWait (ChannelCore::*wait)(ChannelWaiter& waiter) noexcept;
};

Error ChannelCore::Send(ContextNode* node, void* item) noexcept {
  static constexpr Direction kDirection{"Channel::Send", &ChannelCore::SendOrWait};
  if (node == nullptr) node = CurrentTask();
  if (node != nullptr) {
    if (Error ended = EndOf(*node)) return ended;
  }
  const auto result = TryPut(item);
  return result == ChannelWait::Waiting ? Sleep(kDirection, node, item) : ErrorOf(result);
}

Error ChannelCore::Recv(ContextNode* node, void* to) noexcept {
  static constexpr Direction kDirection{"Channel::Recv", &ChannelCore::RecvOrWait};
  if (node == nullptr) node = CurrentTask();
  if (node != nullptr) {
    if (Error ended = EndOf(*node)) return ended;
  }
  const auto result = TryTake(to);
  return result == ChannelWait::Waiting ? Sleep(kDirection, node, to) : ErrorOf(result);
}

Error ChannelCore::Sleep(const Direction& direction, ContextNode* node, void* item) noexcept {
  if (IsForked()) return ForkedError(direction.name);
  ThreadWaiter waiter(node, item);
  if (waiter.Failure()) return waiter.Failure();
  if (const auto result = (this->*direction.wait)(waiter); result != ChannelWait::Waiting)
    return ErrorOf(result);
  if (Error ended = waiter.Await([&] { return CancelWait(waiter); })) return ended;
  return ErrorOf(waiter.result);
}

}  // namespace orchestrate::inline v1::detail
