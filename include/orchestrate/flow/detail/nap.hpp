#pragma once

#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/detail/context_node.hpp>

namespace orchestrate::inline v1::detail {

// The part of something that waits for a time, and less when a context ends: its timer, and the link through
// which the context hurries it. `Self` derives from it, links it before it arms it, and has
//   ContextNode& NapContext() noexcept       whose end wakes it; it carries the executor, too
//   TimerService*& NapTimers() noexcept      kept, since a task's executor may go at once when the task ends;
//                                            set while it is linked
//   bool IsAwaited() noexcept                whether anything waits for its end, or may soon; under a lock
//   void OnWake(TimerEvent event) noexcept   on the thread of the timers, once after each Arm(): no user code
template <class Self>
struct Nap : Timer, Link {
  Nap() noexcept {
    asks = true;
    Timer::fire = [](Timer& timer, TimerEvent event) noexcept {
      auto& self = static_cast<Self&>(timer);
      event == TimerEvent::Asked ? void(timer.is_over = !self.IsAwaited()) : self.OnWake(event);
    };
    Link::fire = [](Link& link) noexcept -> Deferred* {
      auto& self = static_cast<Self&>(link);
      self.NapTimers()->Expedite(self);  // not over: who ends it takes the link out first; nothing if awake
      return nullptr;
    };
  }

  // Sleeps until `until`, or no longer than to the next turn when the context has ended. The caller holds a
  // reference to Self beyond the call.
  void Arm(TimePoint until) noexcept {
    ContextNode& context = static_cast<Self&>(*this).NapContext();
    TimerService& timers = *static_cast<Self&>(*this).NapTimers();
    timers.Schedule(*this, until);
    // An end between the entry and the arming found nothing to hurry. It may be over already: not through
    // NapTimers().
    if (EndOf(context)) timers.Expedite(*this);
  }
};

}  // namespace orchestrate::inline v1::detail
