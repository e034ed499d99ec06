#include <orchestrate/testkit/live_counts.hpp>

#include <chrono>
#include <thread>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/exec/timer_service.hpp>

namespace orchestrate::inline v1 {

LiveCounts CountLive() noexcept {
  return {.tasks = detail::Stats().live_blocks, .timers = detail::ArmedTimers()};
}

LiveCounts WaitForLive(LiveCounts limit) noexcept {
  const TimePoint give_up = Clock::now() + std::chrono::seconds(10);
  for (;;) {
    const LiveCounts live = CountLive();
    if ((live.tasks <= limit.tasks && live.timers <= limit.timers) || Clock::now() > give_up) return live;
    std::this_thread::yield();
  }
}

}  // namespace orchestrate::inline v1
