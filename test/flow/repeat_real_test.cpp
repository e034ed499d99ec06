#include <orchestrate/flow/repeat.hpp>

#include <gtest/gtest.h>

#include <atomic>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <test/support/in_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// K40
TEST(RealRepeat, KeepsItsRate) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    std::atomic<int> calls{0};
    std::atomic<bool> early{false};
    const Job job = Repeat(10ms, [&] {
      if (++calls == 1) early = Clock::now() - start < 10ms;
    });
    (void)Sleep(55ms).Wait();
    const int seen = calls;
    job.Cancel();
    (void)job.Wait();
    EXPECT_FALSE(early);
    EXPECT_LE(calls, (Clock::now() - start) / 10ms);
    return seen >= 3 && seen <= 6;
  }));
}

// K41
TEST(RealRepeat, GoesOnAfterFailures) {
  EXPECT_TRUE(InTimeOnce([] {
    const Job job = Repeat(10ms, [] { return Error(Errc::NotSupported); });
    (void)Sleep(50ms).Wait();
    job.Cancel();
    (void)job.Wait();
    // What a call returns that runs when the job is cancelled is no failure.
    EXPECT_LE(job.Failures(), job.Runs());
    EXPECT_GE(job.Failures() + 1, job.Runs());
    return job.Runs() >= 2;
  }));
}

// K42
TEST(RealRepeat, EndsWithItsContext) {
  EXPECT_TRUE(InTimeOnce([] {
    const TimePoint start = Clock::now();
    const Job job = Repeat(Context::Background().WithTimeout(50ms), 10ms, [] {});
    EXPECT_TRUE(job.Wait().Is(Errc::DeadlineExceeded));
    const auto took = Clock::now() - start;
    EXPECT_GE(took, 50ms);
    return took <= 90ms && job.Runs() >= 2;
  }));
}

// K44
TEST(RealRepeat, StopsWhenItIsCancelled) {
  EXPECT_TRUE(InTimeOnce([] {
    std::atomic<int> calls{0};
    const Job job = Repeat(5ms, [&calls] { ++calls; });
    (void)Sleep(30ms).Wait();
    job.Cancel();
    EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
    const int seen = calls;
    (void)Sleep(100ms).Wait();
    EXPECT_EQ(calls, seen);
    return seen >= 2;  // else it has not begun in time
  }));
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
