#pragma once

#include <cstdint>
#include <orchestrate/base/export.hpp>
#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

/// Tells locks taken before a fork from those taken in the child; changes while the child has one thread
/// only.
ORCHESTRATE_API inline constinit std::uint32_t g_lock_era = 0;
inline constexpr std::uint32_t kNextLockEra = 4;

/// Is a lock of four bytes for short critical sections; fits `std::lock_guard` and `std::unique_lock`.
///
/// In the child of a fork a lock that another thread held at that moment counts as free, as nobody would ever
/// unlock it. It may be destroyed by the next owner while the previous one still leaves `Unlock`.
class Mutex {
 public:
  constexpr Mutex() noexcept = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Takes the lock.
  ///
  /// @par Blocks  Until the owner unlocks: spins about a microsecond, then sleeps.
  void Lock() noexcept {
    if (!TryLock()) LockContended();
  }

  /// Takes the lock when it is free.
  [[nodiscard]] bool TryLock() noexcept {
    std::uint32_t seen = kFree;
    // Acquire pairs with the release in Unlock(): the previous owner's writes are visible.
    return state_.compare_exchange_strong(seen, g_lock_era | kLocked, sync::memory_order_acquire,
                                          sync::memory_order_relaxed);
  }

  /// Releases the lock and wakes one sleeper.
  void Unlock() noexcept {
    // Release pairs with the acquire in TryLock() and LockContended(). From here on the next owner may
    // destroy the mutex: the wake uses the address only.
    if ((state_.exchange(kFree, sync::memory_order_release) & kContended) != 0) sync::FutexWake(state_, 1);
  }

  void lock() noexcept { Lock(); }
  [[nodiscard]] bool try_lock() noexcept { return TryLock(); }
  void unlock() noexcept { Unlock(); }

 private:
  static constexpr std::uint32_t kFree = 0;
  static constexpr std::uint32_t kLocked = 1;
  static constexpr std::uint32_t kContended = 2;  // locked, and somebody may sleep
  static constexpr int kSpins = 40;

  void LockContended() noexcept {
    for (int spin = 0; spin < kSpins; ++spin) {
      sync::Relax();
      const std::uint32_t seen = state_.load(sync::memory_order_relaxed);
      if (seen == kFree && TryLock()) return;
      if ((seen & kContended) != 0 || IsOrphan(seen)) break;
    }
    // Who gets the lock here cannot know whether others sleep, so it stays contended: one needless wake at
    // most. Acquire pairs with the release in Unlock().
    const std::uint32_t contended = g_lock_era | kContended;
    for (;;) {
      const std::uint32_t seen = state_.exchange(contended, sync::memory_order_acquire);
      if (seen == kFree || IsOrphan(seen)) return;
      sync::FutexWait(state_, contended);
    }
  }

  // Locked before a fork by a thread that is the parent's.
  [[nodiscard]] static bool IsOrphan(std::uint32_t seen) noexcept {
    return seen != kFree && (seen & ~(kLocked | kContended)) != g_lock_era;
  }

  sync::atomic<std::uint32_t> state_{kFree};
};

/// Holds a `Mutex` for a scope.
class [[nodiscard]] MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) noexcept : mutex_(mutex) { mutex_.Lock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;
  ~MutexLock() { mutex_.Unlock(); }

 private:
  Mutex& mutex_;
};

}  // namespace orchestrate::inline v1::detail
