#pragma once

#include <cstdint>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

// An error that is set at most once, by whoever comes first. It says who won a race to end something.
class AtomicError {
 public:
  AtomicError() noexcept = default;
  AtomicError(const AtomicError&) = delete;
  AtomicError& operator=(const AtomicError&) = delete;
  ~AtomicError() {
    Error last;
    last.bits_ = bits_.load(sync::memory_order_relaxed);
  }

  // Release pairs with the acquire in Get(): a reader sees the whole error.
  bool TrySet(Error error) noexcept {
    std::uintptr_t none = 0;
    if (!bits_.compare_exchange_strong(none, error.bits_, sync::memory_order_acq_rel)) return false;
    error.bits_ = 0;
    return true;
  }

  // For the one thread that may still write; nobody reads yet.
  void Replace(Error error) noexcept {
    Error old;
    old.bits_ = bits_.exchange(error.bits_, sync::memory_order_acq_rel);
    error.bits_ = 0;
  }

  [[nodiscard]] Error Get() const noexcept {
    Error view;
    view.bits_ = bits_.load(sync::memory_order_acquire);
    view.Retain();
    return view;
  }

  [[nodiscard]] bool IsSet() const noexcept { return bits_.load(sync::memory_order_relaxed) != 0; }

 private:
  sync::atomic<std::uintptr_t> bits_{0};
};

}  // namespace orchestrate::inline v1::detail
