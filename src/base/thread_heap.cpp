#include "thread_heap.hpp"

#include "slab_source.hpp"

namespace orchestrate::inline v1::detail {

void* ThreadHeap::Allocate(std::size_t size_class) noexcept {
  Slab*& current = current_[size_class];
  for (;;) {
    if (current == nullptr && (current = Next(size_class)) == nullptr) return nullptr;
    if (current->Refill()) break;
    if (Leave(*current)) current = nullptr;
  }
  CountLive(1);
  return current->Take();
}

// A full slab belongs to nobody: the first thread that frees into it gets it. So blocks that are freed
// elsewhere in bulk cost one read-modify-write a slab, and need no owner who is awake.
bool ThreadHeap::Leave(Slab& slab) noexcept {
  // Before the slab is detached: who claims it may store its own name at once.
  slab.owner.store(nullptr, sync::memory_order_relaxed);
  if (slab.remote.Detach()) return true;
  slab.owner.store(this, sync::memory_order_relaxed);
  return false;
}

Slab* ThreadHeap::Next(std::size_t size_class) noexcept {
  if (Slab* const slab = partial_[size_class].PopFront()) return slab;
  Slab* slab = reserve_[size_class];
  reserve_[size_class] = nullptr;
  if (slab != nullptr) return slab;
  slab = SlabSource::Instance().Take(size_class);
  if (slab != nullptr) slab->owner.store(this, sync::memory_order_relaxed);
  return slab;
}

void ThreadHeap::Free(Slab& slab, Block& block) noexcept {
  if (TryFree(slab, block)) return;
  if (slab.owner.load(sync::memory_order_relaxed) == nullptr && slab.remote.Claim()) {
    Own(slab);
    TryFree(slab, block);
    return;
  }
  CountLive(-1);
  AddStray(slab, block);
}

// Takes a slab that was claimed among those to allocate from.
void ThreadHeap::Own(Slab& slab) noexcept {
  slab.owner.store(this, sync::memory_order_relaxed);
  // Acquire pairs with the release in SlabSource::Take(): whoever finds the offer gone may link the slab.
  // That it was abandoned is visible since Claim().
  if (slab.abandoned.load(sync::memory_order_acquire)) SlabSource::Instance().Withdraw(slab);
  LookAtOldest(slab.size_class);
  partial_[slab.size_class].PushBack(slab);
}

// A thread that frees what others have allocated, and allocates nothing, gets slab after slab. What comes
// back to them later lies in their remote lists: for each slab that comes two are looked at, so that they do
// not pile up.
void ThreadHeap::LookAtOldest(std::size_t size_class) noexcept {
  auto& partial = partial_[size_class];
  for (int looks = 0; looks < 2; ++looks) {
    Slab* const oldest = partial.Front();
    if (oldest == nullptr) return;
    oldest->CollectRemote();
    if (oldest->live == 0) {
      PutAside(*oldest);
    } else {
      oldest->Unlink();
      partial.PushBack(*oldest);
    }
  }
}

// A slab became empty that is not the current one.
void ThreadHeap::PutAside(Slab& slab) noexcept {
  slab.Unlink();
  Slab*& reserve = reserve_[slab.size_class];
  if (reserve == nullptr) {
    reserve = &slab;
  } else {
    SlabSource::Instance().Release(slab);
  }
}

void ThreadHeap::AddStray(Slab& slab, Block& block) noexcept {
  Strays& strays = StraysOf(slab);
  if (strays.slab != &slab) {
    Return(strays);
    strays.slab = &slab;
  }
  block.next = strays.first;
  strays.first = &block;
  if (strays.last == nullptr) strays.last = &block;
  if (++strays.count == kStrayBatch) Return(strays);
}

void ThreadHeap::Return(Strays& strays) noexcept {
  if (strays.count == 0) return;
  Slab& slab = *strays.slab;
  const bool taken = slab.remote.Push({slab.NumberOf(strays.first), strays.count}, [&](std::uint32_t number) {
    strays.last->next = slab.BlockOf(number);
  });
  if (taken) {
    strays = Strays{};
  } else {
    Own(slab);
    Absorb(strays);
  }
}

// The slab has become this heap's own.
void ThreadHeap::Absorb(Strays& strays) noexcept {
  Slab& slab = *strays.slab;
  strays.last->next = slab.free;
  slab.free = strays.first;
  slab.live -= strays.count;
  strays = Strays{};
  if (slab.live == 0) PutAside(slab);
}

void ThreadHeap::ReturnStrays() noexcept {
  for (Strays& strays : strays_) Return(strays);
}

void ThreadHeap::GiveUpSlabs() noexcept {
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    if (Slab* const slab = current_[size_class]) GiveUp(*slab);
    if (Slab* const slab = reserve_[size_class]) GiveUp(*slab);
    current_[size_class] = reserve_[size_class] = nullptr;
    while (Slab* const slab = partial_[size_class].PopFront()) GiveUp(*slab);
  }
}

void ThreadHeap::GiveUp(Slab& slab) noexcept {
  SlabSource& source = SlabSource::Instance();
  for (;;) {
    slab.CollectRemote();
    if (slab.live == 0) return source.Release(slab);
    const bool full = slab.free == nullptr && slab.carved == slab.capacity;
    if (full ? Leave(slab) : source.Abandon(slab)) return;
  }
}

}  // namespace orchestrate::inline v1::detail
