#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>
#include "base/ring.hpp"

#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

using Numbers = Ring<std::uintptr_t>;  // 0 is nothing

TEST(Ring, IsFirstInFirstOut) {
  Numbers ring(4);
  EXPECT_TRUE(ring.Empty());
  for (std::uintptr_t item = 1; item <= 3; ++item) EXPECT_TRUE(ring.TryPush(item));
  EXPECT_EQ(ring.Size(), 3U);
  EXPECT_FALSE(ring.Empty());
  for (std::uintptr_t item = 1; item <= 3; ++item) EXPECT_EQ(ring.TryPop(), item);
  EXPECT_EQ(ring.TryPop(), 0U);
  EXPECT_TRUE(ring.Empty());
}

TEST(Ring, RefusesAPushWhenFull) {
  Numbers ring(3);
  EXPECT_EQ(ring.Capacity(), 4U);
  for (std::uintptr_t item = 1; item <= 4; ++item) EXPECT_TRUE(ring.TryPush(item));
  EXPECT_FALSE(ring.TryPush(5));
  EXPECT_EQ(ring.TryPop(), 1U);
  EXPECT_TRUE(ring.TryPush(5));
}

TEST(Ring, PopsTheOldestOnlyWhenItIsExpected) {
  Numbers ring(4);
  EXPECT_FALSE(ring.TryPopIf(1));
  EXPECT_TRUE(ring.TryPush(1));
  EXPECT_TRUE(ring.TryPush(2));
  EXPECT_FALSE(ring.TryPopIf(2));
  EXPECT_EQ(ring.Size(), 2U);
  EXPECT_TRUE(ring.TryPopIf(1));
  EXPECT_TRUE(ring.TryPopIf(2));
  EXPECT_FALSE(ring.TryPopIf(2));
}

TEST(Ring, RunsAcrossTheWrapOfItsPositions) {
  Numbers ring(4, std::numeric_limits<std::uint64_t>::max() - 5);
  for (std::uintptr_t item = 1; item <= 20; ++item) {
    EXPECT_TRUE(ring.TryPush(item));
    EXPECT_TRUE(ring.TryPush(item + 100));
    EXPECT_EQ(ring.Size(), 2U);
    EXPECT_TRUE(ring.TryPopIf(item));
    EXPECT_EQ(ring.TryPop(), item + 100);
    EXPECT_TRUE(ring.Empty());
  }
}

class StressRing : public testing::TestWithParam<int> {};

// Every pair of threads: one pushes, one pops by either form.
TEST_P(StressRing, HandsEachItemToOnePopper) {
  constexpr std::uintptr_t kItems = 50'000;
  const int pairs = GetParam();
  Numbers ring(8, std::numeric_limits<std::uint64_t>::max() - 1000);
  std::vector<std::atomic<int>> taken(kItems * static_cast<std::size_t>(pairs) + 1);
  std::atomic<std::size_t> total{0};
  test::RunThreads(2 * pairs, [&](int thread) {
    const std::uintptr_t first = static_cast<std::uintptr_t>(thread / 2) * kItems + 1;
    for (std::uintptr_t item = first; thread % 2 == 0 && item < first + kItems; ++item) {
      while (!ring.TryPush(item)) std::this_thread::yield();
      if (item % 7 == 0 && ring.TryPopIf(item)) {
        taken[item].fetch_add(1);
        total.fetch_add(1);
      }
    }
    while (thread % 2 == 1 && total.load() < taken.size() - 1) {
      const std::uintptr_t item = ring.TryPop();
      if (item == 0) {
        std::this_thread::yield();
        continue;
      }
      taken[item].fetch_add(1);
      total.fetch_add(1);
    }
  });
  for (std::size_t item = 1; item < taken.size(); ++item) ASSERT_EQ(taken[item].load(), 1) << item;
  EXPECT_TRUE(ring.Empty());
}

INSTANTIATE_TEST_SUITE_P(Pairs, StressRing, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
