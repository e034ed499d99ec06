#include <orchestrate/flow/sleep.hpp>

#include <string>
#include <utility>

#include <orchestrate/flow/detail/nap.hpp>
#include <orchestrate/task/promise.hpp>
#include "exec/scheduling.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1 {
namespace detail {
namespace {

// A task without a body that a timer completes. As a waiter for itself it hears of a Cancel().
//
// Its second reference, and its place in the count of pending work, belong to whoever takes the
// timer out: the timer's thread, a Cancel() that comes before, or the later of the two when they meet.
struct SleepCore final : ValueCore<void>, Nap<SleepCore>, Waiter {
  explicit SleepCore(std::source_location location) noexcept : ValueCore<void>(kOps, location, 2) {
    TaskCore::timers = nullptr;
    state.store(kRunning | kNoBody | kWaited, sync::memory_order_relaxed);
    Waiter::notify = OnEnd;
    (void)waiters.Add(*this);
  }

  [[nodiscard]] ContextNode& NapContext() noexcept { return *parent; }
  [[nodiscard]] TimerService*& NapTimers() noexcept { return TaskCore::timers; }

  // Counts as pending work until Leave(). Throws std::bad_alloc, then it does not sleep.
  void Begin(TimePoint until) {
    const ExecutorUse executor(*parent);
    TaskCore::timers = &executor->Timers();
    TaskCore::timers->AddPending();
    if (NeedsLink() && !AddLink(*parent, *this)) until = TimePoint::min();
    Arm(until);
  }

  // After Begin(), also when that threw: it is pending no more.
  void Leave() noexcept {
    TimerService* kept = std::exchange(TaskCore::timers, nullptr);
    if (kept != nullptr) kept->RemovePending();
  }

  // False when OnWake() was called or will be.
  [[nodiscard]] bool End() noexcept {
    RemoveLink(*parent, *this);
    return TaskCore::timers->Cancel(*this);
  }

  // A runtime's root ends together with the runtime's timers, which wakes it as well.
  [[nodiscard]] bool NeedsLink() const noexcept {
    return (parent->flags & kRoot) == 0 || RuntimeOf(*parent) == nullptr;
  }

  // By another waiter than itself.
  [[nodiscard]] bool IsAwaited() noexcept {
    bool awaited = false;
    waiters.WithLock(
        [this, &awaited](Waiter*& first) { awaited = first != this || Waiter::next != nullptr; });
    return awaited || IsOfBody(*this);
  }

  void OnWake(TimerEvent event) noexcept {
    RemoveLink(*parent, *this);  // afterwards nobody hurries it any more
    if (event == TimerEvent::ShutDown && !EndOf(*this)) {
      CancelTask(*this, Error(Errc::Cancelled).WithCause(ShutDownError(*this)));
    } else if (BeginSet(*this)) {
      Waiter::notify = [](Waiter&, TaskCore&, Notice) noexcept -> TaskCore* { return nullptr; };
      BodyResult result;
      EndSet(*this, result);
      return GoAway();
    }
    GoSecond();  // a Cancel() was faster: OnEnd() was called or will be
  }

  static TaskCore* OnEnd(Waiter& waiter, TaskCore& /*core*/, Notice /*notice*/) noexcept {
    auto& self = static_cast<SleepCore&>(waiter);
    self.End() ? self.GoAway() : self.GoSecond();
    return nullptr;
  }

  void GoSecond() noexcept {
    if (parties.Leave()) GoAway();
  }

  void GoAway() noexcept {
    Leave();
    Unref(*this);
  }

  static void Release(TaskCore& core) noexcept {
    auto& self = static_cast<SleepCore&>(core);
    std::destroy_at(&self);
    FreeBlock(&self, sizeof(SleepCore));
  }

  static constexpr TaskOps kOps{{RunQueued, DropQueued},
                                [](TaskCore&, BodyResult&) noexcept {},
                                [](TaskCore&, unsigned) noexcept {},
                                Release,
                                nullptr,
                                /*light=*/true,
                                /*plain=*/true,
                                /*timed=*/true};
};

static_assert(sizeof(SleepCore) <= 192, "a pending sleep costs three cache lines");

// Arms an unshared sleep, or ends it with the error of its context.
void Begin(SleepCore& core, ContextNode& parent, TimePoint until) {
  Adopt(core, parent);
  core.flags &= ~std::uint32_t{ContextNode::kObserved};  // observers see bodies
  if (Error ended = EndOf(parent)) {
    core.Waiter::notify = [](Waiter&, TaskCore&, Notice) noexcept -> TaskCore* { return nullptr; };
    CancelTask(core, ended);
    return Unref(core);
  }
  core.Begin(until);
}

Task<void> MakeSleep(const char* verb, const Where& where, ContextNode& parent, TimePoint until) {
  if (Error refusal = RefusalOf(verb, parent)) return MakeFailed<void>(std::move(refusal), where);
  if (Error none = TimersFailure(*ExecutorUse(parent), verb)) return MakeFailed<void>(std::move(none), where);
  auto& core = *::new (AllocateBlock(sizeof(SleepCore))) SleepCore(where.Location());
  auto task = TaskAccess::Take<void>(core);
  try {
    SetName(core, where.Name());
    Begin(core, parent, until);
  } catch (...) {
    core.GoAway();  // the timer's reference
    throw;
  }
  return task;
}

}  // namespace

Task<void> SleepFor(const Where& where, Nanoseconds duration) {
  if (duration < Nanoseconds::zero()) {
    return MakeFailed<void>(
        {Errc::InvalidArgument, "Sleep: duration " + std::to_string(duration.count()) + " ns, must be >= 0"},
        where);
  }
  return WhereAccess::WithParent(where, [&](ContextNode& parent) {
    // 0 is not "now": that would be rounded up to the next tick.
    const bool next_turn = duration == Nanoseconds::zero();
    return MakeSleep("Sleep", where, parent,
                     next_turn ? TimePoint::min() : SaturatingAdd(NowBelow(parent), duration));
  });
}

}  // namespace detail

Task<void> SleepUntil(const Where& where, TimePoint deadline) {
  return detail::WhereAccess::WithParent(where, [&](detail::ContextNode& parent) {
    return detail::MakeSleep("SleepUntil", where, parent, deadline);
  });
}

}  // namespace orchestrate::inline v1
