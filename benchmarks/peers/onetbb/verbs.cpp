// What do the verbs over many tasks cost? oneTBB has none; beside ours stand what its users write by hand.
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/parallel_for.h>

#include <vector>

#include "arena.hpp"

namespace bench {
namespace {

constexpr std::size_t kTasks = 1000;
constexpr int kRunners = 8;

struct Work {
  std::function<int()> function;
  int result = 0;
  void Run() { result = function(); }
};

std::vector<Work> Make() {
  std::vector<Work> tasks(kTasks);
  for (Work& task : tasks) task.function = [] { return 1; };
  return tasks;
}

// invoke_all: make 1000 no-op tasks, run them at most 8 at a time, join. Eight runners pull the next index.
void WithRunners() {
  std::vector<Work> tasks = Make();
  std::atomic<std::size_t> next{0};
  tbb::task_group runners;
  for (int i = 0; i < kRunners; ++i) {
    runners.run([&] {
      for (std::size_t at = next++; at < kTasks; at = next++) tasks[at].Run();
    });
  }
  runners.wait();
  Keep(tasks);
}

// invoke_all: a task of TBB for each of ours; the arena is what limits them.
void WithParallelFor() {
  std::vector<Work> tasks = Make();
  const tbb::blocked_range<std::size_t> all(0, kTasks, 1);
  const auto run = [&](const auto& range) {
    for (std::size_t at = range.begin(); at < range.end(); ++at) tasks[at].Run();
  };
  tbb::parallel_for(all, run, tbb::simple_partitioner());
  Keep(tasks);
}

// consume: 1000 tasks in a closed channel, taken by 8 consumers. TBB's bounded queue cannot be closed, so
// its consumers leave when it is empty.
void ThroughQueue() {
  std::vector<Work> tasks = Make();
  tbb::concurrent_bounded_queue<Work*> queue;
  queue.set_capacity(kTasks);
  for (Work& task : tasks) queue.push(&task);
  tbb::task_group consumers;
  for (int i = 0; i < kRunners; ++i) {
    consumers.run([&queue] {
      Work* task = nullptr;
      while (queue.try_pop(task)) task->Run();
    });
  }
  consumers.wait();
  Keep(tasks);
}

template <void (*kOnce)()>
Sampler Inside(const Setup& setup) {
  return LoopInside(setup, kUsPerCall, [](std::size_t n) {
    while (n-- > 0) kOnce();
  });
}

const Case kInvokeAllRunners("invoke_all", "runners", Inside<WithRunners>);
const Case kInvokeAllLoop("invoke_all", "parallel_for", Inside<WithParallelFor>);
const Case kConsume("consume", "bounded_queue", Inside<ThroughQueue>);

}  // namespace
}  // namespace bench
