#include <orchestrate/flow/repeat.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include <orchestrate/exec/strand.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/noted_calls.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class RepeatInVirtualTime : public NotedCalls {};
INSTANTIATE_TEST_SUITE_P(Over, RepeatInVirtualTime, Widths(), WidthName);

// K40, D14
TEST_P(RepeatInVirtualTime, CallsFirstAfterOneIntervalThenAtEach) {
  const Job job = Repeat(ctx_, 10ms, Noting());
  Pass(55ms);
  EXPECT_EQ(Calls(), (Times{10ms, 20ms, 30ms, 40ms, 50ms}));
  EXPECT_EQ(job.Runs(), 5U);
  EXPECT_EQ(job.Missed(), 0U);
  EXPECT_EQ(job.State(), TaskState::Running);
  job.Cancel();
}

// D14
TEST_P(RepeatInVirtualTime, CallsAtOnceOnDemand) {
  const Job job = Repeat(ctx_, 10ms, Noting(), {.immediately = true});
  Pass(25ms);
  EXPECT_EQ(Calls(), (Times{0ms, 10ms, 20ms}));
  job.Cancel();
}

// D14: nothing is called inside the call that makes it.
TEST(RepeatOnAManualExecutor, NeverCallsInsideTheVerb) {
  ManualExecutor executor;
  int calls = 0;
  const Job job = Repeat(executor.Background(), 10ms, [&] { ++calls; }, {.immediately = true});
  EXPECT_EQ(calls, 0);
  executor.RunUntilIdle();
  EXPECT_EQ(calls, 1);
  executor.Advance(30ms);
  EXPECT_EQ(calls, 4);
  job.Cancel();
  executor.RunUntilIdle();
  EXPECT_TRUE(job.IsDone());
  EXPECT_EQ(executor.Pending(), 0U);
}

// D14
TEST_P(RepeatInVirtualTime, DoesNotDriftOverHours) {
  const Job job = Repeat(ctx_, 7s + 300us, [] {});
  Pass(2h);
  EXPECT_EQ(job.Runs(), static_cast<std::size_t>(2h / Nanoseconds(7s + 300us)));
  EXPECT_EQ(job.Missed(), 0U);
  job.Cancel();
}

// D14
TEST_P(RepeatInVirtualTime, SkipsTheTicksThatACallRanOver) {
  const Job job = Repeat(ctx_, 10ms, Noting(25ms));
  Pass(105ms);
  EXPECT_EQ(Calls(), (Times{10ms, 40ms, 70ms, 100ms}));
  EXPECT_EQ(job.Missed(), 6U);
  job.Cancel();
  (void)job.Wait();
}

// D14
TEST_P(RepeatInVirtualTime, DoesNotSkipATickThatIsDueWhenTheCallEnds) {
  const Job job = Repeat(ctx_, 10ms, Noting(10ms));
  Pass(45ms);
  EXPECT_EQ(Calls(), (Times{10ms, 20ms, 30ms, 40ms}));
  EXPECT_EQ(job.Missed(), 0U);
  job.Cancel();
  (void)job.Wait();
}

// D14
TEST_P(RepeatInVirtualTime, NeverOverlaps) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  const Job job = Repeat(ctx_, 1ms, [&](Context& own) {
    most = std::max(most.load(), ++inside);
    const Error error = Sleep(own, 3ms).Wait();
    --inside;
    return error;
  });
  Pass(100ms);
  job.Cancel();
  (void)job.Wait();
  EXPECT_EQ(most, 1);
}

// D14
TEST_P(RepeatInVirtualTime, CountsFromTheEndOfACallAtAFixedDelay) {
  const Job job = Repeat(ctx_, 10ms, Noting(25ms), {.pace = RepeatPace::FixedDelay});
  Pass(100ms);
  EXPECT_EQ(Calls(), (Times{10ms, 45ms, 80ms}));
  EXPECT_EQ(job.Missed(), 0U);
  job.Cancel();
  (void)job.Wait();
}

// K41, D14
TEST_P(RepeatInVirtualTime, GoesOnAfterFailures) {
  const Job job = Repeat(ctx_, 10ms, [] { return Error(Errc::NotSupported, "no luck"); });
  Pass(55ms);
  EXPECT_EQ(job.Runs(), 5U);
  EXPECT_EQ(job.Failures(), 5U);
  EXPECT_EQ(job.LastError().Message(), "no luck");
  job.Cancel();
}

// D14
TEST_P(RepeatInVirtualTime, CountsWhatIsThrown) {
  std::atomic<int> calls{0};
  const Job job = Repeat(ctx_, 10ms, [&calls] {
    if (++calls % 2 == 0) throw std::runtime_error("boom");
  });
  Pass(45ms);
  EXPECT_EQ(job.Runs(), 4U);
  EXPECT_EQ(job.Failures(), 2U);
  EXPECT_TRUE(job.LastError().Is(Errc::Exception));
  EXPECT_EQ(job.LastError().Message(), "boom");
  job.Cancel();
}

// D14
TEST_P(RepeatInVirtualTime, StopsAtTheFirstErrorOnDemand) {
  const Job job =
      Repeat(ctx_, 10ms, [] { return Error(Errc::NotSupported, "no luck"); }, {.stop_on_error = true});
  EXPECT_EQ(job.Wait().Message(), "no luck");
  EXPECT_EQ(job.State(), TaskState::Failed);
  EXPECT_EQ(job.Runs(), 1U);
  EXPECT_EQ(job.Failures(), 1U);
  EXPECT_EQ(Elapsed(), 10ms);
}

// D14
TEST_P(RepeatInVirtualTime, CompletesAfterSoManyRuns) {
  const Job job = Repeat(ctx_, 10ms, Noting(), {.max_runs = 3});
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(job.State(), TaskState::Completed);
  EXPECT_EQ(Calls(), (Times{10ms, 20ms, 30ms}));
  EXPECT_EQ(Elapsed(), 30ms);
}

TEST_P(RepeatInVirtualTime, AwaitsATaskThatTheActionReturned) {
  const Job job = Repeat(ctx_, 10ms, [this](Context& own) {
    Note();
    return Sleep(own, 25ms);
  });
  Pass(105ms);
  EXPECT_EQ(Calls(), (Times{10ms, 40ms, 70ms, 100ms}));
  EXPECT_EQ(job.Missed(), 6U);
  job.Cancel();
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
}

TEST_P(RepeatInVirtualTime, CountsFailuresOfReturnedTasks) {
  int calls = 0;
  const auto action = [&calls]() -> Task<void> {
    switch (++calls) {
      case 1:
        return {};
      case 2:
        return NewTask([] {});
      case 3:
        return Failed({Errc::NotSupported, "third"});
      default:
        return Completed();
    }
  };
  const Job job = Repeat(ctx_, 10ms, action, {.max_runs = 4});
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(job.Failures(), 3U);
  EXPECT_EQ(job.LastError().Message(), "third");
}

TEST_P(RepeatInVirtualTime, TakesActionsOfEveryKind) {
  std::vector<Job> jobs;
  const RepeatOptions once{.max_runs = 1};
  jobs.push_back(Repeat(
      ctx_, 1ms, [] {}, once));
  jobs.push_back(Repeat(
      ctx_, 1ms, [](Context&) { return Result<int>(1); }, once));
  jobs.push_back(Repeat(
      ctx_, 1ms, [](Context&) { return Completed(1); }, once));
  jobs.push_back(Repeat(
      ctx_, 1ms, [only = std::make_unique<int>(1)] { return *only; }, once));
  for (const Job& job : jobs) {
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(job.Failures(), 0U);
  }
}

TEST_P(RepeatInVirtualTime, BacksOffOnFailures) {
  std::atomic<int> calls{0};
  const Job job = Repeat(ctx_, 10ms,
                         [&] {
                           Note();
                           return ++calls <= 4 ? Error(Errc::NotSupported, "not yet") : Error();
                         },
                         {.backoff = 2.0, .max_interval = 50ms});
  Pass(205ms);
  // Pauses of 20, 40, 50 and 50, then 10 again.
  EXPECT_EQ(Calls(), (Times{10ms, 30ms, 70ms, 120ms, 170ms, 180ms, 190ms, 200ms}));
  EXPECT_EQ(job.Missed(), 0U);
  job.Cancel();
}

TEST_P(RepeatInVirtualTime, SpreadsItsCallsByJitter) {
  const auto run = [this](std::uint64_t seed) {
    const Nanoseconds start = Elapsed();
    const auto before = Calls().size();
    const Job job = Repeat(ctx_, 100ms, Noting(), {.max_runs = 50, .jitter = 40ms, .seed = seed});
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(job.Missed(), 0U);
    auto calls = Calls();
    Times times;
    for (auto at = before; at < calls.size(); ++at) times.push_back(calls[at] - start);
    return times;
  };
  const Times first = run(1);
  EXPECT_EQ(first, run(1));
  EXPECT_NE(first, run(2));
  Nanoseconds most = 0ms;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const Nanoseconds late = first[i] - 100ms * (static_cast<int>(i) + 1);
    EXPECT_GE(late, 0ms);
    EXPECT_LE(late, 41ms);
    most = std::max(most, late);
  }
  EXPECT_GE(most, 20ms);
}

TEST_P(RepeatInVirtualTime, OccupiesNoWorkerBetweenItsCalls) {
  std::vector<Job> jobs;
  for (int i = 0; i < 50; ++i) jobs.push_back(Repeat(ctx_, 1h, [] {}));
  EXPECT_EQ(Invoke(ctx_, [] { return 1; }).Get(), 1);
  EXPECT_EQ(Elapsed(), 0ns);
  for (const Job& job : jobs) job.Cancel();
}

TEST_P(RepeatInVirtualTime, RunsOnAStrand) {
  Strand strand(runtime_.GetExecutor());
  const Job job = Repeat(Where(ctx_).On(strand), 10ms, Noting(), {.max_runs = 3});
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(Calls(), (Times{10ms, 20ms, 30ms}));
}

// ---- bad arguments ----

// D14, D27
TEST(Repeat, RefusesAnIntervalThatIsNotAboveZero) {
  const Job job = Repeat(0ms, [] {});
  EXPECT_EQ(job.State(), TaskState::Failed);
  EXPECT_TRUE(job.Wait().Is(Errc::InvalidArgument));
  EXPECT_EQ(job.Wait().Message(), "Repeat: interval 0 ns, must be > 0");
  EXPECT_EQ(Repeat(-1us, [] {}).Wait().Message(), "Repeat: interval -1000 ns, must be > 0");
}

// D27
TEST(Repeat, RefusesWrongOptions) {
  const auto wrong = [](RepeatOptions options) {
    return Repeat(
               10ms, [] {}, options)
        .Wait()
        .Message();
  };
  EXPECT_EQ(wrong({.jitter = 11ms}), "Repeat: jitter 11000000 ns, must be 0 to the interval, 10000000 ns");
  EXPECT_EQ(wrong({.backoff = 0.5}), "Repeat: backoff 0.500000, must be >= 1");
  EXPECT_EQ(wrong({.backoff = std::numeric_limits<double>::quiet_NaN()}),
            "Repeat: backoff nan, must be >= 1");
  EXPECT_EQ(wrong({.max_interval = -1ns}), "Repeat: max_interval -1 ns, must be >= 0");
}

// D27
TEST(Repeat, RefusesAnEmptyAction) {
  EXPECT_EQ(Repeat(10ms, Function<void()>()).Wait().Message(), "Repeat: the function is empty");
}

}  // namespace
}  // namespace orchestrate::test
