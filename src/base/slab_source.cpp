#include "slab_source.hpp"

#include <new>

namespace orchestrate::inline v1::detail {

SlabSource& SlabSource::Instance() noexcept {
  alignas(SlabSource) static std::byte storage[sizeof(SlabSource)];
  static SlabSource* const instance = new (storage) SlabSource;
  return *instance;
}

namespace {

// Before main: a fork that met another thread in the guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_source = SlabSource::Instance();

}  // namespace

Slab* SlabSource::Take(std::size_t size_class) noexcept {
  Slab* slab = nullptr;
  {
    const MutexLock lock(mutex_);
    while ((slab = abandoned_[size_class].PopFront()) != nullptr) {
      // Release pairs with the acquire in ThreadHeap::Own(): the slab is out of this list.
      slab->abandoned.store(false, sync::memory_order_release);
      // A thread that frees into it may have been faster; then it is that thread's.
      if (slab->remote.Claim()) return slab;
    }
    slab = TakeEmpty();
  }
  if (slab != nullptr) slab->Format(size_class);
  return slab;
}

Slab* SlabSource::TakeEmpty() noexcept {
  Slab* slab = PopResident(resident_.Back());
  if (slab == nullptr) {
    slab = dropped_.PopBack();
    if (slab == nullptr) slab = TakeNew();
    if (slab == nullptr) return nullptr;
    ++counts_.resident;
  }
  ++counts_.in_use;
  return slab;
}

Slab* SlabSource::TakeNew() noexcept {
  if (chunk_used_ == kChunkSlabs) {
    void* const chunk = sync::MapPages(kChunkBytes, kChunkBytes);
    if (chunk == nullptr) return nullptr;
    chunk_ = static_cast<std::byte*>(chunk);
    chunk_used_ = 1;  // the first one holds the descriptors
    ++counts_.chunks;
  }
  std::byte* const base = chunk_ + chunk_used_++ * kSlabBytes;
  Slab* const slab = new (SlabOf(base)) Slab;
  slab->base = base;
  return slab;
}

void SlabSource::Release(Slab& slab) noexcept {
  slab.owner.store(nullptr, sync::memory_order_relaxed);
  std::size_t watermark = 0;
  {
    const MutexLock lock(mutex_);
    resident_.PushBack(slab);
    --counts_.in_use;
    watermark = watermark_;
    if (++empty_resident_ <= watermark) return;
  }
  DropAbove(watermark);
}

bool SlabSource::Abandon(Slab& slab) noexcept {
  const void* const owner = slab.owner.load(sync::memory_order_relaxed);
  const MutexLock lock(mutex_);
  // Before the slab is detached: who claims it may store its own name at once.
  slab.owner.store(nullptr, sync::memory_order_relaxed);
  slab.abandoned.store(true, sync::memory_order_relaxed);
  abandoned_[slab.size_class].PushBack(slab);
  if (slab.remote.Detach()) return true;
  slab.Unlink();
  slab.abandoned.store(false, sync::memory_order_relaxed);
  slab.owner.store(owner, sync::memory_order_relaxed);
  return false;
}

void SlabSource::Withdraw(Slab& slab) noexcept {
  const MutexLock lock(mutex_);
  if (!slab.abandoned.load(sync::memory_order_relaxed)) return;
  slab.Unlink();
  slab.abandoned.store(false, sync::memory_order_relaxed);
}

void SlabSource::SetWatermark(std::size_t slabs) noexcept {
  {
    const MutexLock lock(mutex_);
    watermark_ = slabs;
  }
  DropAbove(slabs);
}

void SlabSource::DropEmpty() noexcept { DropAbove(0); }

void SlabSource::DropUnused() noexcept {
  std::size_t needed = 0;
  {
    const MutexLock lock(mutex_);
    needed = empty_resident_ - never_needed_;
  }
  DropAbove(needed);
  const MutexLock lock(mutex_);
  never_needed_ = empty_resident_;
}

// The coldest first, and without the lock while the system works; meanwhile the slab is in no list.
void SlabSource::DropAbove(std::size_t kept) noexcept {
  for (;;) {
    Slab* slab = nullptr;
    {
      const MutexLock lock(mutex_);
      if (empty_resident_ <= kept) return;
      slab = PopResident(resident_.Front());
    }
    sync::DropPages(slab->base, kSlabBytes);
    const MutexLock lock(mutex_);
    dropped_.PushBack(*slab);
    --counts_.resident;
  }
}

Slab* SlabSource::PopResident(Slab* slab) noexcept {
  if (slab == nullptr) return nullptr;
  slab->Unlink();
  --empty_resident_;
  if (never_needed_ > empty_resident_) never_needed_ = empty_resident_;
  return slab;
}

SlabSource::Counts SlabSource::Count() noexcept {
  const MutexLock lock(mutex_);
  return counts_;
}

}  // namespace orchestrate::inline v1::detail
