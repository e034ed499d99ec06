#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <vector>

#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/wait.hpp>
#include <test/support/batches.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class InvokeAllNestingTest : public test::InvokeAllInVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Widths, InvokeAllNestingTest, test::Widths(), test::WidthName);

// D23
TEST_P(InvokeAllNestingTest, NestsInItself) {
  std::atomic<int> leaves{0};
  const std::function<void(Context&, int)> grow = [&](Context& c, int depth) {
    if (depth == 0) {
      ++leaves;
      return;
    }
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i)
      tasks.push_back(NewTask([&, depth](Context& inner) { grow(inner, depth - 1); }));
    EXPECT_FALSE(InvokeAll(c, depth % 3, tasks).Wait());
  };
  Invoke(ctx_, [&](Context& c) { grow(c, 6); }).Get();
  EXPECT_EQ(leaves, 729);
}

TEST_P(InvokeAllNestingTest, NestsDeeperThanThereAreSpareWorkers) {
  const std::function<int(Context&, int)> dig = [&](Context& c, int depth) -> int {
    if (depth == 0) return 0;
    int below = 0;
    std::vector<Task<void>> tasks{NewTask([&](Context& inner) { below = dig(inner, depth - 1); })};
    EXPECT_FALSE(InvokeAll(c, depth % 2, tasks).Wait());
    return below + 1;
  };
  EXPECT_EQ(Invoke(ctx_, [&](Context& c) { return dig(c, 2000); }).Get(), 2000);
}

TEST_P(InvokeAllNestingTest, ABodyThatWaitsForALaterOneLendsItItsAdmission) {
  std::vector<Task<int>> tasks(3);
  tasks[2] = NewTask([] { return 1; });
  tasks[1] = NewTask([&] { return tasks[2].Get() + 1; });
  tasks[0] = NewTask([&] { return tasks[1].Get() + 1; });
  const auto batch = tasks;
  EXPECT_FALSE(InvokeAll(ctx_, 1, batch).Wait());
  EXPECT_EQ(batch[0].Outcome().Value(), 3);
}

TEST_P(InvokeAllNestingTest, ALongChainOfSuchWaitsEnds) {
  constexpr int kTasks = 20'000;
  std::vector<Task<int>> tasks(kTasks);
  tasks.back() = NewTask([] { return 1; });
  for (std::size_t i = kTasks - 1; i-- > 0;) {
    tasks[i] = NewTask([&tasks, i] { return tasks[i + 1].Get() + 1; });
  }
  EXPECT_FALSE(InvokeAll(ctx_, 1, tasks).Wait());
  EXPECT_EQ(tasks[0].Outcome().Value(), kTasks);
}

TEST_P(InvokeAllNestingTest, EveryKindOfWaitForALaterOneMakesProgress) {
  std::vector<Task<int>> later = Numbers(4);
  std::vector<Task<int>> tasks{NewTask([&] {
    EXPECT_FALSE(WaitAll(std::vector{later[0]}));
    const auto any = WaitAny(std::vector{later[1]});
    EXPECT_TRUE(any.HasValue());
    EXPECT_TRUE(later[2].WaitFor(1h));
    EXPECT_FALSE(WaitAllFor(std::vector{later[3]}, 1h));
    return 0;
  })};
  tasks.insert(tasks.end(), later.begin(), later.end());
  EXPECT_FALSE(InvokeAll(ctx_, 1, tasks).Wait());
  EXPECT_EQ(Elapsed(), 0ms);
}

TEST_P(InvokeAllNestingTest, WaitsForATaskOfTheBatchThatRuns) {
  std::vector<Task<int>> tasks(2);
  tasks[0] = NewTask([](Context& c) -> Result<int> {
    if (Error error = Sleep(c, 10ms).Wait()) return error;
    return 1;
  });
  tasks[1] = NewTask([&] { return tasks[0].Get() + 1; });
  EXPECT_FALSE(InvokeAll(ctx_, 2, tasks).Wait());
  EXPECT_EQ(tasks[1].Outcome().Value(), 2);
}

}  // namespace
}  // namespace orchestrate
