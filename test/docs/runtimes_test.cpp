// The snippets of docs/tour.md about runtimes, executors and the testkit.
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <orchestrate/exec/strand.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <orchestrate/testkit/manual_executor.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;

// [executor]
// Runs work when the program's own loop comes by.
class LoopExecutor final : public Executor {
 public:
  ~LoopExecutor() override { Detach(); }

  void Post(Work work) noexcept override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }

  void RunAll() {
    std::unique_lock lock(mutex_);
    std::vector<Work> batch = std::exchange(queue_, {});
    lock.unlock();  // work posts work
    for (Work& work : batch) work();
  }

 private:
  std::mutex mutex_;
  std::vector<Work> queue_;  // under mutex_; what is destroyed unrun ends its task with ShutDown
};
// [/executor]

// [observer]
class Counter final : public Observer {
 public:
  void TaskSpawned(std::uint64_t /*id*/, std::string_view /*name*/) noexcept override { ++spawned; }
  void TaskEnded(std::uint64_t /*id*/, std::chrono::nanoseconds ran) noexcept override {
    busy += ran.count();
  }

  std::atomic<int> spawned{0};
  std::atomic<std::int64_t> busy{0};  // ns
};
// [/observer]

TEST(TourRuntime, HasAsManyWorkersAsItIsTold) {
  // [runtime]
  Runtime pool(2);  // workers; without a number as many as there are CPUs for this process
  const Context ctx = pool.Background();
  auto task = Invoke(ctx, [] { return 42; });
  EXPECT_FALSE(pool.Run());  // blocks until nothing is left to do
  EXPECT_TRUE(task.IsDone());

  const Result<std::size_t> left = pool.Shutdown(ShutdownMode::Drain, 5s);
  EXPECT_EQ(left.Value(), 0U);
  EXPECT_TRUE(Invoke(ctx, [] {}).Wait().Is(Errc::ShutDown));
  // [/runtime]
}

TEST(TourStrand, RunsOneAtATime) {
  Runtime pool(2);
  const Context ctx = pool.Background();
  // [strand]
  Strand strand(pool.GetExecutor());
  std::vector<int> log;  // needs no lock
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(Invoke(Where(ctx).On(strand), [&log, i] { log.push_back(i); }));
  for (const auto& task : tasks) task.Get();
  EXPECT_EQ(log, (std::vector<int>{0, 1, 2}));
  // [/strand]
}

TEST(TourExecutor, IsAnInterface) {
  // [own_loop]
  LoopExecutor loop;
  auto task = Invoke(loop.Background(), [] { return 42; });
  EXPECT_FALSE(task.IsDone());
  loop.RunAll();
  EXPECT_EQ(task.Get(), 42);
  // [/own_loop]
}

TEST(TourWhere, NamesATask) {
  const Context ctx = Context::Background();
  // [named]
  auto task = Invoke(Where(ctx).Named("digest"), [] { return 42; });
  EXPECT_EQ(task.Name(), "digest");
  EXPECT_EQ(task.Get(), 42);
  // [/named]
}

TEST(TourObserver, SeesTasks) {
  // [observe]
  Counter counter;
  {
    RuntimeOptions options(2);
    options.observer = &counter;
    Runtime runtime(std::move(options));
    Invoke(runtime.Background(), [] {}).Get();
  }
  EXPECT_EQ(counter.spawned, 1);
  // [/observe]
}

TEST(TourReport, TellsOfAFailureThatNobodyRead) {
  std::vector<std::string> log;
  // [report]
  RuntimeOptions options(2);
  options.on_report = [&log](const Report& report) {
    log.push_back(std::string(report.task) + ": " + report.error.Message());
  };
  Runtime runtime(std::move(options));
  static_cast<void>(Invoke(Where(runtime.Background()).Named("upload"), []() -> Error {
    return {Errc::Closed, "the server went away"};
  }));
  // [/report]
  EXPECT_TRUE(runtime.Shutdown(ShutdownMode::Drain, 5s));
  EXPECT_EQ(log, std::vector<std::string>{"upload: the server went away"});
}

TEST(TourManualClock, LetsHoursPassAtOnce) {
  // [auto_clock]
  ManualClock clock(ManualClock::Auto);
  RuntimeOptions options(2);
  options.clock = &clock;
  Runtime runtime(std::move(options));

  auto task = Invoke(runtime.Background(), [](Context& c) { return Sleep(c, 1h); });
  EXPECT_FALSE(task.Wait());
  EXPECT_EQ(clock.Elapsed(), 1h);
  // [/auto_clock]
}

TEST(TourManualClock, MovesByHand) {
  // [hand_clock]
  ManualClock clock;
  RuntimeOptions options(2);
  options.clock = &clock;
  Runtime runtime(std::move(options));

  auto nap = Sleep(runtime.Background(), 10s);
  clock.Advance(9s);
  EXPECT_FALSE(nap.IsDone());
  clock.Advance(1s);
  EXPECT_FALSE(nap.Wait());
  // [/hand_clock]
}

TEST(TourManualExecutor, RunsWorkWhenTheTestSaysSo) {
  // [manual_executor]
  ManualExecutor executor;
  const Context ctx = executor.Background();
  auto task = Invoke(ctx, [] { return 6; }).Then([](int value) { return value * 7; });
  EXPECT_TRUE(executor.RunOne());  // the first body
  EXPECT_FALSE(task.IsDone());
  executor.RunUntilIdle();
  EXPECT_EQ(task.Get(), 42);

  auto nap = Sleep(ctx, 1h);
  executor.Advance(1h);
  EXPECT_TRUE(nap.IsDone());
  // [/manual_executor]
}

TEST(TourLiveCounts, AreZeroWhenEverythingWasLetGo) {
  // [live_counts]
  const LiveCounts before = CountLive();
  Invoke([] {}).Get();
  EXPECT_EQ(WaitForLive(before), before);  // a worker may still be letting go
  // [/live_counts]
}

}  // namespace
}  // namespace orchestrate
