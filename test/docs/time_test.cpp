// The snippets of docs/tour.md about time: repeats, retries, timeouts, rates.
#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <orchestrate/flow/rate_limiter.hpp>
#include <orchestrate/flow/repeat.hpp>
#include <orchestrate/flow/retry.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/flow/timeout.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;

// In virtual time: the clock jumps to the next timer when everything waits.
class TourTime : public testing::Test {
 protected:
  RuntimeOptions OnClock() {
    RuntimeOptions options(2);
    options.clock = &clock_;
    return options;
  }

  ManualClock clock_{ManualClock::Auto};
  Runtime runtime_{OnClock()};
  Context ctx_ = runtime_.Background();
};

TEST_F(TourTime, SleepsWithoutAWorker) {
  const Context ctx = ctx_;
  // [sleep]
  auto task = Invoke(ctx, [](Context& c) -> Error {
    if (Error end = Sleep(c, 10ms).Wait()) return end;  // inside a body: the worker does something else
    return Sleep(c, 10ms).Wait();
  });
  EXPECT_FALSE(task.Wait());
  // [/sleep]
  EXPECT_EQ(clock_.Elapsed(), 20ms);
}

TEST_F(TourTime, RepeatsAnAction) {
  const Context ctx = ctx_;
  // [repeat]
  std::atomic<int> beats = 0;
  Job heartbeat = Repeat(ctx, 1s, [&beats] { ++beats; });
  EXPECT_FALSE(Sleep(ctx, 3500ms).Wait());
  EXPECT_EQ(beats, 3);  // after 1, 2 and 3 seconds
  heartbeat.Cancel();
  EXPECT_TRUE(heartbeat.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(heartbeat.Runs(), 3U);
  // [/repeat]
}

TEST_F(TourTime, RepeatsWithOptions) {
  const Context ctx = ctx_;
  // [repeat_options]
  RepeatOptions options;
  options.immediately = true;
  options.max_runs = 3;
  Job poll = Repeat(
      ctx, 1min, [] { return Error(Errc::Closed, "no answer"); }, options);
  EXPECT_FALSE(poll.Wait());  // a call that fails is counted, and repeated
  EXPECT_EQ(poll.Failures(), 3U);
  EXPECT_EQ(poll.LastError().Message(), "no answer");
  // [/repeat_options]
  EXPECT_EQ(clock_.Elapsed(), 2min);
}

TEST_F(TourTime, RetriesWithGrowingPauses) {
  const Context ctx = ctx_;
  // [retry]
  int attempts = 0;
  const auto connect = [&attempts]() -> Result<std::string> {
    if (++attempts < 3) return Error(Errc::Closed, "no answer");
    return "connected";
  };
  RetryOptions options;
  options.attempts = 5;
  options.first_delay = 100ms;  // then 200, 400, ...
  EXPECT_EQ(Retry(ctx, options, connect).Get(), "connected");
  EXPECT_EQ(attempts, 3);
  // [/retry]
  EXPECT_EQ(clock_.Elapsed(), 300ms);
}

TEST_F(TourTime, LimitsHowLongWorkTakes) {
  const Context ctx = ctx_;
  // [timeout]
  auto slow = Timeout(ctx, 5s, [](Context& c) { return Sleep(c, 1h); });
  EXPECT_TRUE(slow.Wait().Is(Errc::DeadlineExceeded));

  auto task = Invoke(ctx, [] { return 42; });
  EXPECT_EQ(Timeout(task, 5s).Get(), 42);  // of a task that there is already
  // [/timeout]
}

TEST_F(TourTime, LimitsHowOften) {
  const Context ctx = ctx_;
  // [rate]
  RateLimiter limiter(Rate(100, 1s), 1);  // 100 a second, no burst
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(limiter.Acquire(ctx));
  // [/rate]
  EXPECT_EQ(clock_.Elapsed(), 490ms);
}

}  // namespace
}  // namespace orchestrate
