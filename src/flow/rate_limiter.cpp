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

namespace orchestrate::inline v1 {

using detail::ContextNode;
using detail::TimerEvent;
using detail::TokenBucket;

namespace {

enum class Grant : std::uint8_t { Waiting, Granted, TooLate, ShutDown };

// One that waits. `notify` is called once, without a lock, after `grant` was set, and is the last access.
struct PermitWaiter : detail::ListNode<> {
  Executor* executor = nullptr;  // its clock and its timers
  std::size_t count = 0;
  Grant grant = Grant::Waiting;  // under the limiter's lock until `notify` was called
  void (*notify)(PermitWaiter& self) noexcept = nullptr;
};

struct BlockedThread : PermitWaiter, detail::LinkedWait {
  BlockedThread(ContextNode& context, std::size_t permits) noexcept
      : LinkedWait(&context, detail::NoSpare::KeepsPermit) {
    executor = &detail::ExecutorOf(context);
    count = permits;
    notify = [](PermitWaiter& self) noexcept { static_cast<BlockedThread&>(self).Finish(); };
  }
};

Error ErrorOf(Grant grant) noexcept {
  switch (grant) {
    case Grant::TooLate:
      return Errc::DeadlineExceeded;
    case Grant::ShutDown:
      return Errc::ShutDown;
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

  [[nodiscard]] bool TryTake(Executor* executor, std::size_t count) noexcept {
    const std::lock_guard lock(mutex);
    return waiters.Empty() && bucket.TryTake(executor != nullptr ? executor->Now() : Clock::now(), count);
  }

  // Grants the permits, queues the waiter, or says that they would come too late.
  [[nodiscard]] Grant TakeOrWait(PermitWaiter& waiter, TimePoint deadline) noexcept {
    const std::lock_guard lock(mutex);
    const TimePoint now = waiter.executor->Now();
    if (waiters.Empty() && bucket.TryTake(now, waiter.count)) return Grant::Granted;
    const std::uint64_t ahead = queued > kMost - waiter.count ? kMost : queued + waiter.count;
    if (SaturatingAdd(now, bucket.TimeUntil(now, ahead)) > deadline) return Grant::TooLate;
    queued += waiter.count;
    waiters.PushBack(waiter);
    if (waiters.Front() != &waiter || ArmForFirst()) return Grant::Waiting;
    Remove(waiter);
    return Grant::ShutDown;
  }

  // True when the waiter has left unserved; false when it was, or is being, notified.
  [[nodiscard]] bool Leave(PermitWaiter& waiter) noexcept {
    Waiters served;
    {
      const std::lock_guard lock(mutex);
      if (waiter.grant != Grant::Waiting) return false;
      const bool was_first = waiters.Front() == &waiter;
      Remove(waiter);
      // Those behind need less, perhaps nothing more.
      if (was_first) ServeFirst(served);
    }
    NotifyAll(served);
    return true;
  }

  void OnTimer(TimerEvent event) noexcept {
    Waiters served;
    {
      const std::lock_guard lock(mutex);
      if (event == TimerEvent::ShutDown) DropStopped(served);
      ServeFirst(served);
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

  void ServeFirst(Waiters& served) noexcept {
    for (;;) {
      while (PermitWaiter* first = waiters.Front()) {
        if (!bucket.TryTake(first->executor->Now(), first->count)) break;
        Move(*first, Grant::Granted, served);
      }
      if (ArmForFirst()) return;
      DropStopped(served);
    }
  }

  // False when the timers of the first were closed: then none is armed.
  [[nodiscard]] bool ArmForFirst() noexcept {
    PermitWaiter* first = waiters.Front();
    TimerService* timers = first != nullptr ? &first->executor->Timers() : nullptr;
    // Also on the same timers: once they are closed, nothing may stay there that nobody knows of.
    if (armed_on != nullptr) armed_on->Cancel(*this);
    armed_on = nullptr;
    if (first == nullptr) return true;
    const TimePoint now = first->executor->Now();
    if (!timers->TrySchedule(*this, SaturatingAdd(now, bucket.TimeUntil(now, first->count)))) return false;
    armed_on = timers;
    return true;
  }

  // Those whose own timers tell no time any more; which timers have said so may not be `armed_on` by now.
  void DropStopped(Waiters& dropped) noexcept {
    for (PermitWaiter* waiter = waiters.Front(); waiter != nullptr;) {
      PermitWaiter* const behind = waiters.Next(*waiter);
      if (!waiter->executor->Timers().IsRunning()) Move(*waiter, Grant::ShutDown, dropped);
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
  if (Error ended = detail::EndOf(node)) return ended;
  if (state_->TryTake(&detail::ExecutorOf(node), count)) return {};
  if (detail::IsForked()) return detail::ForkedError("RateLimiter::Acquire");
  BlockedThread waiter(node, count);
  if (waiter.Failure()) return waiter.Failure();
  Grant grant = state_->TakeOrWait(waiter, node.scope->deadline);
  if (grant == Grant::Waiting) {
    if (Error ended = waiter.Await([&] { return state_->Leave(waiter); })) return ended;
    grant = waiter.grant;
  }
  return ErrorOf(grant);
}

bool RateLimiter::TryAcquire(std::size_t count) noexcept {
  const ContextNode* node = detail::CurrentTask();
  return state_->TryTake(node != nullptr ? &detail::ExecutorOf(*node) : nullptr, count);
}

bool RateLimiter::TryAcquire(const Context& context, std::size_t count) noexcept {
  return state_->TryTake(&context.GetExecutor(), count);
}

std::size_t RateLimiter::Burst() const noexcept { return state_->burst; }

}  // namespace orchestrate::inline v1
