// What does a task with a handle of its own cost when a million are spawned and then joined? Beside it:
// oneTBB with a slot or a future a task, and goroutines with a channel each or one WaitGroup.
#include <orchestrate/task/after.hpp>
#include <orchestrate/task/promise.hpp>
#include <vector>

#include "pool.hpp"

namespace bench {
namespace {

constexpr std::size_t kTasks = 1'000'000;
constexpr std::size_t kLinks = 100'000;

void SpawnAndJoin(const Pool& pool) {
  std::vector<orchestrate::Task<int>> tasks;
  tasks.reserve(kTasks);
  for (std::size_t i = 0; i < kTasks; ++i) {
    tasks.push_back(orchestrate::Invoke(pool.background, [] { return 1; }));
  }
  for (const auto& task : tasks) Keep(task.Outcome());
}

const Case kOutside("spawn_join", "", [](const Setup& setup) {
  return WithMemory(kTasks, LoopOutside(setup, NsPer(kTasks), SpawnAndJoin));
});

// The same, spawned by a task on a worker.
const Case kWorker("spawn_join_worker", "", [](const Setup& setup) {
  return WithMemory(kTasks, LoopOnWorker(setup, NsPer(kTasks), SpawnAndJoin));
});

// What does a task cost that is terminal at birth, and its outcome? Beside it: the same verb in Go.
const Case kCompleted("completed", "", [](const Setup& setup) {
  return Loop(setup, kNsPerCall, [](std::size_t n) {
    while (n-- > 0) Keep(orchestrate::Completed(1).Outcome());
  });
});

// What does it cost to start work because other work has ended, a link? All continuations are attached before
// the first task runs. Beside it: the same verb in Go, and tasks that run their successor.
const Case kChain("chain", "", [](const Setup& setup) {
  return LoopOutside(setup, NsPer(kLinks), [](const Pool& pool) {
    const auto first = orchestrate::NewTask([] { return 1; });
    auto last = first;
    for (std::size_t i = 0; i < kLinks; ++i) last = last.Then([](int value) { return value + 1; });
    first.Run(pool.background);
    Keep(last.Outcome());
  });
});

}  // namespace
}  // namespace bench
