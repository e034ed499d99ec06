#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <orchestrate/base/parker.hpp>
#include <thread>
#include <vector>

#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

// H08
TEST(Parker, KeepsOneTokenOfThree) {
  Parker parker;
  for (int i = 0; i < 3; ++i) parker.Unpark();
  parker.Park();
  EXPECT_FALSE(parker.ParkUntil(steady_clock::now() + 5ms));
}

// H08
TEST(Parker, IsWokenByAnotherThread) {
  Parker parker;
  int value = 0;
  std::thread other([&] {
    value = 1;
    parker.Unpark();
  });
  parker.Park();
  EXPECT_EQ(value, 1);
  other.join();
}

TEST(Parker, TakesATokenThatIsThereEvenAfterTheDeadline) {
  Parker parker;
  parker.Unpark();
  EXPECT_TRUE(parker.ParkUntil(steady_clock::time_point::min()));
  EXPECT_FALSE(parker.ParkUntil(steady_clock::time_point::min()));
}

TEST(Parker, CanBeUsedAgainAfterATimeout) {
  Parker parker;
  EXPECT_FALSE(parker.ParkUntil(steady_clock::now()));
  parker.Unpark();
  EXPECT_TRUE(parker.ParkUntil(steady_clock::now() + 1h));
}

TEST(Parker, AcceptsTheEndOfTime) {
  Parker parker;
  std::thread other([&] { parker.Unpark(); });
  EXPECT_TRUE(parker.ParkUntil(steady_clock::time_point::max()));
  other.join();
}

TEST(Parker, LeavesErrnoAlone) {
  Parker parker;
  errno = 77;
  EXPECT_FALSE(parker.ParkUntil(steady_clock::now() + 1ms));
  EXPECT_EQ(errno, 77);
}

// The woken thread frees the parker while Unpark() may not have returned.
TEST(Parker, MayBeDestroyedByTheThreadThatWasWoken) {
  std::atomic<Parker*> handover{nullptr};
  std::atomic<bool> stop{false};
  std::thread waker([&] {
    while (!stop.load()) {
      if (Parker* const parker = handover.exchange(nullptr)) parker->Unpark();
    }
  });
  for (int round = 0; round < 20'000; ++round) {
    auto* const parker = new Parker;
    handover.store(parker);
    for (int i = 0; i < round % 64; ++i) sync::Relax();  // so that they meet at every point in turn
    parker->Park();
    delete parker;
  }
  stop.store(true);
  waker.join();
}

// H08
TEST(RealParker, WaitsAsLongAsItWasTold) {
  Parker parker;
  const auto begin = steady_clock::now();
  EXPECT_FALSE(parker.ParkUntil(begin + 10ms));
  const auto elapsed = steady_clock::now() - begin;
  EXPECT_GE(elapsed, 10ms);
  EXPECT_LE(elapsed, 60ms);
}

class StressParker : public testing::TestWithParam<int> {};

// Every thread has a parker and wakes its neighbour, round after round: a lost token hangs.
TEST_P(StressParker, LosesNoToken) {
  constexpr int kRounds = 5000;
  const int count = GetParam();
  std::vector<Parker> parkers(static_cast<std::size_t>(count));
  const auto at = [&](int i) -> Parker& { return parkers[static_cast<std::size_t>(i % count)]; };
  test::RunThreads(count, [&](int thread) {
    for (int i = 0; i < kRounds; ++i) {
      if (thread != 0 || i != 0) {
        if (i % 2 == 0) {
          at(thread).Park();
        } else {
          EXPECT_TRUE(at(thread).ParkUntil(steady_clock::now() + 1h));
        }
      }
      at(thread + 1).Unpark();
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Threads, StressParker, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
