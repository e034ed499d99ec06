#pragma once

#include <atomic>
#include <cstddef>

#include <orchestrate/base/intrusive_queue.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/testkit/manual_clock.hpp>

namespace orchestrate::inline v1 {

/// Runs work when and where a test says, in the order in which it was posted, with time of its own.
///
/// Nothing runs by itself: `RunOne`, `RunUntilIdle` and `Advance` run work on the calling thread. A wait for
/// a task of this executor never runs it and blocks its thread for good unless another one drives the
/// executor.
///
/// @par Thread safety  Work may be posted and cancelled from any thread; one thread at a time drives.
class ORCHESTRATE_API ManualExecutor final : public Executor {
 public:
  /// Makes an executor without work whose clock shows `start`.
  explicit ManualExecutor(TimePoint start = ManualClock::kStart);

  /// Shuts down with `ShutdownMode::Cancel`.
  ~ManualExecutor() override;

  void Post(Work work) noexcept override;
  [[nodiscard]] TimerService& Timers() noexcept override { return timers_; }
  [[nodiscard]] TimePoint Now() noexcept override { return clock_.Now(); }
  [[nodiscard]] bool IsRunning() const noexcept override { return running_.load(std::memory_order_acquire); }

  /// Fires the timers that are due and runs the oldest work.
  ///
  /// @return false when there was none.
  bool RunOne() noexcept;

  /// Fires what is due and runs all work, also what comes meanwhile, without moving the clock.
  ///
  /// @return how many pieces of work ran.
  std::size_t RunUntilIdle() noexcept;

  /// Runs all work, moves the clock from one timer to the next up to `by` later, and runs what each brings.
  ///
  /// @return how many pieces of work ran; a duration that is not a number throws `InvalidArgument`.
  template <class Rep, class Period>
  std::size_t Advance(std::chrono::duration<Rep, Period> by) noexcept(
      !std::chrono::treat_as_floating_point_v<Rep>) {
    if constexpr (std::chrono::treat_as_floating_point_v<Rep>) {
      if (const Error wrong = CheckNumber(by, "ManualExecutor::Advance: duration is not a number"))
        wrong.Rethrow();
    }
    return AdvanceTo(SaturatingAdd(Now(), by));
  }

  /// Does the same up to the time `to`.
  std::size_t AdvanceTo(TimePoint to) noexcept;

  /// Stops intake, ends what is queued by `mode` and all timers on the calling thread; idempotent.
  void Shutdown(ShutdownMode mode = ShutdownMode::Cancel) noexcept;

  /// Returns the clock; whoever moves it directly lets timers pile up until the next call that runs work.
  [[nodiscard]] ManualClock& GetClock() noexcept { return clock_; }

  /// Returns how many pieces of work are queued.
  [[nodiscard]] std::size_t Queued() const noexcept;

  /// Returns how much work waits for a timer only, such as a sleep.
  [[nodiscard]] std::size_t Pending() const noexcept { return timers_.Pending(); }

 private:
  [[nodiscard]] bool CloseIfEmpty() noexcept;

  ManualClock clock_;
  TimerService timers_;
  std::atomic<bool> running_{true};
  mutable detail::Mutex mutex_;
  detail::IntrusiveQueue<detail::WorkNode> queue_;  // under mutex_
  std::size_t queued_ = 0;                          // under mutex_
  bool closed_ = false;                             // under mutex_: refuses everything
};

}  // namespace orchestrate::inline v1
