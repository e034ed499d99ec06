#pragma once

#include <orchestrate/base/export.hpp>
#include <orchestrate/base/parker.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1 {

/// Is where the thread of the timers sleeps; a reactor takes the place of the plain one.
class ORCHESTRATE_API Driver {
 public:
  virtual ~Driver();

  /// Sleeps until `until` by the system's clock, or until Wake(); may return early.
  virtual void Sleep(TimePoint until) noexcept = 0;

  /// Ends the current or the next Sleep().
  ///
  /// @par Thread safety  Any thread.
  virtual void Wake() noexcept = 0;
};

/// Sleeps on a futex: the driver of a runtime without I/O.
class ORCHESTRATE_API ParkingDriver final : public Driver {
 public:
  void Sleep(TimePoint until) noexcept override;
  void Wake() noexcept override { parker_.Unpark(); }

 private:
  detail::Parker parker_;
};

}  // namespace orchestrate::inline v1
