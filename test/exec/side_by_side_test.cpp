#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/occupied.hpp>
#include <test/support/with_runtime.hpp>

// D33: several runtimes in one process.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

using TwoWidths = std::pair<std::size_t, std::size_t>;

std::string TwoNames(const testing::TestParamInfo<TwoWidths>& info) {
  return std::to_string(info.param.first) + "And" + std::to_string(info.param.second);
}

class SideBySide : public testing::TestWithParam<TwoWidths> {
 protected:
  Runtime first_{GetParam().first};
  Runtime second_{GetParam().second};
};
INSTANTIATE_TEST_SUITE_P(Over, SideBySide,
                         testing::Values(TwoWidths(1, 1), TwoWidths(1, 8), TwoWidths(8, 1), TwoWidths(2, 2)),
                         TwoNames);

// D33
TEST_P(SideBySide, TheBlockedWorkersOfOneDoNotStopTheOther) {
  Occupied occupied(first_);
  occupied.WaitUntilAllRun();
  std::atomic<int> ran{0};
  for (int i = 0; i < 200; ++i) (void)Invoke(second_.Background(), [&ran] { ++ran; });
  EXPECT_FALSE(second_.Run());
  EXPECT_EQ(ran, 200);
}

// D33
TEST_P(SideBySide, EachHasAllItsWorkersAtTheSameTime) {
  Occupied in_first(first_);
  Occupied in_second(second_);
  in_first.WaitUntilAllRun();
  in_second.WaitUntilAllRun();
}

// D33
TEST_P(SideBySide, WaitsThatGaveTheirWorkerAwayDoNotStopTheOther) {
  Promise<int> promise;
  std::vector<Task<int>> waiting;
  for (int i = 0; i < 50; ++i)
    waiting.push_back(Invoke(first_.Background(), [task = promise.Task()] { return task.Get(); }));
  for (int i = 0; i < 200; ++i) EXPECT_EQ(Invoke(second_.Background(), [i] { return i; }).Get(), i);
  EXPECT_FALSE(Invoke(second_.Background(), [&promise] { return promise.Set(1); }).Wait());
  for (const auto& task : waiting) EXPECT_EQ(task.Get(), 1);
}

// D23, D33
TEST_P(SideBySide, TasksThatWaitForEachOtherAcrossThemMakeProgress) {
  struct PingPong {
    Runtime& here;
    Runtime& there;
    int depth;
    int operator()() const {
      if (depth == 0) return 0;
      return 1 + Invoke(there.Background(), PingPong{there, here, depth - 1}).Get();
    }
  };
  EXPECT_EQ(Invoke(first_.Background(), PingPong{first_, second_, 200}).Get(), 200);
}

// D23, D33
TEST_P(SideBySide, RunInsideATaskOfTheOtherGivesItsWorkerAway) {
  const Watchdog watchdog;
  for (int round = 0; round < 20; ++round) {
    Promise<int> promise;
    (void)Invoke(second_.Background(), [task = promise.Task()] { return task.Wait(); });
    std::vector<Task<void>> runs;
    for (std::size_t i = 0; i < first_.Workers(); ++i)
      runs.push_back(Invoke(first_.Background(), [this] { return second_.Run(); }));
    auto setter = Invoke(first_.Background(), [&promise] { promise.TrySet(1); });
    for (const auto& run : runs) EXPECT_FALSE(run.Wait());
    EXPECT_FALSE(setter.Wait());
  }
}

// D23, D33
TEST_P(SideBySide, ShutdownInsideATaskOfTheOtherGivesItsWorkerAway) {
  Promise<int> promise;
  auto needs_first = Invoke(second_.Background(), [task = promise.Task()] { return task.Wait(); });
  Gate started(static_cast<int>(first_.Workers()));
  std::vector<Task<std::size_t>> ends;
  for (std::size_t i = 0; i < first_.Workers(); ++i) {
    ends.push_back(Invoke(first_.Background(), [&] {
      started.Open();
      return second_.Shutdown(ShutdownMode::Drain, 20s);
    }));
  }
  started.Wait();
  auto setter = Invoke(first_.Background(), [&promise] { promise.TrySet(1); });
  for (const auto& end : ends) EXPECT_EQ(end.Get(), 0U);
  EXPECT_FALSE(setter.Wait());
  EXPECT_FALSE(needs_first.Wait());
}

// D33
TEST_P(SideBySide, OneEndsWhileTheOtherWorks) {
  for (int round = 0; round < 20; ++round) {
    auto short_lived = std::make_unique<Runtime>(GetParam().first);
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 50; ++i) {
      (void)Invoke(short_lived->Background(), [] {});
      tasks.push_back(Invoke(second_.Background(), [i] { return i; }));
    }
    short_lived.reset();
    for (int i = 0; i < 50; ++i) ASSERT_EQ(tasks[static_cast<std::size_t>(i)].Get(), i);
  }
}

// D33
TEST(ManyRuntimes, EachRunsAsWideAsItIsWithAllOthersBlocked) {
  std::vector<std::unique_ptr<Runtime>> runtimes;
  std::vector<std::unique_ptr<Occupied>> occupied;
  for (int i = 0; i < 20; ++i) {
    RuntimeOptions options(2);
    options.spare_workers = 4;
    runtimes.push_back(std::make_unique<Runtime>(std::move(options)));
    occupied.push_back(std::make_unique<Occupied>(*runtimes.back()));
  }
  for (const auto& one : occupied) one->WaitUntilAllRun();
}

class NestedRuntime : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, NestedRuntime, Widths(), WidthName);

// D33
TEST_P(NestedRuntime, LivesInsideATask) {
  const Watchdog watchdog;
  auto task = Invoke(ctx_, [](Context& own) {
    Runtime inner(GetParam());
    auto middle = Invoke(inner.Background(), [&own] {
      Runtime innermost(GetParam());
      auto back = Invoke(own, [] { return 1; });  // on the outermost one
      return Invoke(innermost.Background(), [] { return 10; }).Get() + back.Get();
    });
    const int sum = 100 + middle.Get();
    EXPECT_FALSE(inner.Run());
    EXPECT_EQ(inner.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
    return sum;
  });
  EXPECT_EQ(task.Get(), 111);
}

// D33
TEST_P(NestedRuntime, ComesAndGoesInManyTasksAtOnce) {
  const Watchdog watchdog;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(Invoke(ctx_, [i] {
      RuntimeOptions options(2);
      options.spare_workers = 2;
      Runtime inner(std::move(options));
      return Invoke(inner.Background(), [i] { return i; }).Get();
    }));
  }
  for (int i = 0; i < 20; ++i) EXPECT_EQ(tasks[static_cast<std::size_t>(i)].Get(), i);
}

}  // namespace
}  // namespace orchestrate::test
