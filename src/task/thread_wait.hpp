#pragma once

#include <cstdint>

#include <orchestrate/base/sync.hpp>
#include <orchestrate/time/clock.hpp>
#include "exec/scheduling.hpp"

namespace orchestrate::inline v1::detail {

// One blocking wait of the calling thread, on its stack: gives the worker's permit away while it lives.
class ORCHESTRATE_API ThreadWait {
 public:
  // `served` is the runtime whose progress the wait depends on, or null; `verb` is what waits.
  ThreadWait(RuntimeCore* served, const char* verb, NoSpare no_spare = NoSpare::Fails) noexcept;

  // Set when the thread must not block.
  [[nodiscard]] const Error& Failure() const noexcept { return section_.Failure(); }

  // By the thread that ends the wait. The exchange is its last access: the waiter may be gone then, and the
  // wake uses the address only. Release pairs with the acquire in Finished().
  void Finish() noexcept {
    section_.Resume();
    if (word_.exchange(kFinished, sync::memory_order_release) == kAsleep) sync::FutexWake(word_, 1);
  }

  // By a thread that wants the waiter to look again, and that the waiter cannot outrun (it holds a lock that
  // the waiter needs before it can leave).
  void Nudge() noexcept;

  [[nodiscard]] bool Finished() const noexcept { return word_.load(sync::memory_order_acquire) == kFinished; }

  // Returns when finished or nudged.
  void Sleep() noexcept;
  // False when `until`, by the clock of the runtime that is served, has passed.
  bool SleepUntil(TimePoint until) noexcept;

 private:
  enum : std::uint32_t { kAwake, kAsleep, kNudged, kFinished };

  bool FallAsleep() noexcept;
  bool SleepUntilVirtual(TimePoint until) noexcept;

  BlockingSection section_;
  sync::atomic<std::uint32_t> word_{kAwake};
};

}  // namespace orchestrate::inline v1::detail
