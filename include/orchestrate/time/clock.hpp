#pragma once

#include <chrono>
#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1 {

/// Names the clock that deadlines are read on.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Nanoseconds = std::chrono::nanoseconds;

/// Is told when a clock was moved by hand.
class ClockListener {
 public:
  virtual void ClockMoved() noexcept = 0;

 protected:
  ~ClockListener() = default;
};

class VirtualClock;

/// Tells the time; the seam through which tests replace the clock.
///
/// @par Thread safety  `Now` may be called from any thread.
class ORCHESTRATE_API ClockSource {
 public:
  ClockSource() = default;
  ClockSource(const ClockSource&) = delete;
  ClockSource& operator=(const ClockSource&) = delete;
  virtual ~ClockSource();

  /// Returns the time, by default that of `Clock`; never less than before.
  [[nodiscard]] virtual TimePoint Now() const noexcept;

  /// Returns this clock when it is virtual, else null.
  [[nodiscard]] virtual VirtualClock* AsVirtual() const noexcept { return nullptr; }

  /// Returns the source that reads `Clock` itself; it is never destroyed.
  [[nodiscard]] static const ClockSource& Steady() noexcept;
};

/// Is a clock that stands still until somebody moves it; whoever sleeps by it is told.
class VirtualClock : public ClockSource {
 public:
  /// Adds a listener, which stays alive until it is removed.
  virtual void Subscribe(ClockListener& listener) = 0;
  /// Removes a listener; it is not called any more when this returns.
  virtual void Unsubscribe(ClockListener& listener) noexcept = 0;

  /// Offers to move on to `next`, where the first timer is due, because nothing else can happen before.
  ///
  /// @return whether the clock moved.
  virtual bool OfferJump(TimePoint next) noexcept { return (void)next, false; }
};

}  // namespace orchestrate::inline v1
