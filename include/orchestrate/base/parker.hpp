#pragma once

#include <chrono>
#include <cstdint>
#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

/// Lets one thread sleep until another hands it a token; any number of tokens counts as one.
///
/// The thread that was woken may destroy the parker while `Unpark` has not returned yet: the exchange in it
/// is its last access, the wake that may follow uses the address only. What was written before `Unpark` is
/// visible after the `Park` that took the token.
class Parker {
 public:
  constexpr Parker() noexcept = default;
  Parker(const Parker&) = delete;
  Parker& operator=(const Parker&) = delete;

  /// Takes the token.
  ///
  /// @par Thread safety  One thread at a time.
  /// @par Blocks         Until a token is there.
  void Park() noexcept {
    if (TakeOrAnnounce()) return;
    do {
      sync::FutexWait(state_, kParked);
    } while (!TryTake());
  }

  /// Takes the token, or gives up at `deadline`.
  ///
  /// @return true when the token was taken; a token that is there is taken also after the deadline.
  bool ParkUntil(std::chrono::steady_clock::time_point deadline) noexcept {
    if (TakeOrAnnounce()) return true;
    while (sync::FutexWaitUntil(state_, kParked, deadline) == sync::FutexResult::Woken) {
      if (TryTake()) return true;
    }
    // The token may have come together with the timeout. Acquire pairs with the release in Unpark().
    return state_.exchange(kEmpty, sync::memory_order_acquire) == kToken;
  }

  /// Hands over a token and wakes the thread that parks.
  ///
  /// @par Thread safety  Any number of threads.
  /// @par Blocks         Never.
  void Unpark() noexcept {
    // Release pairs with the acquire of the exchange or compare-exchange that takes the token; a token that
    // replaces a token continues its release sequence, so every unparker's writes are seen.
    if (state_.exchange(kToken, sync::memory_order_release) == kParked) sync::FutexWake(state_, 1);
  }

 private:
  static constexpr std::uint32_t kEmpty = 0;
  static constexpr std::uint32_t kToken = 1;
  static constexpr std::uint32_t kParked = 2;

  bool TryTake() noexcept {
    std::uint32_t seen = kToken;
    // Acquire pairs with the release in Unpark().
    return state_.compare_exchange_strong(seen, kEmpty, sync::memory_order_acquire,
                                          sync::memory_order_relaxed);
  }

  // Takes the token, or leaves kParked behind for Unpark() to find.
  bool TakeOrAnnounce() noexcept {
    if (TryTake()) return true;
    std::uint32_t seen = kEmpty;
    if (state_.compare_exchange_strong(seen, kParked, sync::memory_order_relaxed,
                                       sync::memory_order_relaxed)) {
      return false;
    }
    return TryTake();  // only a token can have come between, and only this thread takes it
  }

  sync::atomic<std::uint32_t> state_{kEmpty};
};

}  // namespace orchestrate::inline v1::detail
