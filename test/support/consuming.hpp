#pragma once

#include <gtest/gtest.h>

#include <atomic>

#include <orchestrate/flow/consume.hpp>
#include <orchestrate/sync/channel.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {

using Tasks = Channel<Task<int>>;

// Over each width, in virtual time: tasks that count how many of them ran.
class Consuming : public InVirtualTime {
 protected:
  Task<int> Counting() {
    return NewTask([this] { return ++ran_; });
  }
  Tasks Filled(int count) {
    Tasks tasks(64);
    for (int i = 0; i < count; ++i) EXPECT_FALSE(tasks.TrySend(Counting()));
    return tasks;
  }

  std::atomic<int> ran_{0};
};

}  // namespace orchestrate::test
