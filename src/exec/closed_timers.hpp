#pragma once

#include <orchestrate/exec/timer_service.hpp>

namespace orchestrate::inline v1::detail {

// Timers that are closed: what is armed there is told at once that it will not fire. Never destroyed.
[[nodiscard]] TimerService& ClosedTimers() noexcept;

}  // namespace orchestrate::inline v1::detail
