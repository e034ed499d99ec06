#include <orchestrate/testkit/manual_executor.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

TEST(ManualExecutor, RunsNothingByItself) {
  ManualExecutor executor;
  const auto task = Invoke(executor.Background(), [] { return 1; });
  EXPECT_EQ(executor.Queued(), 1U);
  EXPECT_EQ(task.State(), TaskState::Created);
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(task.Get(), 1);
  EXPECT_FALSE(executor.RunOne());
}

TEST(ManualExecutor, RunsInTheOrderOfPosts) {
  ManualExecutor executor;
  std::vector<int> order;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 5; ++i)
    tasks.push_back(Invoke(executor.Background(), [&order, i] { order.push_back(i); }));
  EXPECT_EQ(executor.RunUntilIdle(), 5U);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(ManualExecutor, RunsWhatItsWorkPosts) {
  ManualExecutor executor;
  const auto task = Invoke(executor.Background(), [](Context& own) {
                      return Invoke(own, [] { return 2; });
                    }).Then([](int value) { return value + 1; });
  EXPECT_EQ(executor.RunUntilIdle(), 3U);
  EXPECT_EQ(task.Get(), 3);
}

TEST(ManualExecutor, RunsOnTheThreadThatDrivesIt) {
  ManualExecutor executor;
  const auto task = Invoke(executor.Background(), [] { return std::this_thread::get_id(); });
  executor.RunUntilIdle();
  EXPECT_EQ(task.Get(), std::this_thread::get_id());
}

TEST(ManualExecutor, TakesWorkFromAnyThread) {
  ManualExecutor executor;
  std::atomic<int> ran{0};
  RunThreads(4, [&](int) {
    for (int i = 0; i < 250; ++i) (void)Invoke(executor.Background(), [&ran] { ++ran; });
  });
  EXPECT_EQ(executor.RunUntilIdle(), 1000U);
  EXPECT_EQ(ran, 1000);
}

TEST(ManualExecutor, FiresTimersInTheOrderOfTheirTimes) {
  ManualExecutor executor;
  std::vector<Nanoseconds> seen;
  std::vector<Task<void>> tasks;
  for (const auto time : {30ms, 10ms, 20ms, 40ms}) {
    tasks.push_back(
        Sleep(executor.Background(), time).Then([&] { seen.push_back(executor.GetClock().Elapsed()); }));
  }
  EXPECT_EQ(executor.Pending(), 4U);
  EXPECT_EQ(executor.Advance(30ms), 3U);
  EXPECT_EQ(seen, (std::vector<Nanoseconds>{10ms, 20ms, 30ms}));
  EXPECT_EQ(executor.Pending(), 1U);
  EXPECT_EQ(executor.GetClock().Elapsed(), 30ms);
}

TEST(ManualExecutor, FiresWhatItsClockHasPassed) {
  ManualExecutor executor;
  const auto task = Sleep(executor.Background(), 10ms);
  executor.GetClock().Advance(10ms);
  EXPECT_FALSE(task.IsDone());
  executor.RunUntilIdle();
  EXPECT_EQ(task.State(), TaskState::Completed);
}

// D20
TEST(ManualExecutor, LeavesATimerOfZeroToTheNextTurn) {
  ManualExecutor executor;
  const auto task = Sleep(executor.Background(), 0ms);
  EXPECT_EQ(task.State(), TaskState::Running);
  executor.RunUntilIdle();
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_EQ(executor.GetClock().Elapsed(), 0ns);
}

TEST(ManualExecutor, EndsAnUnrunTaskWhenItsDeadlineHasPassed) {
  ManualExecutor executor;
  bool called = false;
  const auto task = Invoke(executor.Background().WithTimeout(5ms), [&] { called = true; });
  executor.GetClock().Advance(5ms);
  executor.RunUntilIdle();
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_FALSE(called);
}

// D19
TEST(ManualExecutor, CancelsWhatIsQueuedAtShutdown) {
  ManualExecutor executor;
  bool called = false;
  const auto task = Invoke(executor.Background(), [&] { called = true; });
  const auto sleep = Sleep(executor.Background(), 1h);
  executor.Shutdown(ShutdownMode::Cancel);
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(sleep.Wait().Is(Errc::Cancelled));
  EXPECT_FALSE(called);
  EXPECT_EQ(executor.Pending(), 0U);
}

// D19
TEST(ManualExecutor, RunsWhatIsQueuedAtADrain) {
  ManualExecutor executor;
  const auto task = Invoke(executor.Background(), [] { return 1; }).Then([](int value) { return value + 1; });
  const auto sleep = Sleep(executor.Background(), 1h);
  executor.Shutdown(ShutdownMode::Drain);
  EXPECT_EQ(task.Get(), 2);
  EXPECT_TRUE(sleep.Wait().Is(Errc::ShutDown));
  EXPECT_EQ(sleep.State(), TaskState::Cancelled);
}

// D19
TEST(ManualExecutor, RefusesWorkAfterItsShutdown) {
  ManualExecutor executor;
  executor.Shutdown();
  executor.Shutdown();
  EXPECT_FALSE(executor.IsRunning());
  EXPECT_TRUE(Invoke(executor.Background().Shield(), [] {}).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(Sleep(executor.Background().Shield(), 1ms).Wait().Is(Errc::ShutDown));
}

TEST(ManualExecutor, EndsItsTasksWhenItGoes) {
  Task<void> task;
  Task<void> sleep;
  {
    ManualExecutor executor;
    task = Invoke(executor.Background(), [] {});
    sleep = Sleep(executor.Background(), 1h);
  }
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(sleep.Wait().Is(Errc::Cancelled));
}

}  // namespace
}  // namespace orchestrate::test
