#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include "base/sanitizers.hpp"

// The memory of tasks goes back to the system when nobody needs it any more.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

TEST(RealPoolMemory, ComesBackAfterManyTasks) {
#if defined(ORCHESTRATE_ASAN) || defined(ORCHESTRATE_TSAN)
  GTEST_SKIP() << "the pool hands out blocks of malloc under sanitizers";
#endif
  constexpr std::size_t kTasks = 200'000;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  const std::size_t before = detail::Stats().resident_slabs;
  std::size_t most = 0;
  {
    std::vector<Task<int>> tasks;
    tasks.reserve(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) tasks.push_back(Invoke(ctx, [] { return 1; }));
    for (const auto& task : tasks) ASSERT_EQ(task.Get(), 1);
    most = detail::Stats().resident_slabs;
  }
  EXPECT_GE(most * detail::Stats().slab_bytes, kTasks * 128);
  EXPECT_TRUE(Eventually([&] { return detail::Stats().resident_slabs <= before + (most - before) / 10; }))
      << before << " slabs before, " << most << " at most, " << detail::Stats().resident_slabs << " now";
}

TEST(RealPoolMemory, ComesBackWhenTheLastRuntimeGoesAndWhenItsTasksGoLater) {
#if defined(ORCHESTRATE_ASAN) || defined(ORCHESTRATE_TSAN)
  GTEST_SKIP() << "the pool hands out blocks of malloc under sanitizers";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // where no other test has made the default runtime
  const auto run = [] {
    constexpr std::size_t kTasks = 200'000;
    std::vector<Task<int>> kept;
    const auto make = [&kept](Runtime& runtime) {
      std::vector<Task<int>> tasks;
      for (std::size_t i = 0; i < kTasks; ++i)
        tasks.push_back(Invoke(runtime.Background(), [] { return 1; }));
      for (const auto& task : tasks) (void)task.Wait();
      kept = std::move(tasks);
    };
    {
      Runtime runtime(2);
      make(runtime);
      kept.clear();
    }
    const std::size_t after_it = detail::Stats().resident_slabs;
    {
      Runtime runtime(2);
      make(runtime);
    }
    const std::size_t most = detail::Stats().resident_slabs;
    kept.clear();
    const std::size_t after_them = detail::Stats().resident_slabs;
    std::fprintf(stderr, "%zu slabs at most, %zu and %zu left\n", most, after_it, after_them);
    std::exit(after_it <= most / 10 && after_them <= most / 10 ? 0 : 1);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(0), "");
}

#if !defined(ORCHESTRATE_ASAN) && !defined(ORCHESTRATE_TSAN)
// What the process has in memory, in bytes.
std::size_t Resident() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  std::size_t pages = 0;
  if (file != nullptr) {
    if (std::fscanf(file, "%*u %zu", &pages) != 1) pages = 0;
    (void)std::fclose(file);
  }
  return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(RealDequeMemory, ComesBackAfterAWorkerHasSpawnedManyTasks) {
  constexpr int kTasks = 2'000'000;
  Runtime runtime(1);
  std::atomic<int> ran{0};
  Invoke(runtime.Background(), [] {}).Get();
  const std::size_t before = Resident();
  std::size_t most = 0;
  auto task = Invoke(runtime.Background(), [&](Context& own) {
    for (int i = 0; i < kTasks; ++i) (void)Invoke(own, [&ran] { ++ran; });
    most = Resident() - before;
  });
  EXPECT_FALSE(runtime.Run());
  EXPECT_EQ(ran, kTasks);
  EXPECT_TRUE(Eventually([&] { return Resident() <= before + most / 10; }))
      << most << " bytes at most, " << Resident() - before << " now";
}

TEST(StressPoolMemory, ComesBackAfterTenMillionPendingTasks) {
  constexpr std::size_t kTasks = 10'000'000;
  Runtime runtime(1);
  Invoke(runtime.Background(), [] {}).Get();
  const std::size_t before = Resident();
  std::size_t most = 0;
  std::atomic<std::size_t> ran{0};
  {
    Gate gate;
    const auto first = Invoke(runtime.Background(), [&gate] { gate.Wait(); });
    std::vector<Task<void>> tasks;
    tasks.reserve(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) {
      tasks.push_back(Invoke(runtime.Background(), [&ran] { ran.fetch_add(1, std::memory_order_relaxed); }));
    }
    most = Resident() - before;
    gate.Open();
    ASSERT_FALSE(first.Wait());
    for (const auto& task : tasks) ASSERT_FALSE(task.Wait());
  }
  EXPECT_EQ(ran, kTasks);
  EXPECT_LE(most, kTasks * 200) << "bytes, with the handles";
  EXPECT_TRUE(Eventually([&] { return Resident() <= before + most / 10; }))
      << most / kTasks << " bytes each, " << (Resident() - before) * 100 / most
      << " % of it did not come back";
}
#endif

// A thread's memory outlives it only in what it handed out.
TEST(StressPoolMemory, StaysFlatWhileTenThousandThreadsSubmitAndExit) {
  const Watchdog watchdog(150s);
#if defined(ORCHESTRATE_ASAN) || defined(ORCHESTRATE_TSAN)
  constexpr int kThreads = 500;
#else
  constexpr int kThreads = 10'000;
#endif
  constexpr int kAtATime = 10;
  constexpr int kTasks = 20;
  Runtime runtime(2);
  std::atomic<int> ran{0};
  const auto use = [&] {
    for (int i = 0; i < kTasks; ++i) {
      auto task = Invoke(runtime.Background(), [&ran] { ran.fetch_add(1, std::memory_order_relaxed); });
      if (i % 2 == 0) {  // the others outlive their thread
        EXPECT_FALSE(task.Wait());
      }
    }
  };
  std::size_t early = 0;
  for (int begun = 0; begun < kThreads; begun += kAtATime) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kAtATime; ++i) threads.emplace_back(use);
    for (std::thread& thread : threads) thread.join();
    while (ran != (begun + kAtATime) * kTasks)
      std::this_thread::yield();  // so that not the queue is what grows
    if (begun == kThreads / 10) early = detail::Stats().resident_slabs;
  }
  EXPECT_LE(detail::Stats().resident_slabs, early + 100) << "slabs, " << early << " early on";
}

}  // namespace
}  // namespace orchestrate::test
