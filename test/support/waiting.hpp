#pragma once

#include <gtest/gtest.h>

#include <atomic>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>

// By which a test sees that others wait, before it goes on.
namespace orchestrate::test {

// Whether anything waits for the end of `task`; a look that, other than IsDone(), ends nothing.
[[nodiscard]] inline bool HasWaiters(const detail::TaskHandle& task) {
  const detail::TaskCore* core = detail::TaskAccess::Core(task);
  return core != nullptr && core->waiters.HasNodes();
}

// Once a worker runs its body: the thread that waits would do so itself.
template <class T>
Task<T> Begun(Task<T> task) {
  EXPECT_TRUE(Eventually([&] { return task.State() == TaskState::Running; }));
  return task;
}

// Counts the waits that bodies of a runtime are in, or were.
struct CountsBlocked final : Observer {
  void WorkerBlocked() noexcept override { ++blocked; }
  std::atomic<int> blocked{0};
};

}  // namespace orchestrate::test
