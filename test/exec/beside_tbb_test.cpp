#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>
#include <test/support/own_process.hpp>
#include <test/support/with_runtime.hpp>
#include "base/sanitizers.hpp"

// The program's own use of oneTBB within tasks and beside them.
namespace orchestrate::test {
namespace {

using testing::HasSubstr;

constexpr int kItems = 1000;
constexpr int kSum = kItems * (kItems - 1) / 2;

template <class Body>
void ForAll(Body body) {
  tbb::parallel_for(tbb::blocked_range<int>(0, kItems, 10), [&body](const tbb::blocked_range<int>& range) {
    for (int i = range.begin(); i != range.end(); ++i) body(i);
  });
}

class BesideTbb : public WithRuntime {
 protected:
  void SetUp() override {
#ifdef ORCHESTRATE_TSAN
    GTEST_SKIP() << "hand-overs inside Debian's oneTBB are invisible to ThreadSanitizer";
#endif
  }
};
INSTANTIATE_TEST_SUITE_P(Over, BesideTbb, Widths(), WidthName);

TEST_P(BesideTbb, AParallelForWithinTasksIsComplete) {
  const Watchdog watchdog;
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(Invoke(ctx_, [] {
      std::atomic<int> sum{0};
      ForAll([&sum](int item) { sum += item; });
      return sum.load();
    }));
  }
  for (const auto& task : tasks) EXPECT_EQ(task.Get(), kSum);
}

TEST_P(BesideTbb, AParallelForOfTheProgramGoesOnBesideTasks) {
  const Watchdog watchdog;
  std::atomic<bool> stop{false};
  std::atomic<int> ran{0};
  struct Endless {
    std::atomic<bool>& stop;
    std::atomic<int>& ran;
    void operator()(Context& context) const {
      ++ran;
      if (!stop) (void)Invoke(context.Shield(), *this);
    }
  };
  for (std::size_t i = 0; i < GetParam(); ++i) (void)Invoke(ctx_, Endless{stop, ran});
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> sum{0};
    ForAll([&sum](int item) { sum += item; });
    EXPECT_EQ(sum, kSum);
  }
  stop = true;
  EXPECT_FALSE(runtime_.Run());
  EXPECT_GT(ran, 0);
}

TEST_P(BesideTbb, AParallelForMayStartTasksAndWaitForThem) {
  const Watchdog watchdog;
  const auto sum_by_tasks = [this] {
    std::atomic<int> sum{0};
    ForAll([&](int item) { sum += Invoke(ctx_, [item] { return item; }).Get(); });
    return sum.load();
  };
  EXPECT_EQ(sum_by_tasks(), kSum) << "on a thread of the program";
  // Inside a task it needs a second worker: a wait of oneTBB does not give the first one away.
  if (GetParam() > 1) {
    EXPECT_EQ(Invoke(ctx_, sum_by_tasks).Get(), kSum) << "inside a task";
  }
}

// Work from a thread of the program, at times when the runners have left, while `threads` threads of oneTBB
// block at the end of a parallel_for: oneTBB counts each as free and wakes no other in its place.
void WorkWhileALoopBlocks(const Context& ctx, int threads, int rounds) {
  const Watchdog watchdog;
  Gate all(threads + 1);
  Gate done;
  std::thread poster([&] {
    const OpenAtEnd open(done);
    all.Wait();
    for (int round = 0; round < rounds; ++round) {
      const auto idle = std::chrono::steady_clock::now() + std::chrono::milliseconds(1);
      while (std::chrono::steady_clock::now() < idle) std::this_thread::yield();  // the runner has left
      // A timed wait does not run the task itself.
      EXPECT_TRUE(Invoke(ctx, [] {}).WaitFor(kPatience));
    }
  });
  const auto main_thread = std::this_thread::get_id();
  const auto wait_in_each = [&](const tbb::blocked_range<int>& range) {
    for (int item = range.begin(); item != range.end(); ++item) {
      all.Open();
      all.Wait();
      if (std::this_thread::get_id() != main_thread) done.Wait();
    }
  };
  tbb::task_arena arena(threads + 1);
  arena.execute([&] {
    tbb::parallel_for(tbb::blocked_range<int>(0, threads + 1, 1), wait_in_each, tbb::simple_partitioner());
  });
  poster.join();
}

// So many rounds that each has to begin after a few launches.
TEST_P(BesideTbb, WorkBeginsWhileAParallelForBlocksInItsLastItem) { WorkWhileALoopBlocks(ctx_, 1, 60); }

// Each of the threads swallows a launch.
TEST_P(BesideTbb, WorkBeginsWhileAParallelForBlocksInSeveralThreads) { WorkWhileALoopBlocks(ctx_, 4, 5); }

TEST_P(BesideTbb, AnExceptionCrossesAParallelForWithinATask) {
  auto task = Invoke(ctx_, [] {
    ForAll([](int item) {
      if (item == 500) throw std::runtime_error("boom");
    });
  });
  EXPECT_THROW(task.Get(), std::runtime_error);
}

TEST_P(BesideTbb, WorkBeginsBesideArenasAndIsolationOfTheProgram) {
  const Watchdog watchdog;
  const auto sum_by_tasks = [this] {
    int sum = 0;
    for (int item = 0; item < 100; ++item) {
      auto task = Invoke(ctx_, [item] { return item; });
      EXPECT_TRUE(task.WaitFor(kPatience)) << "by a worker: a timed wait does not run the task itself";
      sum += task.Get();
    }
    return sum;
  };
  EXPECT_EQ(tbb::this_task_arena::isolate(sum_by_tasks), 4950);
  tbb::task_arena narrow(1);
  EXPECT_EQ(narrow.execute(sum_by_tasks), 4950);
  EXPECT_EQ(narrow.execute([&] { return tbb::this_task_arena::isolate(sum_by_tasks); }), 4950);
}

// ---- oneTBB's limit of threads, which each process fixes for itself ----

class RealBesideTbbInItsOwnProcess : public InItsOwnProcess {
 protected:
  void SetUp() override {
#ifdef ORCHESTRATE_TSAN
    GTEST_SKIP() << "hand-overs inside Debian's oneTBB are invisible to ThreadSanitizer";
#endif
  }

  struct Reached {
    bool begins = false;   // the body beyond those that block
    std::string report;    // if any
    bool in_time = false;  // within a second of the last body that began
  };

  // Blocks `count` bodies of a runtime that has that many spare workers, and looks whether the next one
  // begins, or else what is reported.
  static Reached BlockAll(int count) {
    ReportLog reports;
    RuntimeOptions options(1);
    options.spare_workers = static_cast<std::size_t>(count) + 50;
    options.on_report = reports.Sink();
    Runtime runtime(std::move(options));
    return BlockAllOf(runtime, reports, count);
  }

  static Reached BlockAllOf(Runtime& runtime, ReportLog& reports, int count) {
    Promise<int> promise;
    std::atomic<TimePoint> last{Clock::now()};
    std::vector<Task<int>> blocked;
    for (int i = 0; i < count; ++i)
      blocked.push_back(Invoke(runtime.Background(), [&last, task = promise.Task()] {
        last = Clock::now();
        return task.Get();
      }));
    auto next = Invoke(runtime.Background(), [] {});
    const auto is_decided = [&] { return next.WaitFor(std::chrono::milliseconds(1)) || reports.Size() != 0; };
    EXPECT_TRUE(Eventually(is_decided));
    const bool in_time = Clock::now() - last.load() < std::chrono::seconds(1);
    const bool begins = next.IsDone();
    promise.Set(1);
    for (const auto& task : blocked) (void)task.Wait();
    (void)next.Wait();
    const auto entries = reports.Take();
    return {begins, entries.empty() ? "" : entries[0].what, in_time};
  }

  // Ends the process with the report of a limit that `count` blocked bodies reach.
  [[noreturn]] static void ReachLimit(int count) {
    Reached reached;
    const bool in_time = InTimeOnce([&] {
      reached = BlockAll(count);
      return reached.in_time;
    });
    std::fputs(reached.report.c_str(), stderr);
    std::exit(in_time && !reached.begins ? kFine : kWrong);
  }
};

TEST_F(RealBesideTbbInItsOwnProcess, UsedBeforeTheRuntimeItFixesALimitThatIsReportedWhenItIsReached) {
  const auto run = [] {
    const Watchdog watchdog;
    tbb::parallel_for(0, 100, [](int) {});
    const Runtime keeps_it_fixed(1);
    const Reached few = BlockAll(20);
    if (!few.begins || !few.report.empty()) std::exit(kWrong);
    ReachLimit(300);
  };
  EXPECT_EXIT(
      run(), testing::ExitedWithCode(kFine),
      "^oneTBB was used before the first runtime, which fixed its limit at [0-9]+ threads, the runtimes "
      "want [0-9]+; what is queued waits until it allows more$");
}

TEST_F(RealBesideTbbInItsOwnProcess, AControlThatIsGoneIsNotReportedForTheLimitThatItHasFixed) {
  const auto run = [] {
    const Watchdog watchdog;
    {
      const tbb::global_control gone(tbb::global_control::max_allowed_parallelism, 300);
      tbb::parallel_for(0, 100, [](int) {});
    }
    const Runtime keeps_it_fixed(1);
    ReachLimit(350);
  };
  EXPECT_EXIT(
      run(), testing::ExitedWithCode(kFine),
      "^oneTBB was used before the first runtime, which fixed its limit at 301 threads, the runtimes");
}

TEST_F(RealBesideTbbInItsOwnProcess, NoControlIsReportedForTheLimitOfTheLibrary) {
  const auto run = [] {
    RuntimeOptions options(1);
    options.spare_workers = 4096;
    { const Runtime runtime(std::move(options)); }
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kFine), "^$");
}

TEST_F(RealBesideTbbInItsOwnProcess, AControlThatComesLaterIsReportedWhenItIsReached) {
  const auto run = [] {
    const Watchdog watchdog;
    Reached reached;
    const bool in_time = InTimeOnce([&] {
      ReportLog reports;
      RuntimeOptions options(1);
      options.on_report = reports.Sink();
      Runtime runtime(std::move(options));
      const tbb::global_control two(tbb::global_control::max_allowed_parallelism, 2);
      reached = BlockAllOf(runtime, reports, 5);
      return reached.in_time;
    });
    std::fputs(reached.report.c_str(), stderr);
    std::exit(in_time && !reached.begins ? kFine : kWrong);
  };
  EXPECT_EXIT(
      run(), testing::ExitedWithCode(kFine),
      "^a tbb::global_control of the program allows 2 threads, the runtimes want [0-9]+; what is queued "
      "waits until it allows more$");
}

TEST_F(RealBesideTbbInItsOwnProcess, NoControlIsReportedWhereThereIsNone) {
  const auto run = [] {
    tbb::parallel_for(0, 100, [](int) {});
    Invoke([] {}).Get();
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kFine), "^$");
}

TEST_P(BesideTbb, ALimitOfTheProgramIsReportedAndTasksStillRun) {
  const Watchdog watchdog;
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  ReportLog reports;
  RuntimeOptions options(GetParam());
  options.on_report = reports.Sink();
  Runtime runtime(std::move(options));
  const auto entries = reports.Take();
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_THAT(entries[0].what, HasSubstr("a tbb::global_control of the program allows 1 thread,"));
  std::atomic<int> ran{0};
  for (int i = 0; i < 100; ++i) (void)Invoke(runtime.Background(), [&ran] { ++ran; });
  EXPECT_FALSE(runtime.Run());
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace orchestrate::test
