#pragma once

#include <cstdint>

#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

// Who may run work: `available` permits of a runtime and whether one idle runner is looking for work; and how
// much was run under permits that threads from outside had borrowed, which costs them nothing to count here.
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
  // Tests begin with a number `ran` shortly before it wraps.
  explicit Permits(std::int32_t width, std::uint32_t ran = 0) noexcept : word_(Biased(width) + ran * kRan) {}

  // After a push: true when the caller has to start a runner, which begins as the one that spins.
  [[nodiscard]] bool NeedsRunner() noexcept {
    auto word = word_.load(sync::memory_order_seq_cst);
    while (Available(word) > 0 && !Spins(word)) {
      if (word_.compare_exchange_weak(word, word | kSpinning, sync::memory_order_seq_cst)) return true;
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

  // `ran` pieces of work were done under the permit, which no runner counts.
  void Release(std::uint32_t ran = 0) noexcept {
    word_.fetch_add(1 + ran * kRan, sync::memory_order_seq_cst);
  }

  // The runner's work has run out: gives the permit back, and true when it is now the one that spins.
  [[nodiscard]] bool ReleaseAndSpin() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    for (;;) {
      const bool first = !Spins(word) && Available(word) >= 0;
      if (word_.compare_exchange_weak(word, (word + 1) | (first ? kSpinning : 0), sync::memory_order_seq_cst))
        return first;
    }
  }

  // The spinning runner saw work: true when it now holds a permit, and spins no more.
  [[nodiscard]] bool StopSpinningAndAcquire() noexcept {
    auto word = word_.load(sync::memory_order_relaxed);
    while (Available(word) > 0) {
      if (word_.compare_exchange_weak(word, (word & ~kSpinning) - 1, sync::memory_order_seq_cst)) return true;
    }
    return false;
  }

  // The spinning runner gives up looking.
  void StopSpinning() noexcept { word_.fetch_and(~kSpinning, sync::memory_order_seq_cst); }

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
    auto word = word_.load(sync::memory_order_relaxed);
    if (Available(word) != width || Spins(word)) return false;
    return word_.compare_exchange_strong(word, (word & ~kAvailable) | Biased(kClosed),
                                         sync::memory_order_seq_cst);
  }

  [[nodiscard]] std::int32_t AvailableNow() const noexcept {
    return Available(word_.load(sync::memory_order_seq_cst));
  }
  [[nodiscard]] bool SpinningNow() const noexcept { return Spins(word_.load(sync::memory_order_seq_cst)); }

  // Sums what Release() was told, modulo 2^31.
  [[nodiscard]] std::uint32_t Ran() const noexcept {
    return static_cast<std::uint32_t>(word_.load(sync::memory_order_seq_cst) / kRan);
  }
  // `work` less `ran`, which lie less than 2^30 apart.
  [[nodiscard]] static std::int64_t Less(std::uint64_t work, std::uint32_t ran) noexcept {
    return static_cast<std::int64_t>((work - ran) * kRan) / static_cast<std::int64_t>(kRan);
  }

 private:
  // From the lowest bit: 32 of available permits, offset so that adding and subtracting one never carries;
  // one that says whether somebody spins; 31 that count.
  static constexpr std::uint64_t kAvailable = 0xffffffffU;
  static constexpr std::uint64_t kSpinning = kAvailable + 1;
  static constexpr std::uint64_t kRan = kSpinning * 2;
  static constexpr std::int64_t kBias = std::int64_t{1} << 31;
  static constexpr std::int64_t kClosed = -kBias / 2;  // so low that nothing raises it above zero

  static constexpr std::uint64_t Biased(std::int64_t available) noexcept {
    return static_cast<std::uint64_t>(available + kBias);
  }
  static constexpr std::int32_t Available(std::uint64_t word) noexcept {
    return static_cast<std::int32_t>(static_cast<std::int64_t>(word & kAvailable) - kBias);
  }
  static constexpr bool Spins(std::uint64_t word) noexcept { return (word & kSpinning) != 0; }

  sync::atomic<std::uint64_t> word_;
};

}  // namespace orchestrate::inline v1::detail
