#include <orchestrate/flow/rate_limiter.hpp>

#include <algorithm>
#include <mutex>
#include <string>

#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include "exec/forked.hpp"
#include "flow/token_bucket.hpp"
#include "sync/linked_wait.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {

enum class Grant : std::uint8_t { Waiting, Granted, Ended, TooLate, ShutDown };

// One that waits. `notify` is called once, without a lock, after `grant` was set, and is the last access.
struct PermitWaiter : ListNode<> {
  ContextNode* context = nullptr;
  TimerService* timers = nullptr;  // of the executor at the bottom: a strand may go meanwhile
  std::size_t count = 0;
  Grant grant = Grant::Waiting;  // under the limiter's lock until `notify` was called
  void (*notify)(PermitWaiter& self) noexcept = nullptr;
};

struct BlockedThread : PermitWaiter, LinkedWait {
  BlockedThread(ContextNode& of_wait, std::size_t permits) noexcept
      : LinkedWait(&of_wait, "RateLimiter::Acquire", NoSpare::KeepsPermit) {
    context = &of_wait;
    timers = &ExecutorUse(of_wait)->Timers();
    count = permits;
    notify = [](PermitWaiter& self) noexcept { static_cast<BlockedThread&>(self).Finish(); };
  }
};

}  // namespace orchestrate::inline v1::detail

namespace orchestrate::inline v1 {

using detail::BlockedThread;
using detail::ContextNode;
using detail::Grant;
using detail::PermitWaiter;
using detail::TimerEvent;
using detail::TokenBucket;

namespace {

constexpr const char* kAcquire = "RateLimiter::Acquire";

TimePoint NowOf(const ContextNode& node) noexcept { return detail::NowBelow(node); }

// `now` is by the clock that all waiters share.
bool HasEnded(const PermitWaiter& waiter, TimePoint now) noexcept {
  return now >= waiter.context->scope->deadline || detail::IsMarkedEnded(*waiter.context);
}

Error ErrorOf(Grant grant, ContextNode& node) noexcept {
  switch (grant) {
    case Grant::Ended: {
      Error ended = detail::EndOf(node);
      return ended ? ended : Error(Errc::DeadlineExceeded);
    }
    case Grant::TooLate:
      return Errc::DeadlineExceeded;
    case Grant::ShutDown:
      return detail::ShutDownError(node).WithContext(kAcquire);
    default:
      return {};
  }
}

constexpr Nanoseconds kDefaultBurst = std::chrono::milliseconds(10);

[[noreturn]] void Refuse(const std::string& sentence) {
  Error(Errc::InvalidArgument, "RateLimiter: " + sentence).Rethrow();
}

// "5/s", or "5 per 250000000 ns".
std::string Spelled(Rate rate) {
  const std::string count = std::to_string(rate.count);
  return rate.per == std::chrono::seconds(1) ? count + "/s"
                                             : count + " per " + std::to_string(rate.per.count()) + " ns";
}

TokenBucket MakeBucket(Rate rate, std::size_t& burst) {
  if (rate.per <= Nanoseconds::zero()) {
    Refuse("interval " + std::to_string(rate.per.count()) + " ns, must be > 0");
  }
  if (rate.count <= 0) Refuse("rate " + Spelled(rate) + ", must be > 0");
  const auto count = static_cast<std::uint64_t>(rate.count);
  const std::uint64_t most = TokenBucket::MostBurst(count, rate.per);
  if (most == 0) Refuse("interval " + std::to_string(rate.per.count()) + " ns, must be <= 146 years");
  if (burst > most) Refuse("burst " + std::to_string(burst) + ", must be <= " + std::to_string(most));
  if (burst == 0) {
    const double wanted = static_cast<double>(count) * static_cast<double>(kDefaultBurst.count()) /
                          static_cast<double>(rate.per.count());
    burst = wanted >= static_cast<double>(most)
                ? most
                : std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  }
  return {count, rate.per, burst};
}

}  // namespace

// Everybody who waits stands in one queue; one timer is armed for the first. The timer's thread may still be
// on its way here when the last waiter has left and the limiter goes, so the state is counted.
//
// Every call that looks at the queue drops a first waiter whose context has ended. The time is an argument:
// clocks and executors may be the user's, so they are asked without the lock.
struct RateLimiter::State : detail::GuardedTimer {
  using Waiters = detail::IntrusiveList<PermitWaiter>;

  State(Rate rate, std::size_t wanted_burst) : burst(wanted_burst), bucket(MakeBucket(rate, burst)) {
    acquire = [](GuardedTimer& timer) noexcept { return static_cast<State&>(timer).TryRef(); };
    fire = [](Timer& timer, TimerEvent event) noexcept {
      auto& self = static_cast<State&>(timer);
      self.OnTimer(event);
      self.Unref();
    };
  }

  bool TryRef() noexcept {
    auto seen = refs.load(sync::memory_order_relaxed);
    while (seen != 0) {
      if (refs.compare_exchange_weak(seen, seen + 1, sync::memory_order_relaxed)) return true;
    }
    return false;
  }
  void Unref() noexcept {
    // Release pairs with the acquire of the last owner. No timer is armed then: nobody waits.
    if (refs.fetch_sub(1, sync::memory_order_acq_rel) == 1) delete this;
  }

  [[nodiscard]] bool TryTake(TimePoint now, std::size_t count) noexcept {
    Waiters served;
    bool taken = false;
    {
      const std::lock_guard lock(mutex);
      if (!waiters.Empty() && HasEnded(*waiters.Front(), now)) ServeFirst(now, served);
      taken = waiters.Empty() && bucket.TryTake(now, count);
    }
    NotifyAll(served);
    return taken;
  }

  // Grants the permits, queues the waiter, or says that they would come too late.
  [[nodiscard]] Grant TakeOrWait(PermitWaiter& waiter) noexcept {
    const TimePoint now = NowOf(*waiter.context);
    Waiters served;
    Grant grant = Grant::Waiting;
    {
      const std::lock_guard lock(mutex);
      grant = TakeOrQueue(waiter, now, served);
    }
    NotifyAll(served);
    return grant;
  }

  // True when the waiter has left unserved; false when it was, or is being, notified.
  [[nodiscard]] bool Leave(PermitWaiter& waiter) noexcept {
    const TimePoint now = NowOf(*waiter.context);
    Waiters served;
    {
      const std::lock_guard lock(mutex);
      if (waiter.grant != Grant::Waiting) return false;
      const bool was_first = waiters.Front() == &waiter;
      Remove(waiter);
      // Those behind need less, perhaps nothing more.
      if (was_first) ServeFirst(now, served);
    }
    NotifyAll(served);
    return true;
  }

  void OnTimer(TimerEvent event) noexcept {
    Waiters served;
    ContextNode* first = nullptr;
    {
      const std::lock_guard lock(mutex);
      if (event == TimerEvent::ShutDown) DropStopped(served);
      if (!waiters.Empty()) first = waiters.Front()->context;
      if (first != nullptr) RefNode(*first);
    }
    if (first != nullptr) {
      const TimePoint now = NowOf(*first);
      UnrefNode(*first);
      const std::lock_guard lock(mutex);
      ServeFirst(now, served);
    }
    NotifyAll(served);
  }

  std::size_t burst;

  static constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

  // ---- the lock is held ----

  void Remove(PermitWaiter& waiter) noexcept {
    waiter.Unlink();
    queued -= waiter.count;
  }
  void Move(PermitWaiter& waiter, Grant grant, Waiters& served) noexcept {
    Remove(waiter);
    waiter.grant = grant;
    served.PushBack(waiter);
  }

  [[nodiscard]] Grant TakeOrQueue(PermitWaiter& waiter, TimePoint now, Waiters& served) noexcept {
    if (HasEnded(waiter, now)) return Grant::Ended;
    if (!waiters.Empty() && HasEnded(*waiters.Front(), now)) ServeFirst(now, served);
    if (waiters.Empty() && bucket.TryTake(now, waiter.count)) return Grant::Granted;
    if (ComesTooLate(waiter, now)) {
      DropEnded(now, served);  // they were counted, and want nothing any more
      if (ComesTooLate(waiter, now)) return Grant::TooLate;
    }
    queued += waiter.count;
    waiters.PushBack(waiter);
    if (waiters.Front() != &waiter || ArmForFirst(now)) return Grant::Waiting;
    Remove(waiter);
    return Grant::ShutDown;
  }

  [[nodiscard]] bool ComesTooLate(const PermitWaiter& waiter, TimePoint now) noexcept {
    const std::uint64_t ahead = queued > kMost - waiter.count ? kMost : queued + waiter.count;
    const TimePoint deadline = waiter.context->scope->deadline;
    return deadline != TimePoint::max() && SaturatingAdd(now, bucket.TimeUntil(now, ahead)) >= deadline;
  }

  void ServeFirst(TimePoint now, Waiters& served) noexcept {
    for (;;) {
      while (PermitWaiter* first = waiters.Front()) {
        const bool ended = HasEnded(*first, now);
        if (!ended && !bucket.TryTake(now, first->count)) break;
        Move(*first, ended ? Grant::Ended : Grant::Granted, served);
      }
      if (ArmForFirst(now)) return;
      DropStopped(served);
    }
  }

  // False when the timers of the first were closed: then none is armed.
  [[nodiscard]] bool ArmForFirst(TimePoint now) noexcept {
    PermitWaiter* first = waiters.Front();
    // Also on the same timers: once they are closed, nothing may stay there that nobody knows of.
    if (armed_on != nullptr) armed_on->Cancel(*this);
    armed_on = nullptr;
    if (first == nullptr) return true;
    const TimePoint due = SaturatingAdd(now, bucket.TimeUntil(now, first->count));
    if (!first->timers->TrySchedule(*this, due)) return false;
    armed_on = first->timers;
    return true;
  }

  // Those whose own timers tell no time any more; which timers have said so may not be `armed_on` by now.
  void DropStopped(Waiters& dropped) noexcept {
    DropThose([](const PermitWaiter& waiter) { return !waiter.timers->IsRunning(); }, Grant::ShutDown,
              dropped);
  }
  void DropEnded(TimePoint now, Waiters& dropped) noexcept {
    DropThose([now](const PermitWaiter& waiter) { return HasEnded(waiter, now); }, Grant::Ended, dropped);
  }
  template <class Which>
  void DropThose(Which which, Grant grant, Waiters& dropped) noexcept {
    for (PermitWaiter* waiter = waiters.Front(); waiter != nullptr;) {
      PermitWaiter* const behind = waiters.Next(*waiter);
      if (which(*waiter)) Move(*waiter, grant, dropped);
      waiter = behind;
    }
  }

  // ---- without the lock ----

  static void NotifyAll(Waiters& served) noexcept {
    while (PermitWaiter* waiter = served.PopFront()) waiter->notify(*waiter);
  }

  sync::atomic<std::uint32_t> refs{1};
  detail::Mutex mutex;
  TokenBucket bucket;
  Waiters waiters;                   // all behind the first want more than there is
  std::uint64_t queued = 0;          // permits that `waiters` want
  TimerService* armed_on = nullptr;  // where the timer for the first is armed
};

RateLimiter::RateLimiter(Rate rate, std::size_t burst) : state_(new State(rate, burst)) {}

RateLimiter::~RateLimiter() { state_->Unref(); }

Error RateLimiter::Acquire(const Context& context, std::size_t count) noexcept {
  if (count > state_->burst) {
    return detail::MakeError([&]() -> Error {
      return {Errc::InvalidArgument, "RateLimiter::Acquire: " + std::to_string(count) +
                                         " permits, must be <= the burst " + std::to_string(state_->burst)};
    });
  }
  ContextNode& node = detail::ContextAccess::Node(context);
  if (Error ended = detail::EndOrRefusalOf(kAcquire, node)) return ended;
  if (state_->TryTake(NowOf(node), count)) return {};
  if (detail::IsForked()) return detail::ForkedError(kAcquire);
  BlockedThread waiter(node, count);
  if (waiter.Failure()) return waiter.Failure();
  Grant grant = state_->TakeOrWait(waiter);
  if (grant == Grant::Waiting) {
    if (Error ended = waiter.Await([&] { return state_->Leave(waiter); })) return ended;
    grant = waiter.grant;
  }
  return ErrorOf(grant, node);
}

bool RateLimiter::TryAcquire(std::size_t count) noexcept {
  const ContextNode* node = detail::CurrentTask();
  return state_->TryTake(node != nullptr ? NowOf(*node) : Clock::now(), count);
}

bool RateLimiter::TryAcquire(const Context& context, std::size_t count) noexcept {
  return state_->TryTake(NowOf(detail::ContextAccess::Node(context)), count);
}

std::size_t RateLimiter::Burst() const noexcept { return state_->burst; }

}  // namespace orchestrate::inline v1
