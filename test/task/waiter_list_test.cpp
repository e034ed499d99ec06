#include <orchestrate/task/detail/waiter_list.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <test/base/run_threads.hpp>

namespace orchestrate {
namespace {

struct Subject;
using List = detail::WaiterList<Subject>;
struct Node : List::Node {
  int value = 0;
};

std::vector<int> ValuesFrom(List::Node* first) {
  std::vector<int> values;
  for (; first != nullptr; first = first->next) values.push_back(static_cast<Node*>(first)->value);
  return values;
}

// A list with 0, 1 … in the order of their adding.
struct Filled {
  explicit Filled(int count) : nodes(static_cast<std::size_t>(count)) {
    for (int i = 0; i < count; ++i) {
      nodes[static_cast<std::size_t>(i)].value = i;
      EXPECT_TRUE(list.Add(nodes[static_cast<std::size_t>(i)]));
    }
  }
  std::vector<Node> nodes;
  List list;
};

TEST(WaiterList, BeginsOpenAndEmpty) {
  List list;
  EXPECT_FALSE(list.HasNodes());
  EXPECT_EQ(list.Close(), nullptr);
}

TEST(WaiterList, CloseGivesTheNodesNewestFirst) {
  Filled filled(3);
  EXPECT_TRUE(filled.list.HasNodes());
  EXPECT_EQ(ValuesFrom(filled.list.Close()), (std::vector<int>{2, 1, 0}));
  EXPECT_FALSE(filled.list.HasNodes());
}

TEST(WaiterList, ReverseGivesThemOldestFirst) {
  Filled filled(3);
  EXPECT_EQ(ValuesFrom(List::Reverse(filled.list.Close())), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(List::Reverse(nullptr), nullptr);
}

TEST(WaiterList, TakesNothingOnceClosed) {
  Filled filled(1);
  EXPECT_NE(filled.list.Close(), nullptr);
  Node late;
  EXPECT_FALSE(filled.list.Add(late));
  EXPECT_FALSE(filled.list.Remove(filled.nodes[0]));
  bool called = false;
  EXPECT_FALSE(filled.list.WithLock([&called](List::Node*&) { called = true; }));
  EXPECT_FALSE(called);
  EXPECT_EQ(filled.list.Close(), nullptr);
}

TEST(WaiterList, RemovesTheNewestTheOldestAndOneBetween) {
  for (const int removed : {0, 1, 2}) {
    Filled filled(3);
    EXPECT_TRUE(filled.list.Remove(filled.nodes[static_cast<std::size_t>(removed)]));
    std::vector<int> expected{2, 1, 0};
    std::erase(expected, removed);
    EXPECT_EQ(ValuesFrom(filled.list.Close()), expected);
  }
}

TEST(WaiterList, IsEmptyAfterTheLastRemoval) {
  Filled filled(2);
  EXPECT_TRUE(filled.list.Remove(filled.nodes[1]));
  EXPECT_TRUE(filled.list.HasNodes());
  EXPECT_TRUE(filled.list.Remove(filled.nodes[0]));
  EXPECT_FALSE(filled.list.HasNodes());
  EXPECT_TRUE(filled.list.Add(filled.nodes[1]));  // a node may come back
  EXPECT_EQ(ValuesFrom(filled.list.Close()), std::vector<int>{1});
}

TEST(WaiterList, RemovingAStrangerChangesNothing) {
  Filled filled(2);
  Node stranger;
  EXPECT_FALSE(filled.list.Remove(stranger));
  EXPECT_EQ(ValuesFrom(filled.list.Close()), (std::vector<int>{1, 0}));
}

TEST(WaiterList, WithLockMayReplaceTheNodes) {
  Filled filled(2);
  Node other;
  other.value = 7;
  EXPECT_TRUE(filled.list.WithLock([&other](List::Node*& first) {
    EXPECT_EQ(ValuesFrom(first), (std::vector<int>{1, 0}));
    first = &other;
  }));
  EXPECT_EQ(ValuesFrom(filled.list.Close()), std::vector<int>{7});
}

// ---- several threads ----

constexpr int kRounds = 500;
constexpr int kSteps = 2000;
constexpr int kThreads = 4;

TEST(WaiterList, EachNodeIsEitherGivenToTheCloserOrRefused) {
  for (int round = 0; round < kRounds; ++round) {
    List list;
    std::array<Node, kThreads> nodes;
    std::array<bool, kThreads> added{};
    std::array<bool, kThreads> told{};
    int outcome = 0;  // plain: written before Close(), read by whoever is refused
    test::RunThreads(kThreads + 1, [&](int index) {
      if (index == kThreads) {
        outcome = 42;
        for (List::Node* at = list.Close(); at != nullptr; at = at->next)
          told[static_cast<std::size_t>(static_cast<Node*>(at)->value)] = true;
        return;
      }
      const auto i = static_cast<std::size_t>(index);
      nodes[i].value = index;  // plain: written before Add(), read by the closer
      added[i] = list.Add(nodes[i]);
      if (!added[i]) {
        EXPECT_EQ(outcome, 42);
      }
    });
    ASSERT_EQ(added, told);
  }
}

TEST(WaiterList, ARemovedNodeIsNeverGivenToTheCloser) {
  for (int round = 0; round < kRounds; ++round) {
    Filled filled(kThreads);
    std::array<bool, kThreads> removed{};
    std::array<bool, kThreads> told{};
    test::RunThreads(kThreads, [&](int index) {
      if (index == 0) {
        for (const int value : ValuesFrom(filled.list.Close())) told[static_cast<std::size_t>(value)] = true;
        return;
      }
      const auto i = static_cast<std::size_t>(index);
      removed[i] = filled.list.Remove(filled.nodes[i]);
    });
    EXPECT_TRUE(told[0]);
    for (std::size_t i = 1; i < kThreads; ++i) ASSERT_NE(removed[i], told[i]) << i;
  }
}

TEST(WaiterList, ARemovedNodeMayBeFreedAtOnce) {
  Filled stay(1);
  test::RunThreads(kThreads, [&](int) {
    for (int i = 0; i < kSteps; ++i) {
      const auto node = std::make_unique<Node>();
      EXPECT_TRUE(stay.list.Add(*node));
      if (i % 3 == 0) std::this_thread::yield();
      EXPECT_TRUE(stay.list.Remove(*node));
    }
  });
  EXPECT_EQ(ValuesFrom(stay.list.Close()), std::vector<int>{0});
}

TEST(WaiterList, NobodyElseIsInsideTheLock) {
  Filled stay(1);
  int inside = 0;  // plain: the lock bit is what orders it
  test::RunThreads(kThreads, [&](int) {
    for (int i = 0; i < kSteps; ++i) {
      EXPECT_TRUE(stay.list.WithLock([&inside](List::Node*&) { ++inside; }));
    }
  });
  EXPECT_EQ(inside, kThreads * kSteps);
}

TEST(WaiterList, IsClosedForOneOfMany) {
  for (int round = 0; round < kRounds; ++round) {
    Filled filled(3);
    std::atomic<int> closers{0};
    test::RunThreads(kThreads, [&](int) {
      if (filled.list.Close() != nullptr) closers.fetch_add(1);
    });
    ASSERT_EQ(closers, 1);
  }
}

}  // namespace
}  // namespace orchestrate
