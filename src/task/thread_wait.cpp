#include "task/thread_wait.hpp"

#include <orchestrate/exec/timer_service.hpp>
#include "task/deferred_delete.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

ThreadWait::ThreadWait(RuntimeCore* served, const char* verb, NoSpare no_spare) noexcept
    : section_(served, verb, no_spare) {
  TellPutOff();
  RunDeferred();
}

void ThreadWait::Nudge() noexcept {
  section_.Resume();
  auto word = word_.load(sync::memory_order_relaxed);
  while (word != kFinished && word != kNudged) {
    if (!word_.compare_exchange_weak(word, kNudged, sync::memory_order_release)) continue;
    if (word == kAsleep) sync::FutexWake(word_, 1);
    return;
  }
}

// False when there is a reason to be awake; it is used up.
bool ThreadWait::FallAsleep() noexcept {
  // Whoever sets the word has called Resume() before, so this gives nothing away that was just taken back.
  section_.Suspend();
  std::uint32_t word = kAwake;
  if (word_.compare_exchange_strong(word, kAsleep, sync::memory_order_acquire) || word == kAsleep)
    return true;
  if (word == kNudged && word_.compare_exchange_strong(word, kAwake, sync::memory_order_acquire))
    section_.Rearm();
  return false;
}

void ThreadWait::Sleep() noexcept {
  while (FallAsleep()) sync::FutexWait(word_, kAsleep);
}

bool ThreadWait::SleepUntil(TimePoint until) noexcept {
  if (section_.VirtualTimers() != nullptr) return SleepUntilVirtual(until);
  if (Clock::now() >= until) return false;  // a sleep whose time has passed costs as much as a short one
  while (FallAsleep()) {
    if (sync::FutexWaitUntil(word_, kAsleep, until) == sync::FutexResult::TimedOut) return !FallAsleep();
  }
  return true;
}

bool ThreadWait::SleepUntilVirtual(TimePoint until) noexcept {
  struct Alarm : GuardedTimer {
    ThreadWait* sleeper = nullptr;
  } alarm;
  alarm.sleeper = this;
  // Under the service's lock, which Cancel() takes: nothing touches the alarm after that.
  alarm.acquire = [](GuardedTimer& timer) noexcept {
    static_cast<Alarm&>(timer).sleeper->Nudge();
    return false;
  };
  section_.VirtualTimers()->Schedule(alarm, until);
  Sleep();
  TimerService& timers = *section_.VirtualTimers();
  return timers.Cancel(alarm) || (timers.Now() < until && timers.IsRunning());
}

}  // namespace orchestrate::inline v1::detail
