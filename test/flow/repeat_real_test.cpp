#include <orchestrate/flow/repeat.hpp>

#include <gtest/gtest.h>

#include <atomic>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// K40
TEST(RealRepeat, KeepsItsRate) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    std::atomic<int> calls{0};
    Gate third(3);
    const Job job = Repeat(10ms, [&] {
      ++calls;
      third.Open();
    });
    third.Wait();
    const auto took = Clock::now() - start;
    job.Cancel();
    (void)job.Wait();
    EXPECT_GE(took, 30ms);
    EXPECT_LE(calls, (Clock::now() - start) / 10ms);
    return took <= 55ms;
  }));
}

// K41
TEST(RealRepeat, GoesOnAfterFailures) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    Gate second(2);
    const Job job = Repeat(10ms, [&second] {
      second.Open();
      return Error(Errc::NotSupported);
    });
    second.Wait();
    const auto took = Clock::now() - start;
    job.Cancel();
    (void)job.Wait();
    EXPECT_GE(job.Runs(), 2U);
    // What a call returns that runs when the job is cancelled is no failure.
    EXPECT_LE(job.Failures(), job.Runs());
    EXPECT_GE(job.Failures() + 1, job.Runs());
    return took <= 50ms;
  }));
}

// K42
TEST(RealRepeat, EndsWithItsContext) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    int calls = 0;
    TimePoint second = TimePoint::max();
    const Job job = Repeat(Context::Background().WithTimeout(50ms), 10ms, [&] {
      if (++calls == 2) second = Clock::now();
    });
    EXPECT_TRUE(job.Wait().Is(Errc::DeadlineExceeded));
    const auto took = Clock::now() - start;
    EXPECT_GE(took, 50ms);
    EXPECT_LE(job.Runs(), static_cast<std::size_t>(took / 10ms));
    return took <= 90ms && second <= start + 50ms;
  }));
}

// K44
TEST(RealRepeat, StopsWhenItIsCancelled) {
  std::atomic<int> calls{0};
  Gate second(2);
  const Job job = Repeat(5ms, [&] {
    ++calls;
    second.Open();
  });
  second.Wait();
  job.Cancel();
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  const int seen = calls;
  (void)Sleep(100ms).Wait();
  EXPECT_EQ(calls, seen);
}

// D14: absolute periods.
TEST(RealRepeat, DoesNotDrift) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    std::atomic<int> calls{0};
    const Job job = Repeat(10ms, [&calls] { ++calls; }, {.max_runs = 50});
    (void)job.Wait();
    const auto took = Clock::now() - start;
    EXPECT_GE(took, 500ms);
    return took <= 540ms;
  }));
}

}  // namespace
}  // namespace orchestrate::test
