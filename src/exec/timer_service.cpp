#include <orchestrate/exec/timer_service.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/time/deadline.hpp>
#include "exec/own_thread.hpp"

namespace orchestrate::inline v1 {

Driver::~Driver() = default;

void ParkingDriver::Sleep(TimePoint until) noexcept {
  if (until == TimePoint::max()) {
    parker_.Park();
  } else {
    parker_.ParkUntil(until);
  }
}

namespace {

// All services of the process, for ArmedTimers().
struct Registered : detail::ListNode<> {
  virtual std::size_t Armed() noexcept = 0;

 protected:
  ~Registered() = default;
};

struct Registry {
  detail::Mutex mutex;
  detail::IntrusiveList<Registered> services;  // under mutex
};

// Never destroyed: the default runtime's timers run until the process ends.
Registry& AllServices() noexcept {
  alignas(Registry) static unsigned char storage[sizeof(Registry)];
  // Made before main, with the closed timers: no fork finds it half made.
  static auto* const registry = ::new (static_cast<void*>(storage)) Registry;
  return *registry;
}

}  // namespace

struct TimerService::Impl final : ClockListener, Registered {
  // Without a driver there is no thread.
  Impl(const ClockSource& source, std::unique_ptr<Driver> place)
      : clock(&source), manual(source.AsVirtual()), driver(std::move(place)), wheel(TickOf(source.Now())) {
    if (driver != nullptr) StartThread();
    Registry& all = AllServices();
    const std::lock_guard lock(all.mutex);
    all.services.PushBack(*this);
  }

  void StartThread() {
    if (manual != nullptr) manual->Subscribe(*this);
    try {
      thread = detail::StartOwnThread([this] { Loop(); });
    } catch (const std::system_error& error) {
      if (manual != nullptr) manual->Unsubscribe(*this);
      Error(Errc::OutOfResources, "TimerService: no thread for the timers").WithCause(error.code()).Rethrow();
    }
  }

  ~Impl() {
    {
      Registry& all = AllServices();
      const std::lock_guard lock(all.mutex);
      Unlink();
    }
    Close();
  }

  void Close() noexcept {
    if (thread.joinable()) {
      if (manual != nullptr) manual->Unsubscribe(*this);
      quit.store(true, std::memory_order_seq_cst);
      driver->Wake();
      thread.join();
    }
    {
      const std::lock_guard lock(mutex);
      stopped = closed = true;
    }
    FireAll(TimerWheel::kNever);
    last_time.time = Now();
    clock.store(&last_time, std::memory_order_release);
  }

  [[nodiscard]] TimePoint Now() const noexcept { return clock.load(std::memory_order_acquire)->Now(); }

  void ClockMoved() noexcept override { driver->Wake(); }

  void Wake() noexcept {
    if (driver != nullptr) driver->Wake();
  }

  std::size_t Armed() noexcept override {
    const std::lock_guard lock(mutex);
    return wheel.Size();
  }

  // Returns when the next chore is due.
  TimePoint DoChore() noexcept {
    {
      const std::lock_guard lock(mutex);
      if (chore_at == TimePoint::max() || Clock::now() < chore_at) return chore_at;
      chore_at = TimePoint::max();
    }
    const TimePoint again = chore(chore_context);
    const std::lock_guard lock(mutex);
    chore_at = std::min(chore_at, again);
    return chore_at;
  }

  void Loop() noexcept {
    own_thread.store(std::this_thread::get_id(), std::memory_order_relaxed);
    while (!quit.load(std::memory_order_seq_cst)) {
      const TimePoint chore_due = DoChore();
      const bool more = FireDue(TickOf(Now()));
      if (more || quit.load(std::memory_order_seq_cst)) continue;
      std::uint64_t next = 0;
      {
        const std::lock_guard lock(mutex);
        next = wheel.NextExpiry();
        sleeping_until = next;  // whoever schedules something earlier from here on wakes the driver
      }
      if (manual == nullptr) {
        driver->Sleep(std::min(chore_due, next == TimerWheel::kNever ? TimePoint::max() : TickStart(next)));
      } else if (next == TimerWheel::kNever || !TryJump(next)) {
        driver->Sleep(chore_due);
      }
      const std::lock_guard lock(mutex);
      sleeping_until = 0;
    }
    FireAll(TimerWheel::kNever);
  }

  bool TryJump(std::uint64_t next) noexcept {
    if (TickOf(Now()) >= next) return true;
    auto* idle = is_idle.load(std::memory_order_acquire);
    if (idle == nullptr || !idle(idle_context)) return false;
    {
      // What ran until now may have armed an earlier one since.
      const std::lock_guard lock(mutex);
      next = wheel.NextExpiry();
    }
    if (next == TimerWheel::kNever) return false;
    return manual->OfferJump(TickStart(next));
  }

  // Fires what is due, some of it; true when there is more.
  bool FireDue(std::uint64_t now) noexcept {
    constexpr std::size_t kBudget = 256;
    detail::Timer* batch[kBudget];
    std::size_t count = 0;
    bool more = false;
    TimerEvent event = TimerEvent::Expired;
    {
      const std::lock_guard lock(mutex);
      if (stopped) {
        event = TimerEvent::ShutDown;
        now = TimerWheel::kNever;
      }
      TimerList due;
      more = wheel.Advance(now, kBudget, due);
      while (TimerNode* node = due.Pop()) {
        auto& timer = static_cast<detail::Timer&>(*node);
        if (!timer.guarded || Acquire(timer)) batch[count++] = &timer;
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      batch[i]->fire(*batch[i], batch[i]->is_over ? TimerEvent::ShutDown : event);
    }
    return more;
  }

  void FireAll(std::uint64_t now) noexcept {
    while (FireDue(now)) {
    }
  }

  static bool Acquire(detail::Timer& timer) noexcept {
    auto& guarded = static_cast<detail::GuardedTimer&>(timer);
    return guarded.acquire(guarded);
  }

  using TimerEvent = detail::TimerEvent;

  // Shows the time at which the service was closed: the user's clock may be gone.
  struct LastTime final : ClockSource {
    [[nodiscard]] TimePoint Now() const noexcept override { return time; }
    TimePoint time{};
  };

  LastTime last_time;
  std::atomic<const ClockSource*> clock;
  VirtualClock* const manual;
  const std::unique_ptr<Driver> driver;  // null: by hand
  detail::Mutex mutex;
  TimerWheel wheel;                       // under mutex
  std::uint64_t sleeping_until = 0;       // under mutex: 0 while awake
  bool stopped = false;                   // under mutex
  bool closed = false;                    // under mutex: nobody else fires any more
  TimePoint chore_at = TimePoint::max();  // under mutex
  TimePoint (*chore)(void*) noexcept = nullptr;
  void* chore_context = nullptr;
  void (*on_remove)(void*) noexcept = nullptr;
  void* remove_context = nullptr;
  alignas(64) std::atomic<std::size_t> pending{0};
  std::atomic<bool> quit{false};
  std::atomic<bool (*)(void*) noexcept> is_idle{nullptr};
  void* idle_context = nullptr;
  std::atomic<std::thread::id> own_thread{};  // only that thread finds itself there
  std::thread thread;                         // last: it uses all of the above
};

TimerService::TimerService(const ClockSource& clock, std::unique_ptr<Driver> driver)
    : impl_(std::make_unique<Impl>(
          clock, driver != nullptr ? std::move(driver) : std::make_unique<ParkingDriver>())) {}

TimerService::TimerService(const ClockSource& clock, TimersByHand /*by_hand*/)
    : impl_(std::make_unique<Impl>(clock, nullptr)) {}

TimerService::TimerService(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

TimerService::~TimerService() { Stop(); }

TimePoint TimerService::Now() const noexcept { return impl_->Now(); }

void TimerService::Schedule(detail::Timer& timer, TimePoint deadline) noexcept {
  if (TrySchedule(timer, deadline)) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->wheel.Schedule(timer, 0);
  }
  impl_->FireAll(TimerWheel::kNever);
}

bool TimerService::TrySchedule(detail::Timer& timer, TimePoint deadline) noexcept {
  const std::uint64_t tick = DeadlineTick(deadline);
  bool wake = false;
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->closed) return false;
    impl_->wheel.Schedule(timer, impl_->stopped ? 0 : tick);
    wake = tick < impl_->sleeping_until || impl_->stopped;
    if (wake) impl_->sleeping_until = tick;  // one wake is enough until something earlier comes
  }
  if (wake) impl_->Wake();
  return true;
}

void TimerService::Expedite(detail::Timer& timer) noexcept {
  bool wake = false;
  {
    const std::lock_guard lock(impl_->mutex);
    // Without a gap, so that whoever closes the service meanwhile still finds it.
    if (!impl_->wheel.Cancel(timer)) return;
    impl_->wheel.Schedule(timer, 0);
    wake = std::exchange(impl_->sleeping_until, 0) != 0;
  }
  if (wake) impl_->Wake();
}

bool TimerService::Cancel(detail::Timer& timer) noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->wheel.Cancel(timer);
}

void TimerService::StopUnawaited() noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->wheel.ForEach([this](TimerNode& node) {
      auto& timer = static_cast<detail::Timer&>(node);
      if (!timer.asks || timer.is_over) return;
      timer.fire(timer, detail::TimerEvent::Asked);
      if (timer.is_over) impl_->wheel.Schedule(node, 0);
    });
    impl_->sleeping_until = 0;
  }
  impl_->Wake();
}

void TimerService::Stop() noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true)) return;
  }
  impl_->Wake();
}

void TimerService::Close() noexcept { impl_->Close(); }

bool TimerService::IsOwnThread() const noexcept {
  return impl_->own_thread.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

bool TimerService::IsRunning() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  return !impl_->stopped;
}

std::size_t TimerService::Armed() const noexcept { return impl_->Armed(); }

TimePoint TimerService::NextDue() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  const std::uint64_t next = impl_->wheel.NextExpiry();
  return next == TimerWheel::kNever ? TimePoint::max() : TickStart(next);
}

void TimerService::FireDue() noexcept { impl_->FireAll(TickOf(impl_->Now())); }

void TimerService::Wake() noexcept { impl_->Wake(); }

void TimerService::AddPending() noexcept { impl_->pending.fetch_add(1, std::memory_order_seq_cst); }

void TimerService::RemovePending() noexcept {
  impl_->pending.fetch_sub(1, std::memory_order_seq_cst);
  if (impl_->on_remove != nullptr) impl_->on_remove(impl_->remove_context);
}

std::size_t TimerService::Pending() const noexcept { return impl_->pending.load(std::memory_order_seq_cst); }

void TimerService::OnRemovePending(void (*note)(void*) noexcept, void* context) noexcept {
  impl_->on_remove = note;
  impl_->remove_context = context;
}

void TimerService::SetChore(TimePoint (*chore)(void*) noexcept, void* context) noexcept {
  impl_->chore = chore;
  impl_->chore_context = context;
}

void TimerService::AskForChore(TimePoint when) noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    if (when >= impl_->chore_at) return;
    impl_->chore_at = when;
  }
  impl_->Wake();
}

void TimerService::JumpWhen(bool (*idle)(void*) noexcept, void* context) noexcept {
  impl_->idle_context = context;
  impl_->is_idle.store(idle, std::memory_order_release);
  impl_->Wake();
}

namespace {

alignas(TimerService) unsigned char closed_storage[sizeof(TimerService)];

}  // namespace

bool detail::AreClosedTimers(const TimerService& timers) noexcept {
  return static_cast<const void*>(&timers) == closed_storage;
}

TimerService& detail::ClosedTimers() noexcept {
  // Made without memory, and never destroyed.
  alignas(TimerService::Impl) static unsigned char impl_storage[sizeof(TimerService::Impl)];
  static TimerService& timers = []() -> TimerService& {
    auto* impl = ::new (static_cast<void*>(impl_storage)) TimerService::Impl(ClockSource::Steady(), nullptr);
    auto* made =
        ::new (static_cast<void*>(closed_storage)) TimerService(std::unique_ptr<TimerService::Impl>(impl));
    made->Close();
    return *made;
  }();
  return timers;
}

namespace {

// Before main: a fork that met another thread in a guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_timers = detail::ClosedTimers();  // and what they are registered with

}  // namespace

std::size_t detail::ArmedTimers() noexcept {
  Registry& all = AllServices();
  const std::lock_guard lock(all.mutex);
  std::size_t count = 0;
  for (Registered* service = all.services.Front(); service != nullptr;
       service = all.services.Next(*service)) {
    count += service->Armed();
  }
  return count;
}

}  // namespace orchestrate::inline v1
