#include <orchestrate/testkit/manual_clock.hpp>

#include <algorithm>
#include <thread>

#include <orchestrate/exec/timer_service.hpp>

namespace orchestrate::inline v1 {

using detail::MutexLock;

ManualClock::ManualClock(Mode mode, TimePoint start) noexcept : start_(start), mode_(mode), now_(start) {}

ManualClock::~ManualClock() = default;

TimePoint ManualClock::Now() const noexcept {
  // Acquire pairs with the release in MoveTo(): who sees the time sees what was done before it came.
  return now_.load(std::memory_order_acquire);
}

VirtualClock* ManualClock::AsVirtual() const noexcept {
  return const_cast<ManualClock*>(this);  // NOLINT: whoever reads the clock may subscribe to it
}

void ManualClock::AdvanceBy(Nanoseconds by) noexcept {
  const MutexLock lock(mutex_);
  MoveTo(SaturatingAdd(Now(), std::max(by, Nanoseconds::zero())));
}

void ManualClock::AdvanceTo(TimePoint to) noexcept {
  const MutexLock lock(mutex_);
  MoveTo(std::max(to, Now()));
}

void ManualClock::SetMode(Mode mode) noexcept {
  const MutexLock lock(mutex_);
  mode_.store(mode, std::memory_order_relaxed);
  MoveTo(Now());  // the listeners may offer a jump again
}

void ManualClock::Subscribe(ClockListener& listener) {
  const MutexLock lock(mutex_);
  listeners_.push_back(&listener);
}

void ManualClock::Unsubscribe(ClockListener& listener) noexcept {
  const MutexLock lock(mutex_);
  std::erase(listeners_, &listener);
}

bool ManualClock::OfferJump(TimePoint next) noexcept {
  const MutexLock lock(mutex_);
  if (next <= Now()) return true;
  if (mode_.load(std::memory_order_relaxed) != Auto) return false;
  MoveTo(next);
  return true;
}

void ManualClock::MoveTo(TimePoint to) noexcept {
  now_.store(to, std::memory_order_release);
  for (ClockListener* listener : listeners_) listener->ClockMoved();
}

bool WaitForTimers(Executor& executor, std::size_t count) noexcept {
  const TimePoint give_up = Clock::now() + std::chrono::seconds(10);
  while (executor.Timers().Armed() < count) {
    if (Clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace orchestrate::inline v1
