#include "exec/closed_timers.hpp"

#include <new>

namespace orchestrate::inline v1::detail {

TimerService& ClosedTimers() noexcept {
  alignas(TimerService) static unsigned char storage[sizeof(TimerService)];
  static TimerService& timers = [&]() -> TimerService& {
    auto& made = *::new (static_cast<void*>(storage)) TimerService(ClockSource::Steady(), TimersByHand());
    made.Close();
    return made;
  }();
  return timers;
}

}  // namespace orchestrate::inline v1::detail
