#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>
#include "base/work_stealing_deque.hpp"

#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

using Deque = WorkStealingDeque<std::uintptr_t>;  // 0 is nothing

constexpr std::uint64_t kBeforeWrap = std::numeric_limits<std::uint64_t>::max() - 2;

void PushAll(Deque& deque, std::uintptr_t first, std::uintptr_t last) {
  for (std::uintptr_t item = first; item <= last; ++item) ASSERT_TRUE(deque.Push(item));
}

// H04
TEST(WorkStealingDeque, GivesTheMemoryBackThatItHasGrownBy) {
  WorkStealingDeque<int*> deque(4, ~std::uint64_t{0} - 5);  // across the wrap of its numbers, too
  int items[100];
  for (int round = 0; round < 3; ++round) {
    EXPECT_FALSE(deque.HasGrown());
    for (int& item : items) ASSERT_TRUE(deque.Push(&item));
    EXPECT_TRUE(deque.HasGrown());
    EXPECT_FALSE(deque.Shrink()) << "it holds items";
    for (int i = 0; i < 50; ++i) EXPECT_EQ(deque.Steal(), &items[i]);
    for (int i = 99; i >= 50; --i) EXPECT_EQ(deque.Pop(), &items[i]);
    EXPECT_TRUE(deque.Shrink());
  }
}

TEST(WorkStealingDeque, PopsTheNewestAndStealsTheOldest) {
  Deque deque;
  PushAll(deque, 1, 3);
  EXPECT_EQ(deque.Pop(), 3U);
  EXPECT_EQ(deque.Steal(), 1U);
  EXPECT_EQ(deque.Pop(), 2U);
  EXPECT_EQ(deque.Pop(), 0U);
  EXPECT_EQ(deque.Steal(), 0U);
}

// H05
TEST(WorkStealingDeque, GrowsAndKeepsTheOrder) {
  Deque deque(32);
  PushAll(deque, 1, 100);
  EXPECT_EQ(deque.Size(), 100U);
  for (std::uintptr_t item = 100; item >= 1; --item) EXPECT_EQ(deque.Pop(), item);
  EXPECT_TRUE(deque.Empty());
}

TEST(WorkStealingDeque, CountsWhatIsLeft) {
  Deque deque;
  EXPECT_TRUE(deque.Empty());
  EXPECT_EQ(deque.Size(), 0U);
  EXPECT_TRUE(deque.PushSeqCst(7));
  EXPECT_FALSE(deque.Empty());
  EXPECT_EQ(deque.Size(), 1U);
  EXPECT_EQ(deque.Pop(), 7U);
  EXPECT_EQ(deque.Pop(), 0U);
  EXPECT_TRUE(deque.Empty());
  EXPECT_EQ(deque.Size(), 0U);
}

TEST(WorkStealingDeque, PopIfTakesOnlyTheExpectedNewestItem) {
  Deque deque;
  EXPECT_FALSE(deque.PopIf(1));
  PushAll(deque, 1, 2);
  EXPECT_FALSE(deque.PopIf(1));
  EXPECT_TRUE(deque.PopIf(2));
  EXPECT_TRUE(deque.PopIf(1));
  EXPECT_TRUE(deque.Empty());
}

TEST(WorkStealingDeque, PopIfDoesNotFindAStolenItemAgain) {
  Deque deque;
  PushAll(deque, 1, 1);
  EXPECT_EQ(deque.Steal(), 1U);
  EXPECT_FALSE(deque.PopIf(1));
  PushAll(deque, 2, 2);
  EXPECT_EQ(deque.Pop(), 2U);
}

TEST(WorkStealingDeque, StealIfTakesOnlyTheExpectedOldestItem) {
  Deque deque;
  EXPECT_FALSE(deque.StealIf(1));
  PushAll(deque, 1, 3);
  EXPECT_FALSE(deque.StealIf(2));
  EXPECT_TRUE(deque.StealIf(1));
  EXPECT_FALSE(deque.StealIf(1));
  EXPECT_EQ(deque.Pop(), 3U);
  EXPECT_TRUE(deque.StealIf(2));
  EXPECT_TRUE(deque.Empty());
}

TEST(WorkStealingDeque, RunsAcrossTheWrapOfItsCounters) {
  Deque deque(2, kBeforeWrap);
  PushAll(deque, 1, 9);  // grows on both sides of the wrap
  EXPECT_EQ(deque.Size(), 9U);
  EXPECT_FALSE(deque.Empty());
  for (std::uintptr_t item = 1; item <= 4; ++item) EXPECT_EQ(deque.Steal(), item);
  EXPECT_TRUE(deque.PopIf(9));
  for (std::uintptr_t item = 8; item >= 5; --item) EXPECT_EQ(deque.Pop(), item);
  EXPECT_EQ(deque.Pop(), 0U);
  EXPECT_EQ(deque.Steal(), 0U);
}

TEST(WorkStealingDeque, ReusesSlotsThatThievesHaveEmptied) {
  Deque deque(4);
  for (std::uintptr_t item = 1; item <= 1000; ++item) {
    ASSERT_TRUE(deque.Push(item));
    ASSERT_EQ(deque.Steal(), item);
  }
}

// Counts how often each of the items 1..count was taken, by any thread.
class Ledger {
 public:
  explicit Ledger(std::size_t count) : taken_(count + 1) {}
  void Take(std::uintptr_t item) {
    if (item == 0) return;
    taken_[item].fetch_add(1, std::memory_order_relaxed);
    total_.fetch_add(1, std::memory_order_relaxed);
  }
  bool Complete() const { return total_.load(std::memory_order_relaxed) + 1 >= taken_.size(); }
  void ExpectEachOnce() const {
    for (std::size_t i = 1; i < taken_.size(); ++i) ASSERT_EQ(taken_[i].load(), 1) << "item " << i;
  }

 private:
  std::vector<std::atomic<int>> taken_;
  std::atomic<std::size_t> total_{0};
};

// The owner pushes `items` and pops now and then, in one of several ways, while the others steal.
void PushAndSteal(Deque& deque, int thieves, std::uintptr_t items) {
  Ledger ledger(items);
  test::RunThreads(thieves + 1, [&](int thread) {
    for (std::uintptr_t item = 1; thread == 0 && item <= items; ++item) {
      ASSERT_TRUE(item % 2 == 0 ? deque.Push(item) : deque.PushSeqCst(item));
      if (item % 3 == 0) ledger.Take(deque.Pop());
      if (item % 5 == 0 && deque.PopIf(item)) ledger.Take(item);
    }
    while (!ledger.Complete()) {
      const std::uintptr_t item = thread == 0 ? deque.Pop() : deque.Steal();
      ledger.Take(item);
      if (item == 0) std::this_thread::yield();
    }
  });
  ledger.ExpectEachOnce();
  EXPECT_TRUE(deque.Empty());
}

// H06
TEST(WorkStealingDeque, GivesEachOfAMillionItemsToOneOfOwnerAndThief) {
  Deque deque;
  PushAndSteal(deque, 1, 1'000'000);
}

TEST(WorkStealingDeque, GivesEachItemToOneOfOwnerAndTwoThieves) {
  Deque deque;
  PushAndSteal(deque, 2, 300'000);
}

TEST(WorkStealingDeque, GrowsWhileThievesSteal) {
  for (int round = 0; round < 100; ++round) {
    Deque deque(2, kBeforeWrap);
    PushAndSteal(deque, 2, 1000);
  }
}

// The last item is where pop and steal meet.
TEST(WorkStealingDeque, GivesALoneItemToOneOfOwnerAndThieves) {
  constexpr std::uintptr_t kItems = 100'000;
  Deque deque;
  Ledger ledger(kItems);
  test::RunThreads(3, [&](int thread) {
    for (std::uintptr_t item = 1; thread == 0 && item <= kItems; ++item) {
      ASSERT_TRUE(deque.Push(item));
      if (deque.PopIf(item)) ledger.Take(item);
    }
    while (thread != 0 && !ledger.Complete()) ledger.Take(deque.Steal());
  });
  ledger.ExpectEachOnce();
}

// Two threads hand a token back and forth over "publish, then look whether the other sleeps".
TEST(WorkStealingDeque, SeqCstPushIsSeenByAnIdlerOrSeesIt) {
  constexpr int kRounds = 20'000;
  Deque deque;
  std::atomic<int> round{0};
  std::atomic<int> idle{-1};
  std::atomic<int> missed{0};
  std::atomic<int> verdicts{0};
  test::RunThreads(2, [&](int thread) {
    for (int i = 0; i < kRounds; ++i) {
      bool saw = false;
      if (thread == 0) {
        EXPECT_TRUE(deque.PushSeqCst(1));
        saw = idle.load(std::memory_order_seq_cst) == i;
      } else {
        idle.exchange(i, std::memory_order_seq_cst);
        saw = !deque.Empty();
      }
      if (!saw) missed.fetch_add(1);
      // The second one to arrive judges the round and begins the next.
      if (verdicts.fetch_add(1) % 2 == 1) {
        EXPECT_LT(missed.exchange(0), 2);
        while (deque.Steal() != 0) {
        }
        round.store(i + 1);
      } else {
        while (round.load() != i + 1) std::this_thread::yield();
      }
    }
  });
}

class StressWorkStealingDeque : public testing::TestWithParam<int> {};

TEST_P(StressWorkStealingDeque, LosesNothingAndDoublesNothing) {
  for (int round = 0; round < 5; ++round) {
    Deque deque(4, kBeforeWrap);
    PushAndSteal(deque, GetParam(), 100'000);
  }
}

INSTANTIATE_TEST_SUITE_P(Thieves, StressWorkStealingDeque, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
