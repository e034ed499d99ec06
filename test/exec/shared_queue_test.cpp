#include <gtest/gtest.h>

#include <array>
#include <string>

#include "exec/shared_queue.hpp"

namespace orchestrate::detail {
namespace {

class SharedQueueTest : public testing::Test {
 protected:
  // Of a node: its place in `nodes_`; '-' for none.
  [[nodiscard]] char Popped() {
    const WorkNode* node = queue_.TryPop();
    return node == nullptr ? '-' : static_cast<char>('0' + (node - nodes_.data()));
  }
  [[nodiscard]] std::string PopAll() {
    std::string all;
    while (!queue_.Empty()) all += Popped();
    return all + Popped();
  }

  std::array<WorkNode, 8> nodes_;
  SharedQueue queue_;
};

TEST_F(SharedQueueTest, TakesTurnsBetweenWhatComesAloneAndTheTasksOfBatches) {
  for (std::size_t i = 0; i < 4; ++i) queue_.PushOfMany(nodes_[i]);
  for (std::size_t i = 4; i < 6; ++i) queue_.Push(nodes_[i]);
  EXPECT_EQ(PopAll(), "405123-");
}

TEST_F(SharedQueueTest, TakesEachKindInItsOrder) {
  for (std::size_t i = 0; i < 3; ++i) queue_.Push(nodes_[i]);
  EXPECT_EQ(PopAll(), "012-");
  for (std::size_t i = 0; i < 3; ++i) queue_.PushOfMany(nodes_[i]);
  EXPECT_EQ(PopAll(), "012-");
}

TEST_F(SharedQueueTest, WhatIsPutInFrontComesFirst) {
  queue_.Push(nodes_[0]);
  queue_.PushOfMany(nodes_[1]);
  queue_.PutInFront(nodes_[2]);
  EXPECT_TRUE(queue_.HasFront());
  EXPECT_EQ(Popped(), '2');
  EXPECT_FALSE(queue_.HasFront());
  EXPECT_EQ(PopAll(), "01-");
  queue_.PutInFront(nodes_[2]);
  EXPECT_FALSE(queue_.Empty());
  EXPECT_EQ(PopAll(), "2-");
}

TEST_F(SharedQueueTest, GivesTheOldestOfEachKindByItsName) {
  for (std::size_t i = 0; i < 2; ++i) queue_.Push(nodes_[i]);
  for (std::size_t i = 2; i < 4; ++i) queue_.PushOfMany(nodes_[i]);
  EXPECT_FALSE(queue_.TryPopIf(nodes_[1]));
  EXPECT_FALSE(queue_.TryPopIf(nodes_[3]));
  EXPECT_TRUE(queue_.TryPopIf(nodes_[2]));
  EXPECT_TRUE(queue_.TryPopIf(nodes_[0]));
  EXPECT_EQ(queue_.Size(), 2U);
  EXPECT_EQ(queue_.Pushed(), 4U);
  EXPECT_EQ(queue_.Popped(), 2U);
  EXPECT_EQ(PopAll(), "13-");
}

}  // namespace
}  // namespace orchestrate::detail
