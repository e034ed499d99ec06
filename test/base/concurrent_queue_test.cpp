#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>
#include "base/concurrent_queue.hpp"

#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

struct Item {
  int producer = 0;
  int number = 0;
  Item* next = nullptr;
};
using Queue = ConcurrentQueue<Item>;

std::vector<Item> Numbered(int count) {
  std::vector<Item> items(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) items[static_cast<std::size_t>(i)] = {0, i, nullptr};
  return items;
}

TEST(ConcurrentQueue, KeepsTheOrderAcrossTheOverflow) {
  Queue queue(4);
  auto items = Numbered(100);
  for (Item& item : items) queue.Push(item);
  EXPECT_EQ(queue.Size(), 100U);
  for (Item& item : items) EXPECT_EQ(queue.TryPop(), &item);
  EXPECT_EQ(queue.TryPop(), nullptr);
  EXPECT_TRUE(queue.Empty());
}

TEST(ConcurrentQueue, KeepsTheOrderWhenPushesAndPopsMeetTheOverflow) {
  Queue queue(4, std::numeric_limits<std::uint64_t>::max() - 7);
  auto items = Numbered(300);
  std::size_t popped = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    queue.Push(items[i]);
    EXPECT_FALSE(queue.Empty());
    if (i % 3 == 0) {
      EXPECT_EQ(queue.TryPop(), &items[popped++]);
    }
  }
  while (popped < items.size()) ASSERT_EQ(queue.TryPop(), &items[popped++]);
  EXPECT_TRUE(queue.Empty());
}

TEST(ConcurrentQueue, PopsTheOldestOnlyWhenItIsExpected) {
  Queue queue(2);
  auto items = Numbered(5);
  EXPECT_FALSE(queue.TryPopIf(items[0]));
  for (Item& item : items) queue.Push(item);
  EXPECT_FALSE(queue.TryPopIf(items[1]));
  for (Item& item : items) EXPECT_TRUE(queue.TryPopIf(item));  // from the third on out of the overflow
  EXPECT_TRUE(queue.Empty());
}

TEST(ConcurrentQueue, TakesAnItemAgainAfterItWasPopped) {
  Queue queue(2);
  auto items = Numbered(3);
  for (int round = 0; round < 10; ++round) {
    for (Item& item : items) queue.Push(item);
    for (Item& item : items) EXPECT_EQ(queue.TryPop(), &item);
  }
}

// Every producer pushes `count` items while consumers pop; each consumer sees each producer's items rise.
void ProduceAndConsume(Queue& queue, int producers, int consumers, int count) {
  std::vector<std::vector<Item>> items(static_cast<std::size_t>(producers));
  const int expected = producers * count;
  std::atomic<int> popped{0};
  test::RunThreads(producers + consumers, [&](int thread) {
    if (thread < producers) {
      auto& own = items[static_cast<std::size_t>(thread)];
      own = Numbered(count);
      for (Item& item : own) {
        item.producer = thread;  // written just before the push, read just after the pop
        queue.Push(item);
      }
      return;
    }
    std::vector<int> newest(static_cast<std::size_t>(producers), -1);
    while (popped.load() < expected) {
      const Item* const item = queue.TryPop();
      if (item == nullptr) {
        std::this_thread::yield();
        continue;
      }
      popped.fetch_add(1);
      int& last = newest[static_cast<std::size_t>(item->producer)];
      EXPECT_GT(item->number, last);
      last = item->number;
    }
  });
  EXPECT_EQ(popped.load(), expected);
  EXPECT_EQ(queue.TryPop(), nullptr);
  EXPECT_TRUE(queue.Empty());
}

// H07
TEST(ConcurrentQueue, GivesThreeProducersItemsToTwoConsumersInOrder) {
  Queue queue;
  ProduceAndConsume(queue, 3, 2, 100);
}

// H07
TEST(ConcurrentQueue, GivesThemInOrderAlsoThroughARingOfFour) {
  for (int round = 0; round < 50; ++round) {
    Queue queue(4, std::numeric_limits<std::uint64_t>::max() - 10);
    ProduceAndConsume(queue, 3, 2, 100);
  }
}

// What a sleeper does: announce itself, look once more, and only then sleep.
TEST(ConcurrentQueue, PushIsSeenByAnIdlerOrSeesIt) {
  constexpr int kItems = 20'000;
  Queue queue(4);
  auto items = Numbered(kItems);
  std::atomic<std::uint32_t> idle{0};
  std::atomic<int> popped{0};
  test::RunThreads(2, [&](int thread) {
    for (int i = 0; thread == 0 && i < kItems; ++i) {
      queue.Push(items[static_cast<std::size_t>(i)]);
      if (idle.load(std::memory_order_seq_cst) != 0 && idle.exchange(0) != 0) sync::FutexWake(idle, 1);
    }
    while (thread == 1 && popped.load() < kItems) {
      if (queue.TryPop() != nullptr) {
        popped.fetch_add(1);
        continue;
      }
      idle.exchange(1, std::memory_order_seq_cst);
      if (!queue.Empty()) {
        idle.store(0);
        continue;
      }
      while (idle.load() == 1) sync::FutexWait(idle, 1);  // a lost wake-up hangs here
    }
  });
  EXPECT_EQ(popped.load(), kItems);
}

class StressConcurrentQueue : public testing::TestWithParam<int> {};

TEST_P(StressConcurrentQueue, LosesNothingAndKeepsEachProducersOrder) {
  Queue queue(8);
  ProduceAndConsume(queue, GetParam(), GetParam(), 200'000 / GetParam());
}

INSTANTIATE_TEST_SUITE_P(ProducersAndConsumers, StressConcurrentQueue, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
