#include <orchestrate/task/detail/thread_wait.hpp>

#include <orchestrate/exec/timer_service.hpp>

namespace orchestrate::inline v1::detail {

void ThreadWait::Nudge() noexcept {
  auto word = word_.load(sync::memory_order_relaxed);
  while (word != kFinished && word != kNudged) {
    if (!word_.compare_exchange_weak(word, kNudged, sync::memory_order_release)) continue;
    if (word == kAsleep) sync::FutexWake(word_, 1);
    return;
  }
}

// False when there is a reason to be awake; it is used up.
bool ThreadWait::FallAsleep() noexcept {
  section_.Suspend();
  std::uint32_t word = kAwake;
  if (word_.compare_exchange_strong(word, kAsleep, sync::memory_order_acquire) || word == kAsleep) return true;
  if (word == kNudged) word_.compare_exchange_strong(word, kAwake, sync::memory_order_acquire);
  return false;
}

void ThreadWait::Sleep() noexcept {
  while (FallAsleep()) sync::FutexWait(word_, kAsleep);
}

bool ThreadWait::SleepUntil(TimePoint until) noexcept {
  if (section_.VirtualTimers() != nullptr) return SleepUntilVirtual(until);
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
    ThreadWait& sleeper = *static_cast<Alarm&>(timer).sleeper;
    sleeper.section_.Resume();
    sleeper.Nudge();
    return false;
  };
  section_.VirtualTimers()->Schedule(alarm, until);
  Sleep();
  return section_.VirtualTimers()->Cancel(alarm) || section_.VirtualTimers()->Now() < until;
}

}  // namespace orchestrate::inline v1::detail
