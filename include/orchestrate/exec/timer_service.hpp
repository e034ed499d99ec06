#pragma once

#include <cstddef>
#include <memory>

#include <orchestrate/base/export.hpp>
#include <orchestrate/exec/detail/second_of_two.hpp>
#include <orchestrate/exec/driver.hpp>
#include <orchestrate/time/clock.hpp>
#include <orchestrate/time/timer_wheel.hpp>

namespace orchestrate::inline v1 {

class TimerService;

namespace detail {

// Why a timer's `fire` was called. Asked: under the service's lock, to set `is_over` when nothing waits for
// what the timer ends.
enum class TimerEvent : unsigned char { Expired, ShutDown, Asked };

// An armed timer. Its owner stays alive until `fire` was called or Cancel() returned true.
struct Timer : TimerNode {
  bool guarded = false;  // it is a GuardedTimer; lies in the padding of the node, as what follows
  bool asks = false;     // may be asked
  bool is_over = false;  // fires as shut down, at once
  SecondOfTwo parties;   // of the owner, which may need it
  void (*fire)(Timer&, TimerEvent) noexcept = nullptr;
};

// A timer whose owner may go at any time: `acquire` is called under the service's lock, which Cancel() takes,
// and keeps the owner alive for `fire`; false skips it.
struct GuardedTimer : Timer {
  GuardedTimer() noexcept { guarded = true; }
  bool (*acquire)(GuardedTimer&) noexcept = nullptr;
};

// How many timers of all services of the process are armed.
[[nodiscard]] ORCHESTRATE_API std::size_t ArmedTimers() noexcept;

// A closed service: what is armed there fires at once, as shut down. Never destroyed.
[[nodiscard]] ORCHESTRATE_API TimerService& ClosedTimers() noexcept;
// True for those, which are not made for that.
[[nodiscard]] ORCHESTRATE_API bool AreClosedTimers(const TimerService& timers) noexcept;

}  // namespace detail

/// Asks for a `TimerService` without a thread.
struct TimersByHand {};

/// Fires timers from one thread that sleeps exactly until the next of them.
///
/// @par Thread safety  All members may be called from any thread.
class ORCHESTRATE_API TimerService {
 public:
  /// Starts the service on `clock`, which must outlive it.
  ///
  /// @param driver  where the thread sleeps; null = a `ParkingDriver`.
  /// @par Errors  Throws `ErrorException` with `OutOfResources` when no thread can be made.
  explicit TimerService(const ClockSource& clock, std::unique_ptr<Driver> driver = nullptr);
  /// Makes a service on `clock`, which must outlive it, whose timers fire in `FireDue` only.
  TimerService(const ClockSource& clock, TimersByHand by_hand);
  TimerService(const TimerService&) = delete;
  TimerService& operator=(const TimerService&) = delete;
  ~TimerService();

  /// Returns the clock's time.
  [[nodiscard]] TimePoint Now() const noexcept;

  /// Arms `timer` for `deadline`; after Stop() it fires at once with `TimerEvent::ShutDown`, after Close() on
  /// the calling thread.
  void Schedule(detail::Timer& timer, TimePoint deadline) noexcept;

  /// Does the same, but arms nothing after Close(): then false, for callers who hold a lock that `timer`
  /// takes.
  [[nodiscard]] bool TrySchedule(detail::Timer& timer, TimePoint deadline) noexcept;

  /// Makes `timer` due at once if it is armed; fires nothing on the calling thread.
  void Expedite(detail::Timer& timer) noexcept;

  /// Disarms `timer`; false when it has fired, fires now, or was never armed.
  bool Cancel(detail::Timer& timer) noexcept;

  /// Fires as shut down what is armed and, asked, says that nothing waits for it.
  /// @par Complexity  O(n) under the lock.
  void StopUnawaited() noexcept;

  /// Fires what is armed as shut down, and everything that is armed later; idempotent.
  void Stop() noexcept;

  /// Stops, ends the thread, and lets go of the clock, whose time stands still from then on.
  ///
  /// @par Blocks  Until the thread has fired what was armed; not for that thread itself.
  void Close() noexcept;

  /// Says whether the calling thread is the one that fires the timers.
  [[nodiscard]] bool IsOwnThread() const noexcept;

  /// Says whether timers still expire: false after Stop().
  [[nodiscard]] bool IsRunning() const noexcept;

  /// Returns how many timers are armed.
  [[nodiscard]] std::size_t Armed() const noexcept;

  /// Counts work that waits for a timer and lies in no queue, such as a sleeping task.
  void AddPending() noexcept;

  /// Counts it as awake or ended.
  void RemovePending() noexcept;

  /// Returns how much work waits for a timer only.
  [[nodiscard]] std::size_t Pending() const noexcept;

  /// Sets what RemovePending() calls, before anything is pending.
  void OnRemovePending(void (*note)(void*) noexcept, void* context) noexcept;

  /// Returns when the next timer is due, `TimePoint::max()` when none is armed; it may be too early after a
  /// Cancel().
  [[nodiscard]] TimePoint NextDue() const noexcept;

  /// Fires what is due on the calling thread; for a service without a thread, by one thread at a time.
  void FireDue() noexcept;

  /// Makes the thread look at the clock again, never blocking.
  void Wake() noexcept;

  /// Sets what the thread does beside its timers, before anything asks for it.
  ///
  /// @param chore  called on the thread; returns when it wants to be called again, by the system's clock, or
  ///               `TimePoint::max()`.
  void SetChore(TimePoint (*chore)(void*) noexcept, void* context) noexcept;

  /// Has the chore called at `when`, by the system's clock, unless it is called sooner.
  void AskForChore(TimePoint when) noexcept;

  /// Says when a virtual clock may be moved on to the next timer: when `idle(context)` is true on the thread.
  void JumpWhen(bool (*idle)(void*) noexcept, void* context) noexcept;

 private:
  friend TimerService& detail::ClosedTimers() noexcept;
  struct Impl;
  explicit TimerService(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace orchestrate::inline v1
