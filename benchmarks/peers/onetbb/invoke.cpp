// What does one no-op task cost: make it, run it, get its result? oneTBB can answer as a participant
// (task_group, nobody else needs to wake) or from outside (enqueue, and wait for another thread).
#include "arena.hpp"

namespace bench {
namespace {

void ThroughGroup(tbb::task_group& group) {
  int result = 0;
  group.run([&result] { result = 1; });
  group.wait();
  Keep(result);
}

void ThroughEnqueue(Outside& pool, Turnstile& end) {
  int result = 0;
  EnqueueAndWait(pool.arena, end, [&result] { result = 1; });
  Keep(result);
}

Sampler EnqueueLoop(const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  auto end = std::make_shared<Turnstile>();
  return Loop(setup, kNsPerCall, [=](std::size_t n) {
    while (n-- > 0) ThroughEnqueue(*pool, *end);
  });
}

// How fast is it when tasks follow each other?
const Case kGroup("invoke_wait", "task_group", [](const Setup& setup) {
  return LoopInside(setup, kNsPerCall, [](std::size_t n) {
    tbb::task_group tasks;
    while (n-- > 0) ThroughGroup(tasks);
  });
});
const Case kEnqueue("invoke_wait", "enqueue", EnqueueLoop);

// And when the one that waits is itself a task on a worker?
const Case kWorker("invoke_worker", "task_group", [](const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  auto end = std::make_shared<Turnstile>();
  return Loop(setup, kNsPerCall, [=](std::size_t n) {
    EnqueueAndWait(pool->arena, *end, [n] {
      tbb::task_group tasks;
      for (std::size_t i = 0; i < n; ++i) ThroughGroup(tasks);
    });
  });
});

// And when the work runs on another thread than the one that waits?
const Case kRemote("invoke_remote", "enqueue", EnqueueLoop);

// And when the pool fell asleep before?
const Case kColdGroup("invoke_cold", "task_group", [](const Setup& setup) {
  auto crew = std::make_shared<Participant>(setup.workers);
  return AfterIdle(setup, [crew] {
    crew->arena.execute([] {
      tbb::task_group tasks;
      ThroughGroup(tasks);
    });
  });
});
const Case kColdEnqueue("invoke_cold", "enqueue", [](const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  auto end = std::make_shared<Turnstile>();
  return AfterIdle(setup, [=] { ThroughEnqueue(*pool, *end); });
});

}  // namespace
}  // namespace bench
