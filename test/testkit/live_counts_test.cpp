#include <orchestrate/testkit/live_counts.hpp>

#include <gtest/gtest.h>

#include <vector>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

TEST(LiveCounts, CountTasks) {
  const LiveCounts before = CountLive();
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(NewTask([] { return 1; }));
  EXPECT_EQ(CountLive().tasks, before.tasks + 10);
  tasks.clear();
  EXPECT_EQ(CountLive(), before);
}

TEST(LiveCounts, CountTheTimersOfAllExecutors) {
  const LiveCounts before = CountLive();
  ManualExecutor first;
  ManualExecutor second;
  const auto one = Sleep(first.Background(), 1h);
  const auto other = Sleep(second.Background(), 1h);
  EXPECT_EQ(CountLive().timers, before.timers + 2);
  one.Cancel();
  EXPECT_EQ(CountLive().timers, before.timers + 1);
  other.Cancel();
  EXPECT_EQ(CountLive().timers, before.timers);
}

TEST(LiveCounts, MeetALimitSoon) {
  const LiveCounts before = CountLive();
  {
    Runtime runtime(2);
    for (int i = 0; i < 100; ++i) (void)Invoke(runtime.Background(), [] {});
  }
  EXPECT_EQ(WaitForLive(before), before);
}

}  // namespace
}  // namespace orchestrate::test
