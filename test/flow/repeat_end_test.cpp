#include <orchestrate/flow/repeat.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/last_words.hpp>
#include <test/support/noted_calls.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class RepeatEnds : public NotedCalls {};
INSTANTIATE_TEST_SUITE_P(Over, RepeatEnds, Widths(), WidthName);

// K42
TEST_P(RepeatEnds, EndsWithTheDeadlineOfItsContext) {
  const Job job = Repeat(ctx_.WithTimeout(50ms), 10ms, [] {});
  EXPECT_TRUE(job.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(job.State(), TaskState::Cancelled);
  EXPECT_GE(job.Runs(), 4U);
  EXPECT_EQ(Elapsed(), 50ms);
}

// K43
TEST_P(RepeatEnds, UnderAnEndedContextCallsNothing) {
  const Context own = ctx_.WithCancel();
  own.Cancel();
  const Job job = Repeat(own, 10ms, Noting(), {.immediately = true});
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(Calls().empty());
  EXPECT_EQ(job.Runs(), 0U);
}

// K43
TEST(Repeat, UnderAnEndedContextHasEndedAtOnce) {
  ManualExecutor executor;
  const Context own = executor.Background().WithCancel();
  own.Cancel();
  const Job job = Repeat(own, 10ms, [] { ADD_FAILURE() << "called"; });
  EXPECT_TRUE(job.IsDone());
  EXPECT_EQ(job.State(), TaskState::Cancelled);
}

// K44
TEST_P(RepeatEnds, StopsWhenItIsCancelled) {
  const Job job = Repeat(ctx_, 5ms, Noting());
  Pass(30ms);
  EXPECT_TRUE(job.Cancel());
  const auto calls = Calls();
  EXPECT_GE(calls.size(), 5U);  // the sixth is due at the very moment
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(job.State(), TaskState::Cancelled);
  Pass(100ms);
  EXPECT_EQ(Calls(), calls);
}

// K44, D14
TEST_P(RepeatEnds, CanBeCancelledFromInside) {
  Job job;
  Gate assigned;
  std::atomic<int> calls{0};
  job = Repeat(ctx_, 5ms, [&] {
    assigned.Wait();
    if (++calls == 3) job.Cancel();
  });
  assigned.Open();
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  Pass(100ms);
  EXPECT_EQ(calls, 3);
}

// D3
TEST_P(RepeatEnds, LetsTheRunningCallLeave) {
  Gate entered;
  Gate leave;
  const Job job = Repeat(ctx_, 5ms, [&] {
    entered.Open();
    leave.Wait();
  });
  std::thread other([&] {
    entered.Wait();
    EXPECT_TRUE(job.Cancel());
    EXPECT_EQ(job.State(), TaskState::Cancelled);
    EXPECT_FALSE(job.IsDone());
    leave.Open();
  });
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(leave.IsOpen());
  other.join();
  EXPECT_EQ(job.Failures(), 0U);
}

TEST_P(RepeatEnds, TellsTheRunningCallThatItIsCancelled) {
  const Job job = Repeat(ctx_, 5ms, [](Context& own) { return Sleep(own, 1h).Wait(); });
  Pass(7ms);
  job.Cancel();
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(job.Failures(), 0U);
  EXPECT_EQ(Elapsed(), 7ms);
}

TEST_P(RepeatEnds, RefusesToWaitForItself) {
  Job job;
  Gate assigned;
  job = Repeat(ctx_, 10ms,
               [&] {
                 assigned.Wait();
                 return job.Wait();
               },
               {.stop_on_error = true});
  assigned.Open();
  EXPECT_TRUE(job.Wait().Is(Errc::WouldDeadlock));
}

TEST_P(RepeatEnds, DestroysAnErrorWhereTheLastOneMayBeAskedFor) {
  const Watchdog watchdog;
  Job job;
  Gate assigned;
  Error asked;
  int calls = 0;
  job = Repeat(ctx_, 5ms,
               [&] {
                 assigned.Wait();
                 if (++calls == 1) throw LastWords([&] { asked = job.LastError(); });
                 throw std::runtime_error("the second");
               },
               {.max_runs = 2});
  assigned.Open();
  (void)job.Wait();
  EXPECT_EQ(asked.Message(), "the second");
}

TEST_P(RepeatEnds, GoesOnWithoutHandles) {
  const Context own = ctx_.WithTimeout(55ms);
  (void)Repeat(own, 10ms, Noting());
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(Calls().size(), 5U);
}

// D19
TEST_P(RepeatEnds, EndsWhenItsRuntimeDrains) {
  const Job job = Repeat(ctx_, 10ms, [] {});
  Pass(25ms);
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 10s).Value(), 0U);
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(job.Wait().Is(Errc::ShutDown));
  EXPECT_EQ(job.Runs(), 2U);
}

// D19
TEST_P(RepeatEnds, EndsWhenItsRuntimeIsCancelled) {
  const Job job = Repeat(ctx_, 10ms, [](Context& own) { return Sleep(own, 1h).Wait(); });
  Pass(25ms);
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 10s).Value(), 0U);
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
}

// D19
TEST_P(RepeatEnds, FailsAfterTheShutdown) {
  (void)runtime_.Shutdown(ShutdownMode::Drain, 10s);
  EXPECT_TRUE(Repeat(ctx_, 10ms, [] {}).Wait().Is(Errc::ShutDown));
}

// D28
TEST_P(RepeatEnds, DestroysItsActionAtTheEnd) {
  const auto alive = std::make_shared<int>(1);
  const Job job = Repeat(ctx_, 10ms, [alive] {}, {.max_runs = 2});
  EXPECT_EQ(alive.use_count(), 2);
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_P(RepeatEnds, EndsOnceUnderRacingCancels) {
  for (int round = 0; round < 100; ++round) {
    const Context own = ctx_.WithCancel();
    const Job job = Repeat(own, 1ms, [](Context& inner) { return Sleep(inner, 1ms); });
    std::thread first([&] { own.Cancel(); });
    std::thread second([&] { job.Cancel(); });
    Pass(1ms);
    first.join();
    second.join();
    ASSERT_TRUE(job.Wait().Is(Errc::Cancelled));
  }
}

}  // namespace
}  // namespace orchestrate::test
