#include <orchestrate/exec/timer_service.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <orchestrate/testkit/manual_clock.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using detail::TimerEvent;

// Notes its number and how it was fired.
struct NotingTimer : detail::Timer {
  struct Log {
    std::vector<int> fired;
    std::vector<TimerEvent> events;
  };
  NotingTimer(Log& target, int own_number) : log(&target), number(own_number) {
    fire = [](detail::Timer& timer, TimerEvent event) noexcept {
      auto& self = static_cast<NotingTimer&>(timer);
      self.log->fired.push_back(self.number);
      self.log->events.push_back(event);
    };
  }
  Log* log;
  int number;
};

class TimerServiceByHand : public testing::Test {
 protected:
  void Schedule(int number, Nanoseconds after) {
    timers_.push_back(std::make_unique<NotingTimer>(log_, number));
    service_.Schedule(*timers_.back(), clock_.Now() + after);
  }

  ManualClock clock_;
  NotingTimer::Log log_;
  std::vector<std::unique_ptr<NotingTimer>> timers_;
  TimerService service_{clock_, TimersByHand()};
};

TEST_F(TimerServiceByHand, FiresInTheOrderOfDeadlinesThenOfRegistration) {
  Schedule(1, 20ms);
  Schedule(2, 10ms);
  Schedule(3, 20ms);
  Schedule(4, 10ms);
  clock_.Advance(20ms);
  service_.FireDue();
  EXPECT_EQ(log_.fired, (std::vector<int>{2, 4, 1, 3}));
}

// D20
TEST_F(TimerServiceByHand, IsNeverEarly) {
  Schedule(1, 10ms + 1ns);
  clock_.Advance(10ms);
  service_.FireDue();
  EXPECT_TRUE(log_.fired.empty());
  clock_.Advance(1ms);
  service_.FireDue();
  EXPECT_EQ(log_.fired.size(), 1U);
}

// H15, D20
TEST_F(TimerServiceByHand, FiresEachOfTheTimesThatOnceWentWrong) {
  const std::vector<int> times{1, 10, 255, 256, 257, 300, 1000, 16383, 16384, 100000, 4194304, 300000000};
  for (const int time : times) Schedule(time, std::chrono::milliseconds(time));
  Nanoseconds passed = 0ms;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const Nanoseconds due = std::chrono::milliseconds(times[i]);
    EXPECT_EQ(service_.NextDue(), ManualClock::kStart + due);
    clock_.Advance(due - passed - 1ms);
    service_.FireDue();
    ASSERT_EQ(log_.fired.size(), i);
    clock_.Advance(1ms);
    service_.FireDue();
    ASSERT_EQ(log_.fired.size(), i + 1);
    passed = due;
  }
  EXPECT_EQ(log_.fired, times);
}

// H16
TEST_F(TimerServiceByHand, FiresATimerOfZeroWithTheNextTurn) {
  Schedule(1, 0ms);
  EXPECT_TRUE(log_.fired.empty());
  service_.FireDue();
  EXPECT_EQ(log_.fired.size(), 1U);
}

// H17
TEST_F(TimerServiceByHand, NeverFiresACancelledTimer) {
  Schedule(1, 10ms);
  EXPECT_TRUE(service_.Cancel(*timers_[0]));
  EXPECT_FALSE(service_.Cancel(*timers_[0]));
  clock_.Advance(1s);
  service_.FireDue();
  EXPECT_TRUE(log_.fired.empty());
  EXPECT_EQ(service_.Armed(), 0U);
}

// H17
TEST_F(TimerServiceByHand, CannotCancelATimerThatHasFired) {
  Schedule(1, 10ms);
  clock_.Advance(10ms);
  service_.FireDue();
  EXPECT_FALSE(service_.Cancel(*timers_[0]));
}

TEST_F(TimerServiceByHand, MakesATimerDueAtOnceWithoutFiringItThere) {
  Schedule(1, 10ms);
  service_.Expedite(*timers_[0]);
  EXPECT_TRUE(log_.fired.empty());
  service_.FireDue();
  EXPECT_EQ(log_.fired.size(), 1U);
  service_.Expedite(*timers_[0]);  // fired: it stays out
  EXPECT_EQ(service_.Armed(), 0U);
}

TEST_F(TimerServiceByHand, MovesATimerThatIsScheduledAgain) {
  Schedule(1, 10ms);
  service_.Schedule(*timers_[0], clock_.Now() + 30ms);
  EXPECT_EQ(service_.Armed(), 1U);
  EXPECT_EQ(service_.NextDue(), clock_.Now() + 30ms);
}

TEST_F(TimerServiceByHand, FiresEverythingAsShutDownWhenItStops) {
  Schedule(1, 10ms);
  Schedule(2, 24h * 1000);
  timers_.push_back(std::make_unique<NotingTimer>(log_, 3));
  service_.Schedule(*timers_.back(), TimePoint::max());
  service_.Stop();
  service_.Stop();
  service_.FireDue();
  Schedule(4, 10ms);
  service_.FireDue();
  EXPECT_EQ(log_.fired, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(log_.events, std::vector<TimerEvent>(4, TimerEvent::ShutDown));
}

TEST_F(TimerServiceByHand, AsksAGuardedTimerBeforeItFires) {
  struct Guarded : detail::GuardedTimer {
    bool alive = false;
    int asked = 0;
    int fired = 0;
  };
  Guarded gone;
  Guarded here;
  here.alive = true;
  for (auto* timer : {&gone, &here}) {
    timer->acquire = [](detail::GuardedTimer& own) noexcept {
      ++static_cast<Guarded&>(own).asked;
      return static_cast<Guarded&>(own).alive;
    };
    timer->fire = [](detail::Timer& own, TimerEvent) noexcept { ++static_cast<Guarded&>(own).fired; };
    service_.Schedule(*timer, clock_.Now());
  }
  service_.FireDue();
  EXPECT_EQ(gone.asked + here.asked, 2);
  EXPECT_EQ(gone.fired, 0);
  EXPECT_EQ(here.fired, 1);
}

TEST_F(TimerServiceByHand, FiresAThousandDueAtOnce) {
  for (int i = 0; i < 1000; ++i) Schedule(i, 5ms);
  clock_.Advance(5ms);
  service_.FireDue();
  ASSERT_EQ(log_.fired.size(), 1000U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(log_.fired[static_cast<std::size_t>(i)], i);
}

TEST_F(TimerServiceByHand, CountsTheArmedOfAllServices) {
  const std::size_t before = detail::ArmedTimers();
  Schedule(1, 10ms);
  {
    TimerService other(clock_, TimersByHand());
    NotingTimer timer(log_, 2);
    other.Schedule(timer, clock_.Now() + 1h);
    EXPECT_EQ(detail::ArmedTimers(), before + 2);
    other.Cancel(timer);
  }
  EXPECT_EQ(detail::ArmedTimers(), before + 1);
  service_.Cancel(*timers_[0]);
}

// ---- with its thread ----

struct OpeningTimer : detail::Timer {
  OpeningTimer() {
    fire = [](detail::Timer& timer, TimerEvent how) noexcept {
      auto& self = static_cast<OpeningTimer&>(timer);
      self.thread = std::this_thread::get_id();
      self.event = how;
      self.fired.Open();
    };
  }
  Gate fired;
  std::thread::id thread;
  TimerEvent event{};
};

// H16
TEST(TimerService, FiresOnItsOwnThreadNeverInsideSchedule) {
  OpeningTimer timer;
  ManualClock clock;
  TimerService service(clock);
  service.Schedule(timer, clock.Now());  // in 0 ms
  timer.fired.Wait();
  EXPECT_NE(timer.thread, std::this_thread::get_id());
  EXPECT_EQ(timer.event, TimerEvent::Expired);
}

TEST(TimerService, WakesWhenItsClockIsMoved) {
  OpeningTimer early;
  OpeningTimer late;
  ManualClock clock;
  TimerService service(clock);
  service.Schedule(late, clock.Now() + 1h);
  service.Schedule(early, clock.Now() + 10ms);
  clock.Advance(10ms);
  early.fired.Wait();
  EXPECT_EQ(service.Armed(), 1U);
  clock.Advance(1h);
  late.fired.Wait();
}

TEST(TimerService, FiresWhatIsArmedAfterItStopped) {
  OpeningTimer timer;
  ManualClock clock;
  TimerService service(clock);
  service.Stop();
  service.Schedule(timer, clock.Now() + 1h);
  timer.fired.Wait();
  EXPECT_EQ(timer.event, TimerEvent::ShutDown);
}

TEST(TimerService, FiresWhatIsArmedWhenItGoes) {
  OpeningTimer timer;
  ManualClock clock;
  {
    TimerService service(clock);
    service.Schedule(timer, clock.Now() + 1h);
  }
  ASSERT_TRUE(timer.fired.IsOpen());
  EXPECT_EQ(timer.event, TimerEvent::ShutDown);
}

TEST(TimerService, EitherFiresOrCancelsUnderManyThreads) {
  ManualClock clock;
  TimerService service(clock);
  struct Counter : detail::Timer {
    std::atomic<int> ends{0};
  };
  std::vector<Counter> timers(4000);
  for (auto& timer : timers) {
    timer.fire = [](detail::Timer& own, TimerEvent) noexcept { ++static_cast<Counter&>(own).ends; };
  }
  RunThreads(4, [&](int thread) {
    for (auto i = static_cast<std::size_t>(thread); i < timers.size(); i += 4) {
      service.Schedule(timers[i], clock.Now() + std::chrono::milliseconds(i % 7));
      if (i % 3 == 0) clock.Advance(1ms);
      if (service.Cancel(timers[i])) ++timers[i].ends;
    }
  });
  clock.Advance(1s);
  ASSERT_TRUE(Eventually([&] { return service.Armed() == 0; }));
  for (auto& timer : timers) ASSERT_TRUE(Eventually([&] { return timer.ends == 1; }));
}

// Fires timers at the times that once went wrong; true when none was later than the case's 20 ms.
bool FireInRealTime() {
  struct Timed : detail::Timer {
    Gate fired;
    TimePoint due;
    TimePoint at;
  };
  const std::vector<int> times{1, 10, 255, 256, 300, 1000};
  std::vector<Timed> timers(times.size());
  TimerService service(ClockSource::Steady());
  const TimePoint start = Clock::now();
  for (std::size_t i = 0; i < times.size(); ++i) {
    timers[i].fire = [](detail::Timer& own, TimerEvent) noexcept {
      auto& self = static_cast<Timed&>(own);
      self.at = Clock::now();
      self.fired.Open();
    };
    timers[i].due = start + std::chrono::milliseconds(times[i]);
    service.Schedule(timers[i], timers[i].due);
  }
  bool in_time = true;
  for (auto& timer : timers) {
    timer.fired.Wait();
    EXPECT_GE(timer.at, timer.due);
    in_time = in_time && timer.at <= timer.due + 20ms;
  }
  return in_time;
}

// H15, D20
TEST(RealTimerService, FiresOnTime) { EXPECT_TRUE(InTimeOnce(FireInRealTime)); }

}  // namespace
}  // namespace orchestrate::test
