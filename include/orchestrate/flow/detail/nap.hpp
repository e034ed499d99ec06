#pragma once

#include <utility>

#include <orchestrate/exec/detail/scheduling.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/detail/context_node.hpp>

namespace orchestrate::inline v1::detail {

// The part of something that waits for a time, and less when a context ends. `Self` derives from it and has
//   ContextNode& NapContext() noexcept       whose end wakes it; it carries the executor, too
//   TimerService*& NapTimers() noexcept      kept, since a task's executor may go at once when the task ends
//   void OnWake(TimerEvent event) noexcept   on the thread of the timers, once after each Begin(): no user
//   code
template <class Self>
struct Nap : Timer, Link {
  Nap() noexcept {
    Timer::fire = [](Timer& timer, TimerEvent event) noexcept {
      auto& self = static_cast<Self&>(timer);
      RemoveLink(self.NapContext(), self);  // afterwards nobody hurries it any more
      self.OnWake(event);
    };
    Link::fire = [](Link& link) noexcept -> Deferred* {
      auto& self = static_cast<Self&>(link);
      self.NapTimers()->Expedite(self);  // not over: who ends it takes the link out first
      return nullptr;
    };
  }

  // Sleeps until `until`, or no longer than to the next turn when the context has ended. The caller holds a
  // reference to Self beyond the call. Counts as pending work until Leave(). Throws std::bad_alloc, then it
  // does not sleep.
  void Begin(TimePoint until) {
    ContextNode& context = static_cast<Self&>(*this).NapContext();
    TimerService& timers = ExecutorOf(context).Timers();
    timers.AddPending();
    static_cast<Self&>(*this).NapTimers() = &timers;
    if (NeedsLink(context) && !AddLink(context, *this)) until = TimePoint::min();
    timers.Schedule(*this, until);
    // An end between the entry and the arming found nothing to hurry. It may be over already: not through
    // NapTimers().
    if (EndOf(context)) timers.Expedite(*this);
  }

  // After each Begin(), also one that threw: it is pending no more.
  void Leave() noexcept {
    TimerService* timers = std::exchange(static_cast<Self&>(*this).NapTimers(), nullptr);
    if (timers != nullptr) timers->RemovePending();
  }

  // Ends it; false when OnWake() was called or will be.
  [[nodiscard]] bool End() noexcept {
    auto& self = static_cast<Self&>(*this);
    RemoveLink(self.NapContext(), self);
    return self.NapTimers()->Cancel(self);
  }

 private:
  // A runtime's root ends together with the runtime's timers, which wakes it as well.
  static bool NeedsLink(const ContextNode& context) noexcept {
    return (context.flags & ContextNode::kRoot) == 0 || RuntimeOf(context) == nullptr;
  }
};

}  // namespace orchestrate::inline v1::detail
