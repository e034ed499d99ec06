#include <orchestrate/exec/timer_service.hpp>

#include <atomic>
#include <mutex>
#include <thread>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/mutex.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

Driver::~Driver() = default;

void ParkingDriver::Sleep(TimePoint until) noexcept {
  if (until == TimePoint::max()) {
    parker_.Park();
  } else {
    parker_.ParkUntil(until);
  }
}

struct TimerService::Impl final : ClockListener {
  Impl(const ClockSource& source, std::unique_ptr<Driver> place)
      : clock(source),
        manual(source.AsVirtual()),
        driver(place != nullptr ? std::move(place) : std::make_unique<ParkingDriver>()),
        wheel(TickOf(source.Now())) {
    if (manual != nullptr) manual->Subscribe(*this);
    try {
      thread = std::thread([this] { Loop(); });
    } catch (const std::system_error& error) {
      if (manual != nullptr) manual->Unsubscribe(*this);
      Error(Errc::OutOfResources, "TimerService: no thread for the timers").WithCause(error.code()).Rethrow();
    }
  }

  ~Impl() {
    if (manual != nullptr) manual->Unsubscribe(*this);
    quit.store(true, std::memory_order_seq_cst);
    driver->Wake();
    if (thread.joinable()) thread.join();
  }

  void ClockMoved() noexcept override { driver->Wake(); }

  void Loop() noexcept {
    while (!quit.load(std::memory_order_seq_cst)) {
      const bool more = FireDue(TickOf(clock.Now()));
      if (more || quit.load(std::memory_order_seq_cst)) continue;
      std::uint64_t next = 0;
      {
        const std::lock_guard lock(mutex);
        next = wheel.NextExpiry();
        sleeping_until = next;  // whoever schedules something earlier from here on wakes the driver
      }
      if (manual == nullptr) {
        driver->Sleep(next == TimerWheel::kNever ? TimePoint::max() : TickStart(next));
      } else if (next == TimerWheel::kNever || !TryJump(next)) {
        driver->Sleep(TimePoint::max());
      }
      const std::lock_guard lock(mutex);
      sleeping_until = 0;
    }
    while (FireDue(TimerWheel::kNever)) {
    }
  }

  bool TryJump(std::uint64_t next) noexcept {
    if (TickOf(clock.Now()) >= next) return true;
    auto* idle = is_idle.load(std::memory_order_acquire);
    return idle != nullptr && idle(idle_context) && manual->OfferJump(TickStart(next));
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
        if (timer.acquire == nullptr || timer.acquire(timer)) batch[count++] = &timer;
      }
    }
    for (std::size_t i = 0; i < count; ++i) batch[i]->fire(*batch[i], event);
    return more;
  }

  using TimerEvent = detail::TimerEvent;

  const ClockSource& clock;
  VirtualClock* const manual;
  const std::unique_ptr<Driver> driver;
  detail::Mutex mutex;
  TimerWheel wheel;                  // under mutex
  std::uint64_t sleeping_until = 0;  // under mutex: 0 while awake
  bool stopped = false;              // under mutex
  std::atomic<bool> quit{false};
  std::atomic<bool (*)(void*) noexcept> is_idle{nullptr};
  void* idle_context = nullptr;
  std::thread thread;  // last: it uses all of the above
};

TimerService::TimerService(const ClockSource& clock, std::unique_ptr<Driver> driver)
    : impl_(std::make_unique<Impl>(clock, std::move(driver))) {}

TimerService::~TimerService() { Stop(); }

TimePoint TimerService::Now() const noexcept { return impl_->clock.Now(); }

void TimerService::Schedule(detail::Timer& timer, TimePoint deadline) noexcept {
  const std::uint64_t tick = DeadlineTick(deadline);
  bool wake = false;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->wheel.Schedule(timer, impl_->stopped ? 0 : tick);
    wake = tick < impl_->sleeping_until || impl_->stopped;
    if (wake) impl_->sleeping_until = tick;  // one wake is enough until something earlier comes
  }
  if (wake) impl_->driver->Wake();
}

bool TimerService::Cancel(detail::Timer& timer) noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->wheel.Cancel(timer);
}

void TimerService::Stop() noexcept {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true)) return;
  }
  impl_->driver->Wake();
}

std::size_t TimerService::Armed() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->wheel.Size();
}

void TimerService::Wake() noexcept { impl_->driver->Wake(); }

void TimerService::JumpWhen(bool (*idle)(void*) noexcept, void* context) noexcept {
  impl_->idle_context = context;
  impl_->is_idle.store(idle, std::memory_order_release);
  impl_->driver->Wake();
}

}  // namespace orchestrate::inline v1
