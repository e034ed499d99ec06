#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>

// The threads of the process, counted where nobody else has any.
namespace orchestrate::test {
namespace {

std::size_t Threads() {
  const std::filesystem::directory_iterator all("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

class ThreadsInTheirOwnProcess : public InItsOwnProcess {
 protected:
  // The number of threads while nothing needs any.
  static std::size_t ThreadsAtFirst() {
    std::thread([] {}).join();  // a sanitizer makes a thread of its own together with the first
    return Threads();
  }

  // So many bodies that are blocked at the same time in a wait of the library.
  static void Burst(Runtime& runtime, int bodies) {
    Promise<int> promise;
    Gate all(bodies);
    std::vector<Task<int>> blocked;
    for (int i = 0; i < bodies; ++i) {
      blocked.push_back(Invoke(runtime.Background(), [&all, task = promise.Task()] {
        all.Open();
        return task.Get();
      }));
    }
    all.Wait();
    promise.Set(1);
    for (const auto& task : blocked) EXPECT_EQ(task.Get(), 1);
  }
};

// H01
TEST_F(ThreadsInTheirOwnProcess, GoWithTheLastRuntime) {
  const auto run = [] {
    const auto before = ThreadsAtFirst();
    for (int round = 0; round < 2; ++round) {
      Gate all(4);  // outlives the runtime, whose tasks may still be about to leave it
      Runtime runtime(4);
      for (int i = 0; i < 4; ++i) {
        (void)Invoke(runtime.Background(), [&all] {
          all.Open();
          all.Wait();
        });
      }
      all.Wait();
    }
    { const Runtime unused(4); }
    std::exit(Eventually([before] { return Threads() <= before; }) ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kFine), "");
}

TEST_F(ThreadsInTheirOwnProcess, ServeOneBurstAfterTheOtherAndGoWithTheLastRuntime) {
  const auto run = [] {
    constexpr int kBodies = 40;
    constexpr int kBursts = 20;
    const auto before = ThreadsAtFirst();
    {
      const Runtime other(1);
      Runtime runtime(2);
      for (int i = 0; i < kBursts; ++i) Burst(runtime, kBodies);
      // A loaded machine gets some more: what has not begun in time is launched again.
      if (Threads() > before + 4 * kBodies) std::exit(kWrong);
    }
    std::exit(Eventually([before] { return Threads() <= before; }) ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kFine), "");
}

}  // namespace
}  // namespace orchestrate::test
