#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <orchestrate/base/mutex.hpp>
#include <thread>

#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

TEST(Mutex, IsFourBytes) { EXPECT_EQ(sizeof(Mutex), 4U); }

TEST(Mutex, IsTakenOnceAtATime) {
  Mutex mutex;
  EXPECT_TRUE(mutex.TryLock());
  EXPECT_FALSE(mutex.TryLock());
  mutex.Unlock();
  const std::lock_guard lock(mutex);
  EXPECT_FALSE(mutex.try_lock());
}

TEST(Mutex, WakesASleeper) {
  Mutex mutex;
  std::atomic<bool> waiting{false};
  int value = 0;
  mutex.Lock();
  std::thread other([&] {
    waiting.store(true);
    const MutexLock lock(mutex);
    EXPECT_EQ(value, 1);
  });
  while (!waiting.load()) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();  // most often it sleeps by now
  value = 1;
  mutex.Unlock();
  other.join();
}

// The last one to leave frees the mutex while the others may still be inside Unlock().
TEST(Mutex, MayBeDestroyedByTheNextOwner) {
  struct Shared {
    Mutex mutex;
    int users = 2;
  };
  for (int round = 0; round < 2000; ++round) {
    auto* const shared = new Shared;
    const auto leave = [shared] {
      shared->mutex.Lock();
      const bool last = --shared->users == 0;
      shared->mutex.Unlock();
      if (last) delete shared;
    };
    std::thread other(leave);
    leave();
    other.join();
  }
}

class StressMutex : public testing::TestWithParam<int> {};

TEST_P(StressMutex, ExcludesEachOther) {
  constexpr int kRounds = 50'000;
  Mutex mutex;
  int count = 0;
  test::RunThreads(GetParam(), [&](int) {
    for (int i = 0; i < kRounds; ++i) {
      const MutexLock lock(mutex);
      ++count;
    }
  });
  EXPECT_EQ(count, GetParam() * kRounds);
}

INSTANTIATE_TEST_SUITE_P(Threads, StressMutex, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
