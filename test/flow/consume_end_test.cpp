#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <vector>

#include <orchestrate/flow/consume.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/last_words.hpp>
#include <test/support/occupied.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class ConsumeEnds : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ConsumeEnds, Widths(), WidthName);

// D13, D25
TEST_P(ConsumeEnds, LeavesInTheChannelWhatNoWorkerCameFor) {
  Gate entered(static_cast<int>(GetParam()));
  Gate leave;
  const OpenAtEnd open(leave);
  const Channel<Task<int>> tasks(4);
  const Job job = Consume(ctx_, 1, tasks);
  ASSERT_TRUE(Eventually([&] { return detail::ChannelAccess::Core(tasks).Waiting() == 1; }));
  std::vector<Task<void>> busy;
  for (std::size_t i = 0; i < GetParam(); ++i) {
    busy.push_back(Invoke(ctx_, [&] {
      entered.Open();
      leave.Wait();
    }));
  }
  entered.Wait();
  const auto task = NewTask([] { return 7; });
  EXPECT_FALSE(tasks.TrySend(task));
  EXPECT_EQ(tasks.Size(), 0U) << "it was handed to the one that waits";
  EXPECT_TRUE(runtime_.Shutdown(ShutdownMode::Cancel, 0ns).HasValue());
  EXPECT_TRUE(job.Wait());
  EXPECT_EQ(tasks.Size(), 1U);
  EXPECT_EQ(task.State(), TaskState::Created);
  tasks.Close();
  Runtime other(1);
  EXPECT_FALSE(Consume(other.Background(), 1, tasks).Wait());
  EXPECT_EQ(task.State(), TaskState::Completed);
  leave.Open();
  for (const auto& body : busy) (void)body.Wait();  // it uses the gate
}

// D25, D35: no worker need come to what is queued, and what was handed to that goes back.
TEST_P(ConsumeEnds, WithItsContextWhileAllWorkersAreBusy) {
  const Context ctx = ctx_.WithCancel();
  const Channel<Task<int>> tasks(4);
  const Job of_channel = Consume(ctx, 1, tasks);
  ASSERT_TRUE(Eventually([&] { return detail::ChannelAccess::Core(tasks).Waiting() == 1; }));
  Occupied busy(runtime_);
  busy.WaitUntilAllRun();
  EXPECT_FALSE(tasks.TrySend(NewTask([] { return 7; })));
  const Job not_begun = Consume(ctx, 2, tasks);
  const Job of_function = Consume(ctx, 2, []() -> std::optional<Task<void>> {
    ADD_FAILURE() << "called after the end of its context";
    return std::nullopt;
  });
  ASSERT_TRUE(ctx.Cancel());
  for (const Job& job : {of_channel, not_begun, of_function}) EXPECT_EQ(job.Wait(), Errc::Cancelled);
  EXPECT_EQ(tasks.Size(), 1U);
}

// D23
TEST_P(ConsumeEnds, RefusesToLetItsFunctionWaitForIt) {
  const Watchdog watchdog;
  Job job;
  Gate assigned;
  Error told;
  job = Consume(ctx_, 1, [&]() -> std::optional<Task<void>> {
    assigned.Wait();
    told = job.Wait();
    return std::nullopt;
  });
  assigned.Open();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(told, Errc::WouldDeadlock);
}

TEST_P(ConsumeEnds, EndsWhatItsFunctionWaitsFor) {
  const Watchdog watchdog;
  const Channel<int> numbers(1);
  Gate entered;
  const Job job = Consume(ctx_, 1, [&]() -> std::optional<Task<void>> {
    entered.Open();
    EXPECT_FALSE(numbers.Recv().HasValue());
    return std::nullopt;
  });
  entered.Wait();
  EXPECT_TRUE(job.Cancel());
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
}

// D13, D25
TEST(Consume, GivesBackWhatReachesItAfterItsContextHasEnded) {
  ManualExecutor executor;
  const Context own = executor.Background().WithCancel();
  const Channel<Task<void>> tasks(1);
  const Job job = Consume(own, 1, tasks);
  executor.RunUntilIdle();  // now it waits for the channel
  const auto late = NewTask([] { ADD_FAILURE() << "called"; });
  EXPECT_FALSE(tasks.TrySend(late));
  own.Cancel();
  executor.RunUntilIdle();
  EXPECT_TRUE(job.IsDone());
  EXPECT_TRUE(tasks.TryRecv());
  EXPECT_EQ(late.State(), TaskState::Created);
}

// The destructor of an error that is not kept waits until another task has failed.
TEST(Consume, NotesAFailureWhileAnErrorIsDestroyed) {
  constexpr int kKept = 16;
  Gate first;
  Gate second;
  const OpenAtEnd open_first(first);
  const OpenAtEnd open_second(second);
  Runtime runtime(3);
  Job job;
  bool noted = false;
  const auto fail = [](Gate* gate) {
    return NewTask([gate]() -> int {
      if (gate != nullptr) gate->Wait();
      throw std::runtime_error("failed");
    });
  };
  const Channel<Task<int>> tasks(kKept + 3);
  EXPECT_FALSE(tasks.TrySend(fail(&first)));
  EXPECT_FALSE(tasks.TrySend(fail(&second)));
  for (int i = 1; i < kKept; ++i) EXPECT_FALSE(tasks.TrySend(fail(nullptr)));
  EXPECT_FALSE(tasks.TrySend(NewTask([&]() -> int {
    throw LastWords([&] {
      second.Open();
      noted = Eventually([&] { return job.Failures() == kKept + 2; });
    });
  })));
  EXPECT_FALSE(tasks.TrySend(fail(nullptr)));  // now that one is not the last error any more
  tasks.Close();
  job = Consume(runtime.Background(), 3, tasks);
  ASSERT_TRUE(Eventually([&] { return job.Failures() == kKept + 1; }));
  first.Open();
  EXPECT_TRUE(job.Wait());
  EXPECT_TRUE(noted);
}

}  // namespace
}  // namespace orchestrate::test
