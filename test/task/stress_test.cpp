#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/stress.hpp>

// Many rounds of what races.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

using StressTask = Stress;
INSTANTIATE_TEST_SUITE_P(Over, StressTask, Widths(), WidthName);
using StressRuntime = Stress;
INSTANTIATE_TEST_SUITE_P(Over, StressRuntime, Widths(), WidthName);

// What threads that run, cancel, await and follow one task see must fit together.
class Race {
 public:
  explicit Race(const Context& context, int failing)
      : context_(context), task_(NewTask([this, failing]() -> Result<int> {
          ++ran_;
          if (failing == 0) return Error(Errc::Closed);
          if (failing == 1) throw 42;
          return 7;
        })) {}

  void Step(int what) {
    switch (what) {
      case 0:
        task_.Run(context_);
        return;
      case 1:
        cancels_ += task_.Cancel() ? 1 : 0;
        return;
      case 2:
        (void)After(context_, task_, [this](int value) { followed_ += value == 7 ? 1 : 100; });
        return;
      case 3:
        always_.fetch_add(1);
        (void)ContinueWith(context_, task_, [this](const Result<int>&) { ++resolved_; });
        return;
      case 4:
        (void)task_.WaitFor(0s);
        return;
      default:
        CheckState(task_.State());
    }
  }

  void Finish(Runtime& runtime) {
    task_.Run(context_);
    const auto outcome = task_.Outcome();
    EXPECT_FALSE(runtime.Run());
    EXPECT_LE(ran_, 1);
    EXPECT_LE(cancels_, 1);
    EXPECT_EQ(resolved_, always_) << "a continuation always resolves";
    EXPECT_LT(followed_, 100) << "a body ran without its value";
    if (cancels_ == 1) {
      EXPECT_EQ(task_.State(), TaskState::Cancelled);
      EXPECT_TRUE(outcome.Failure().Is(Errc::Cancelled));
    } else {
      EXPECT_EQ(ran_, 1);
      EXPECT_NE(task_.State(), TaskState::Cancelled);
    }
    EXPECT_EQ(task_.Outcome().HasValue(), outcome.HasValue()) << "terminal never changes";
  }

 private:
  // Never back: a terminal state once seen stays.
  void CheckState(TaskState state) {
    if (state != TaskState::Created && state != TaskState::Running) {
      const TaskState again = task_.State();
      EXPECT_EQ(again, state) << ToString(state) << " became " << ToString(again);
    }
  }

  Context context_;
  std::atomic<int> ran_{0};
  std::atomic<int> cancels_{0};
  std::atomic<int> always_{0};
  std::atomic<int> resolved_{0};
  std::atomic<int> followed_{0};
  Task<int> task_;
};

// D1, D4, D8
TEST_P(StressTask, RunCancelCompleteAttachAndWaitFitTogether) {
  const Watchdog watchdog(300s);
  Runtime runtime(Silent(GetParam()));
  const Context context = runtime.Background();
  constexpr int kThreads = 3;
  Chance chance(seed_, 0);
  for (int round = 0; InTime() && !HasFailure(); ++round) {
    std::vector<std::unique_ptr<Race>> races;
    for (int i = 0; i < 50; ++i) races.push_back(std::make_unique<Race>(context, chance(6)));
    RunThreads(kThreads, [&](int thread) {
      Chance own(seed_, round * kThreads + thread + 1);
      for (const auto& race : races) {
        for (int i = 0; i < 4; ++i) race->Step(own(6));
      }
    });
    for (const auto& race : races) race->Finish(runtime);
  }
}

// D1, D16
TEST_P(StressTask, APromiseIsCompletedByOneOfSetCancelAndTheEndOfItsContext) {
  const Watchdog watchdog(300s);
  Runtime runtime(Silent(GetParam()));
  while (InTime() && !HasFailure()) {
    const auto context = runtime.Background().WithCancel();
    Promise<int> promise(context);
    const auto task = promise.Task();
    std::atomic<int> won{0};
    std::atomic<int> resolved{0};
    RunThreads(4, [&](int thread) {
      if (thread == 0) won += promise.TrySet(1) ? 1 : 0;
      if (thread == 1) won += promise.TrySetError(Errc::Closed) ? 1 : 0;
      if (thread == 2) won += task.Cancel() ? 1 : 0;
      if (thread == 3) (void)ContinueWith(task, [&resolved](const Result<int>&) { ++resolved; });
    });
    EXPECT_EQ(won, 1);
    EXPECT_TRUE(task.IsDone());
    EXPECT_FALSE(runtime.Run());
    EXPECT_EQ(resolved, 1);
  }
}

// D2, D34
TEST_P(StressTask, TreesOfTasksEndHoweverTheirContextIsCancelled) {
  const Watchdog watchdog(300s);
  Runtime runtime(Silent(GetParam()));
  Chance chance(seed_, 1);
  struct Tree {
    std::atomic<int>& inside;
    int depth;
    void operator()(Context& context) const {
      ++inside;
      if (depth > 0) {
        auto left = Invoke(context, Tree{inside, depth - 1});
        auto right = Invoke(context, Tree{inside, depth - 1});
        (void)left.Wait();
        if (depth % 2 == 0) (void)right.Wait();
      }
      --inside;
    }
  };
  while (InTime() && !HasFailure()) {
    const auto context = runtime.Background().WithCancel();
    std::atomic<int> inside{0};
    auto tree = Invoke(context, Tree{inside, 6});
    for (int i = chance(2000); i > 0; --i) std::this_thread::yield();
    chance(2) == 0 ? context.Cancel() : tree.Cancel();
    EXPECT_FALSE(runtime.Run());
    EXPECT_TRUE(tree.IsDone());
    EXPECT_EQ(inside, 0);
  }
}

// One life of a runtime: threads submit all kinds of work while another ends it in some way.
void LiveAndEnd(std::size_t width, std::uint64_t seed, int life) {
  Chance chance(seed, life * 10);
  const int how = chance(4);
  auto runtime = std::make_unique<Runtime>(Silent(width));
  const Context context = runtime->Background();
  std::vector<std::vector<Task<int>>> tasks(3);
  RunThreads(4, [&](int thread) {
    Chance own(seed, life * 10 + thread + 1);
    if (thread == 3) {
      for (int i = own(3000); i > 0; --i) std::this_thread::yield();
      if (how == 0) (void)runtime->Shutdown(ShutdownMode::Drain, 20s);
      if (how == 1) (void)runtime->Shutdown(ShutdownMode::Cancel, 20s);
      if (how == 2) (void)runtime->Shutdown(ShutdownMode::Drain, std::chrono::nanoseconds(own(100000)));
      return;  // else the destructor ends it
    }
    auto& mine = tasks[static_cast<std::size_t>(thread)];
    for (int i = 0; i < 60; ++i) {
      const int what = own(7);
      if (what == 0) mine.push_back(NewTask([] { return 1; }).Run(context));
      if (what == 1)
        mine.push_back(Sleep(context, std::chrono::microseconds(own(2000))).Then([] { return 1; }));
      if (what == 2 && !mine.empty()) mine.push_back(mine.back().Then([](int value) { return value; }));
      if (what == 3 && !mine.empty()) mine.back().Cancel();
      if (what == 4) mine.push_back(Invoke(context, [](Context& c) { return Invoke(c, [] { return 1; }); }));
      if (what == 5)
        mine.push_back(Invoke(context, [](Context& c) { return Invoke(c, [] { return 1; }).Get(); }));
      if (what == 6) mine.push_back(Invoke(context, []() -> int { throw 42; }));
    }
  });
  EXPECT_EQ(runtime->IsRunning(), how == 3);
  runtime.reset();
  for (const auto& list : tasks) {
    for (const auto& task : list) {
      EXPECT_TRUE(task.IsDone()) << ToString(task.State()) << ", end " << how;
      (void)task.Wait();  // reads the error, so that nobody reports it
    }
  }
}

// D19
TEST_P(StressRuntime, RandomLivesLeaveNoTaskWithoutAnEnd) {
  const Watchdog watchdog(300s);
  int life = 0;
  for (; InTime() && !HasFailure(); ++life) LiveAndEnd(GetParam(), seed_, life);
  std::printf("%d lives\n", life);
}

// From outside; every other one is left to a worker, for whoever waits for a limited time runs nothing
// itself.
TEST_P(StressRuntime, EveryRoundTripComesBack) {
  constexpr int kTrips = 2'000'000;
  const Watchdog watchdog(300s);
  Runtime runtime(Silent(GetParam()));
  const Context context = runtime.Background();
  int trip = 0;
  for (; InTime() && trip < kTrips && !HasFailure(); ++trip) {
    const auto task = Invoke(context, [trip] { return trip; });
    const bool ended = trip % 2 == 0 ? task.WaitFor(1h) : !task.Wait();
    EXPECT_TRUE(ended);
    EXPECT_EQ(task.Get(), trip);
  }
  std::printf("%d round trips\n", trip);
}

// D33
TEST_P(StressRuntime, TwoSideBySideWithTheBlockedTasksOfOneComeAndGo) {
  const Watchdog watchdog(300s);
  while (InTime() && !HasFailure()) {
    Runtime blocked(Silent(GetParam()));
    Promise<int> promise;
    std::vector<Task<int>> waiting;
    for (int i = 0; i < 20; ++i)
      waiting.push_back(Invoke(blocked.Background(), [task = promise.Task()] { return task.Get(); }));
    std::vector<Task<int>> tasks;
    {
      Runtime beside(Silent(GetParam()));
      for (int i = 0; i < 100; ++i) tasks.push_back(Invoke(beside.Background(), [i] { return i; }));
      EXPECT_FALSE(beside.Run());
    }
    for (int i = 0; i < 100; ++i) EXPECT_EQ(tasks[static_cast<std::size_t>(i)].Get(), i);
    promise.TrySet(1);
    for (const auto& task : waiting) EXPECT_EQ(task.Get(), 1);
  }
}

}  // namespace
}  // namespace orchestrate::test
