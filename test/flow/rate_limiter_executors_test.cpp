#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/exec/strand.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/flow/rate_limiter.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>

// A limiter that several executors share, some of which end or are the user's.
namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

// One that waits for all permits on a thread of its own, until `context` ends or it gets them.
class WaitingThread {
 public:
  WaitingThread(RateLimiter& limiter, const Context& context)
      : context_(context.WithTimeout(1h).WithCancel()),
        thread_([this, &limiter] { error_ = limiter.Acquire(context_, limiter.Burst()); }) {}
  WaitingThread(const WaitingThread&) = delete;
  WaitingThread& operator=(const WaitingThread&) = delete;
  ~WaitingThread() { (void)Leave(); }

  Error Leave() {
    context_.Cancel();
    return Join();
  }
  Error Join() {
    if (thread_.joinable()) thread_.join();
    return error_;
  }

 private:
  Context context_;
  Error error_;  // of the thread
  std::thread thread_;
};

struct CallingTimer : detail::Timer {
  explicit CallingTimer(std::function<void()> callback) : call(std::move(callback)) {
    fire = [](Timer& timer, detail::TimerEvent) noexcept { static_cast<CallingTimer&>(timer).call(); };
  }
  std::function<void()> call;
};

TEST(RateLimiter, TellsNobodyOfTheEndOfTimersThatAreNotTheirs) {
  const test::Watchdog watchdog;
  ManualExecutor ending;
  ManualExecutor other;
  RateLimiter limiter(10, 2);
  ASSERT_TRUE(limiter.TryAcquire(other.Background(), 2));
  WaitingThread first(limiter, ending.Background());
  ASSERT_TRUE(WaitForTimers(ending, 2));  // the limiter's, and that of the deadline
  WaitingThread second(limiter, other.Background());
  ASSERT_TRUE(WaitForTimers(other, 1));
  // Fires right before the limiter's timer, which is on its way by then, so that this is armed elsewhere.
  CallingTimer before([&] { EXPECT_EQ(first.Leave(), Errc::Cancelled); });
  ending.Timers().Schedule(before, ending.Now());
  ending.Timers().Stop();
  ending.Timers().FireDue();
  other.Advance(200ms);
  EXPECT_FALSE(second.Join());
}

TEST(RateLimiter, LeavesNothingInTimersThatAreClosed) {
  const test::Watchdog watchdog;
  ManualExecutor ending;
  RateLimiter limiter(10, 2);
  ASSERT_TRUE(limiter.TryAcquire(ending.Background(), 2));
  WaitingThread first(limiter, ending.Background());
  ASSERT_TRUE(WaitForTimers(ending, 2));
  WaitingThread second(limiter, ending.Background());
  ASSERT_TRUE(WaitForTimers(ending, 3));
  std::size_t armed = 0;
  CallingTimer before([&] {
    armed = ending.Timers().Armed();
    EXPECT_EQ(first.Leave(), Errc::Cancelled);
    EXPECT_EQ(second.Join(), Errc::ShutDown);
    armed -= ending.Timers().Armed();
  });
  ending.Timers().Schedule(before, ending.Now());
  // More than are fired at once: the limiter's is still armed while the first fires.
  std::vector<detail::Timer> many(1000);
  for (auto& timer : many) {
    timer.fire = [](detail::Timer&, detail::TimerEvent) noexcept {};
    ending.Timers().Schedule(timer, ending.Now() + 1ms);
  }
  ending.Timers().Close();
  EXPECT_EQ(armed, 1U) << "the limiter's";
}

// An executor whose clock and timers are the user's, and use the limiter.
class AskingExecutor final : public Executor {
 public:
  AskingExecutor(ManualExecutor& base, RateLimiter& limiter) : base_(base), limiter_(limiter) {}
  ~AskingExecutor() override { Detach(); }
  void Post(Work work) noexcept override { base_.Post(std::move(work)); }
  TimerService& Timers() noexcept override {
    Ask();
    return base_.Timers();
  }
  TimePoint Now() noexcept override {
    Ask();
    return base_.Now();
  }

 private:
  void Ask() noexcept { (void)limiter_.TryAcquire(base_.Background(), 0); }
  ManualExecutor& base_;
  RateLimiter& limiter_;
};

TEST(RateLimiter, AsksClocksAndExecutorsWithoutItsLock) {
  const test::Watchdog watchdog;
  ManualExecutor base;
  RateLimiter limiter(10, 2);
  AskingExecutor asking(base, limiter);
  ASSERT_TRUE(limiter.TryAcquire(asking.Background(), 2));
  WaitingThread first(limiter, asking.Background());
  ASSERT_TRUE(WaitForTimers(base, 2));  // the limiter's, and that of the deadline
  WaitingThread second(limiter, asking.Background());
  ASSERT_TRUE(WaitForTimers(base, 3));
  EXPECT_EQ(first.Leave(), Errc::Cancelled);
  base.Advance(200ms);
  EXPECT_FALSE(second.Join());
}

TEST(RateLimiter, OutlastsTheStrandOfOneWhoWaits) {
  const test::Watchdog watchdog;
  ManualExecutor base;
  RateLimiter limiter(10, 2);
  ASSERT_TRUE(limiter.TryAcquire(base.Background(), 2));
  auto strand = std::make_unique<Strand>(base);
  WaitingThread waiting(limiter, strand->Background().Shield());
  ASSERT_TRUE(WaitForTimers(base, 2));
  strand.reset();
  base.Advance(200ms);
  EXPECT_FALSE(waiting.Join());
}

}  // namespace
}  // namespace orchestrate
