#pragma once

#include <cstdint>

#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

// Who may run work: `available` permits of a runtime and whether one idle runner is looking for work.
//
// The handshake that loses no work. A producer publishes its node with a sequentially consistent
// read-modify-write and then calls NeedsRunner(). A runner that stops looking (Release, StopSpinning) changes
// this word with a sequentially consistent read-modify-write and then looks at the queues once more.
// Whichever comes second in the single total order sees the other: either the producer starts a runner, or
// the runner finds the node.
//
// `available` is negative while a body whose wait has ended runs beside the runner that replaced it; the next
// runner to look leaves (LeaveIfOvercommitted).
class Permits {
 public:
  explicit Permits(std::int32_t width) noexcept : word_(Pack(width, 0)) {}

  // After a push: true when the caller has to start a runner, which begins as the one that spins.
  [[nodiscard]] bool NeedsRunner() noexcept {
    auto word = word_.load(sync::memory_order_seq_cst);
    while (Available(word) > 0 && Spinning(word) == 0) {
      if (word_.compare_exchange_weak(word, Pack(Available(word), 1), sync::memory_order_seq_cst))
        return true;
    }
    return false;
  }

  // A thread from outside that wants to run one piece of work, or a runner that found the queues filled
  // again.
  [[nodiscard]] bool TryAcquire() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    while (Available(word) > 0) {
      if (word_.compare_exchange_weak(word, word - 1, sync::memory_order_seq_cst)) return true;
    }
    return false;
  }

  // After a blocked wait: user code goes on at once, even beyond the width.
  void AcquireForced() noexcept { word_.fetch_sub(1, sync::memory_order_seq_cst); }

  void Release() noexcept { word_.fetch_add(1, sync::memory_order_seq_cst); }

  // The runner's work has run out: gives the permit back, and true when it is now the one that spins.
  [[nodiscard]] bool ReleaseAndSpin() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    for (;;) {
      const bool first = Spinning(word) == 0 && Available(word) >= 0;
      if (word_.compare_exchange_weak(word, Pack(Available(word) + 1, first ? 1 : Spinning(word)),
                                      sync::memory_order_seq_cst)) {
        return first;
      }
    }
  }

  // The spinning runner saw work: true when it now holds a permit, and spins no more.
  [[nodiscard]] bool StopSpinningAndAcquire() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    while (Available(word) > 0) {
      if (word_.compare_exchange_weak(word, Pack(Available(word) - 1, 0), sync::memory_order_seq_cst))
        return true;
    }
    return false;
  }

  // The spinning runner gives up looking.
  void StopSpinning() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    while (!word_.compare_exchange_weak(word, Pack(Available(word), 0), sync::memory_order_seq_cst)) {
    }
  }

  // True when more bodies run than there are permits: the caller's is given back and it has to leave.
  [[nodiscard]] bool LeaveIfOvercommitted() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    while (Available(word) < 0) {
      if (word_.compare_exchange_weak(word, word + 1, sync::memory_order_seq_cst)) return true;
    }
    return false;
  }

  // True when all `width` permits are here and nobody looks for work: from now on none is given to anybody.
  [[nodiscard]] bool TryClose(std::int32_t width) noexcept {
    auto word = Pack(width, 0);
    return word_.compare_exchange_strong(word, Pack(kClosed, 0), sync::memory_order_seq_cst);
  }

  [[nodiscard]] std::int32_t AvailableNow() const noexcept {
    return Available(word_.load(sync::memory_order_seq_cst));
  }
  [[nodiscard]] bool SpinningNow() const noexcept {
    return Spinning(word_.load(sync::memory_order_seq_cst)) != 0;
  }

 private:
  // Low half: available permits, offset so that adding and subtracting one never carries. Upper half:
  // spinning.
  static constexpr std::uint64_t kBias = std::uint64_t{1} << 31;
  static constexpr std::int64_t kClosed =
      -(std::int64_t{1} << 30);  // so low that nothing raises it above zero
  static constexpr std::uint64_t Pack(std::int64_t available, std::uint64_t spinning) noexcept {
    return (spinning << 32) | static_cast<std::uint64_t>(available + static_cast<std::int64_t>(kBias));
  }
  static constexpr std::int32_t Available(std::uint64_t word) noexcept {
    return static_cast<std::int32_t>(static_cast<std::int64_t>(word & 0xffffffffU) -
                                     static_cast<std::int64_t>(kBias));
  }
  static constexpr std::uint64_t Spinning(std::uint64_t word) noexcept { return word >> 32; }

  sync::atomic<std::uint64_t> word_;
};

}  // namespace orchestrate::inline v1::detail
