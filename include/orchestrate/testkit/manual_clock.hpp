#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/time/clock.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

/// Is a clock that a test moves; a `Runtime` on it lives in virtual time.
///
/// By hand it stands still between two calls of `Advance`. In mode `Auto` it also jumps to the next timer
/// whenever its runtime is idle while a thread from outside is blocked in a wait of the library, so that
/// `Sleep(runtime.Background(), 1h).Wait()` returns at once, with all that happens in that hour done in
/// order. A clock in mode `Auto` serves one runtime: it does not wait for a second one to be idle.
///
/// @par Thread safety  All members may be called from any thread.
class ORCHESTRATE_API ManualClock final : public VirtualClock {
 public:
  /// Says who moves the clock.
  enum Mode : unsigned char {
    ByHand,  ///< `Advance` and `AdvanceTo` only.
    Auto     ///< Also the runtime, when only a timer can go on.
  };

  /// Is where every clock starts unless told otherwise: always the same, not the epoch, at a tick's begin.
  static constexpr TimePoint kStart{std::chrono::hours(1000)};

  /// Makes a clock that shows `start`.
  explicit ManualClock(Mode mode = ByHand, TimePoint start = kStart) noexcept;
  ~ManualClock() override;

  [[nodiscard]] TimePoint Now() const noexcept override;
  [[nodiscard]] VirtualClock* AsVirtual() const noexcept override;

  /// Returns how far the clock has moved since it was made.
  [[nodiscard]] Nanoseconds Elapsed() const noexcept { return Now() - start_; }

  /// Moves the clock on; a negative duration counts as 0, one that is not a number throws `InvalidArgument`.
  template <class Rep, class Period>
  void Advance(std::chrono::duration<Rep, Period> by) noexcept(!std::chrono::treat_as_floating_point_v<Rep>) {
    if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
      if (const Error wrong = CheckNumber(by, "ManualClock::Advance: duration is not a number"))
        wrong.Rethrow();
    }
    AdvanceBy(SaturatingNanoseconds(by));
  }

  /// Moves the clock on to `to`; never back.
  void AdvanceTo(TimePoint to) noexcept;

  /// Changes who moves the clock from now on.
  void SetMode(Mode mode) noexcept;

  void Subscribe(ClockListener& listener) override;
  void Unsubscribe(ClockListener& listener) noexcept override;
  bool OfferJump(TimePoint next) noexcept override;

 private:
  void AdvanceBy(Nanoseconds by) noexcept;
  void MoveTo(TimePoint to) noexcept;  // under mutex_

  const TimePoint start_;
  std::atomic<Mode> mode_;
  std::atomic<TimePoint> now_;
  detail::Mutex mutex_;
  std::vector<ClockListener*> listeners_;  // under mutex_
};

/// Waits until at least `count` timers of `executor` are armed: after that, an `Advance` fires them.
///
/// @return false when that was not so within ten seconds of real time.
/// @par Blocks  The calling thread, which looks again and again.
[[nodiscard]] ORCHESTRATE_API bool WaitForTimers(Executor& executor, std::size_t count) noexcept;

}  // namespace orchestrate::inline v1
