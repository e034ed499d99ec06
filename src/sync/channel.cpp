#include <orchestrate/sync/channel.hpp>

#include <bit>
#include <cstdlib>
#include <mutex>
#include <string>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/forked.hpp"
#include "sync/channel_errand.hpp"
#include "sync/linked_wait.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {
namespace {

constexpr std::size_t kFirstSlots = 8;

constexpr const char* kSend = "Channel::Send";
constexpr const char* kRecv = "Channel::Recv";

// `node` is the context of an operation that has ended with `Ended`.
Error ErrorOf(ChannelWait result, ContextNode* node) noexcept {
  if (result == ChannelWait::Done) return {};
  switch (result) {
    case ChannelWait::Closed:
      return Errc::Closed;
    case ChannelWait::Ended:
      return node != nullptr ? EndOf(*node) : Error();  // never null: without a context none has ended
    case ChannelWait::OutOfMemory:
      return Errc::OutOfResources;
    default:
      return {};
  }
}

bool HasEnded(ContextNode* node) noexcept { return node != nullptr && IsMarkedEnded(*node); }

struct ThreadWaiter : ChannelWaiter, LinkedWait {
  ThreadWaiter(ContextNode* of_wait, const char* verb, void* place) noexcept : LinkedWait(of_wait, verb) {
    item = place;
    context = of_wait;
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
  for (std::size_t i = 0; i < count; ++i) ops_.destroy(slots_.At(head_ + i));
}

// ---- memory ----

ChannelSlots::ChannelSlots(const ItemOps& ops, std::size_t count) noexcept : ops_(&ops) {
  if (count > ChannelCore::kUnbounded / 2 / ops.size) return;
  const std::size_t slots = std::bit_ceil(count < kFirstSlots ? kFirstSlots : count);
  memory_ =
      static_cast<std::byte*>(::operator new(slots* ops.size, std::align_val_t{ops.alignment}, std::nothrow));
  if (memory_ != nullptr) count_ = slots;
}

ChannelSlots::~ChannelSlots() {
  if (memory_ != nullptr) ::operator delete(memory_, std::align_val_t{ops_->alignment});
}

template <class Step>
ChannelWait ChannelCore::Run(Step step) noexcept {
  Errand errand;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      const ChannelWait result = step(errand);
      if (!errand.IsIncomplete()) [[likely]]
        return result;
    }
    errand.Fetch(ops_);
  }
}

// ---- the ring; the lock is held ----

// True when `count` items fit. Otherwise `errand` was asked for memory, or could not get it.
bool ChannelCore::HasRoomFor(std::size_t count, Errand& errand) noexcept {
  if (count <= slots_.Count()) return true;
  if (count > errand.slots.Count()) {
    if (!errand.HasFailed()) errand.AskForSlots(count);
    return false;
  }
  errand.MoveItems(*this);
  return true;
}

// The first waiter whose context goes on; those before it are resolved. Null when there is none, or when
// `errand` has to look at a clock first.
ChannelWaiter* ChannelCore::FirstOf(Waiters& queue, Errand& errand) noexcept {
  while (ChannelWaiter* first = queue.Front()) {
    if (!HasEnded(first->context)) {
      return first->context == nullptr || errand.KnowsClockOf(*first->context) ? first : nullptr;
    }
    errand.Resolve(*first, ChannelWait::Ended);
  }
  return nullptr;
}

void ChannelCore::HandTo(ChannelWaiter& receiver, void* item, Errand& errand) noexcept {
  ops_.move(receiver.item, item);
  receiver.number = received_++;
  errand.Resolve(receiver, ChannelWait::Done);
}

ChannelWait ChannelCore::Put(void* item, ContextNode* context, Errand& errand) noexcept {
  if (IsClosed()) return ChannelWait::Closed;
  if (HasEnded(context)) return ChannelWait::Ended;
  if (!receivers_.Empty()) {
    ChannelWaiter* receiver = FirstOf(receivers_, errand);
    if (errand.IsIncomplete()) return ChannelWait::Waiting;
    if (receiver != nullptr) {
      HandTo(*receiver, item, errand);
      return ChannelWait::Done;
    }
  }
  const std::size_t count = Size();
  if (count >= capacity_) return ChannelWait::Waiting;
  if (!HasRoomFor(count + 1, errand)) return ChannelWait::OutOfMemory;
  ops_.move(slots_.At(head_ + count), item);
  SetCount(count + 1);
  return ChannelWait::Done;
}

ChannelWait ChannelCore::Take(void* to, ContextNode* context, Errand& errand) noexcept {
  if (HasEnded(context)) return ChannelWait::Ended;
  std::size_t count = Size();
  if (count == 0) return IsClosed() ? ChannelWait::Closed : ChannelWait::Waiting;
  if (!errand.FitRing(*this)) return ChannelWait::Waiting;
  ChannelWaiter* sender = nullptr;
  if (!senders_.Empty() && count <= capacity_) {
    sender = FirstOf(senders_, errand);
    if (errand.IsIncomplete()) return ChannelWait::Waiting;
  }
  ops_.relocate(to, slots_.At(head_++));
  ++received_;
  --count;
  if (sender != nullptr) {
    ops_.move(slots_.At(head_ + count), sender->item);
    errand.Resolve(*sender, ChannelWait::Done);
    ++count;
  }
  SetCount(count);
  if (count == 0 && slots_.Bytes() > kLargeRing) std::swap(slots_, errand.unused);
  return ChannelWait::Done;
}

// ---- without waiting ----

// Both begin with the common case, in which there is no waiter and nothing is needed from outside.

ChannelWait ChannelCore::TryPut(void* item, ContextNode* context) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const std::size_t count = Size();
    const bool has_room = count < capacity_ && count < slots_.Count();
    if (has_room && receivers_.Empty() && !IsClosed() && !HasEnded(context)) {
      ops_.move(slots_.At(head_ + count), item);
      SetCount(count + 1);
      return ChannelWait::Done;
    }
  }
  return Run([&](Errand& errand) { return Put(item, context, errand); });
}

ChannelWait ChannelCore::TryTake(void* to, ContextNode* context, std::uint64_t* number) noexcept {
  {
    const std::lock_guard lock(mutex_);
    const std::size_t count = Size();
    if (count != 0 && !IsMostlyEmpty(slots_, count) && senders_.Empty() && !HasEnded(context)) {
      ops_.relocate(to, slots_.At(head_++));
      if (number != nullptr) *number = received_;
      ++received_;
      SetCount(count - 1);
      return ChannelWait::Done;
    }
  }
  return Run([&](Errand& errand) {
    const auto result = Take(to, context, errand);
    if (number != nullptr) *number = received_ - 1;
    return result;
  });
}

Error ChannelCore::WhyNotSend(ContextNode* node) const noexcept {
  if (node == nullptr) node = CurrentTask();
  if (node != nullptr) {
    if (Error ended = EndOrRefusalOf(kSend, *node)) return ended;
  }
  return IsClosed() ? Error(Errc::Closed) : Error();
}

Error ChannelCore::WhyNotTrySend() const noexcept {
  if (IsClosed()) return Errc::Closed;
  return Size() >= capacity_ ? Error(Errc::QueueFull) : Error();
}

Error ChannelCore::TrySend(void* item) noexcept {
  const auto result = TryPut(item, nullptr);
  return result == ChannelWait::Waiting ? Error(Errc::QueueFull) : ErrorOf(result, nullptr);
}

bool ChannelCore::TryRecv(void* to) noexcept { return TryTake(to, nullptr, nullptr) == ChannelWait::Done; }

bool ChannelCore::TryRecvInto(ChannelWaiter& waiter) noexcept {
  return TryTake(waiter.item, waiter.context, &waiter.number) == ChannelWait::Done;
}

// ---- call-backs ----

ChannelWait ChannelCore::SendOrWait(ChannelWaiter& waiter) noexcept {
  return Run([&](Errand& errand) {
    const auto result = Put(waiter.item, waiter.context, errand);
    if (errand.IsIncomplete()) return result;
    waiter.result = result;
    if (result == ChannelWait::Waiting) senders_.PushBack(waiter);
    return result;
  });
}

ChannelWait ChannelCore::RecvOrWait(ChannelWaiter& waiter) noexcept {
  return Run([&](Errand& errand) {
    const auto result = Take(waiter.item, waiter.context, errand);
    if (errand.IsIncomplete()) return result;
    waiter.result = result;
    waiter.number = received_ - 1;
    if (result == ChannelWait::Waiting) receivers_.PushBack(waiter);
    return result;
  });
}

bool ChannelCore::CancelWait(ChannelWaiter& waiter) noexcept {
  const std::lock_guard lock(mutex_);
  if (waiter.result != ChannelWait::Waiting || !waiter.IsLinked()) return false;
  waiter.Unlink();
  return true;
}

bool ChannelCore::PutBack(void* item) noexcept {
  const auto result = Run([&](Errand& errand) {
    ChannelWaiter* receiver = FirstOf(receivers_, errand);
    if (errand.IsIncomplete()) return ChannelWait::Waiting;
    if (receiver != nullptr) {
      HandTo(*receiver, item, errand);
      return ChannelWait::Done;
    }
    const std::size_t count = Size();
    if (!HasRoomFor(count + 1, errand)) return ChannelWait::OutOfMemory;
    ops_.move(slots_.At(--head_), item);
    SetCount(count + 1);
    return ChannelWait::Done;
  });
  return result == ChannelWait::Done;
}

bool ChannelCore::Close() noexcept {
  const auto result = Run([this](Errand& errand) {
    if (IsClosed()) return ChannelWait::Closed;
    // Release pairs with the acquire in IsClosed(): who sees it closed finds all items that were sent before.
    closed_.store(true, sync::memory_order_release);
    for (Waiters* queue : {&receivers_, &senders_}) {
      while (ChannelWaiter* waiter = queue->Front()) errand.Resolve(*waiter, ChannelWait::Closed);
    }
    return ChannelWait::Done;
  });
  return result == ChannelWait::Done;
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
  static constexpr Direction kDirection{kSend, &ChannelCore::SendOrWait};
  if (node == nullptr) node = CurrentTask();
  if (node != nullptr) {
    if (Error ended = EndOrRefusalOf(kSend, *node)) return ended;
  }
  const auto result = TryPut(item, node);
  return result == ChannelWait::Waiting ? Sleep(kDirection, node, item) : ErrorOf(result, node);
}

Error ChannelCore::Recv(ContextNode* node, void* to) noexcept {
  static constexpr Direction kDirection{kRecv, &ChannelCore::RecvOrWait};
  if (node == nullptr) node = CurrentTask();
  if (node != nullptr) {
    if (Error ended = EndOrRefusalOf(kRecv, *node)) return ended;
  }
  const auto result = TryTake(to, node, nullptr);
  return result == ChannelWait::Waiting ? Sleep(kDirection, node, to) : ErrorOf(result, node);
}

Error ChannelCore::Sleep(const Direction& direction, ContextNode* node, void* item) noexcept {
  if (IsForked()) return ForkedError(direction.name);
  ThreadWaiter waiter(node, direction.name, item);
  if (waiter.Failure()) return waiter.Failure();
  if (const auto result = (this->*direction.wait)(waiter); result != ChannelWait::Waiting)
    return ErrorOf(result, node);
  if (Error ended = waiter.Await([&] { return CancelWait(waiter); })) return ended;
  return ErrorOf(waiter.result, node);
}

}  // namespace orchestrate::inline v1::detail
