// What does a task with a handle of its own cost when a million are spawned and then joined? oneTBB has no
// handles: a task_group with a slot a task (the least that can be asked for its result), the same with
// std::promise and std::future (what a user can wait for one by one), and enqueue with a slot.
#include <future>
#include <vector>

#include "arena.hpp"

namespace bench {
namespace {

constexpr std::size_t kTasks = 1'000'000;
constexpr std::size_t kLinks = 100'000;

struct Slot {
  std::atomic<bool> done{false};
  int value = 0;
};

void Finish(Slot& slot) {
  slot.value = 1;
  slot.done.store(true, std::memory_order_release);
}

void SlotsThroughGroup() {
  std::vector<Slot> slots(kTasks);
  tbb::task_group tasks;
  for (Slot& slot : slots) tasks.run([&slot] { Finish(slot); });
  tasks.wait();
  for (const Slot& slot : slots) Keep(slot.value);
}

void FuturesThroughGroup() {
  std::vector<std::promise<int>> promises(kTasks);
  std::vector<std::future<int>> futures;
  futures.reserve(kTasks);
  tbb::task_group tasks;
  for (auto& promise : promises) {
    futures.push_back(promise.get_future());
    tasks.run([&promise] { promise.set_value(1); });
  }
  tasks.wait();
  for (auto& future : futures) Keep(future.get());
}

void SlotsThroughEnqueue(Outside& pool, Turnstile& end) {
  std::vector<Slot> slots(kTasks);
  std::atomic<std::size_t> left{kTasks};
  for (Slot& slot : slots) {
    pool.arena.enqueue([&slot, &left, &end] {
      Finish(slot);
      if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) end.Open();
    });
  }
  end.Pass();
  for (const Slot& slot : slots) Keep(slot.value);
}

void Repeat(std::size_t n, void (*once)()) {
  while (n-- > 0) once();
}

const Case kSlots("spawn_join", "task_group", [](const Setup& setup) {
  auto body = [](std::size_t n) { Repeat(n, SlotsThroughGroup); };
  return WithMemory(kTasks, LoopInside(setup, NsPer(kTasks), body));
});
const Case kFutures("spawn_join", "future", [](const Setup& setup) {
  auto body = [](std::size_t n) { Repeat(n, FuturesThroughGroup); };
  return WithMemory(kTasks, LoopInside(setup, NsPer(kTasks), body));
});
const Case kEnqueue("spawn_join", "enqueue", [](const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  auto end = std::make_shared<Turnstile>();
  auto body = [=](std::size_t n) {
    while (n-- > 0) SlotsThroughEnqueue(*pool, *end);
  };
  return WithMemory(kTasks, Loop(setup, NsPer(kTasks), body));
});

// The same, spawned by a task on a worker.
const Case kWorker("spawn_join_worker", "task_group", [](const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  auto end = std::make_shared<Turnstile>();
  auto body = [=](std::size_t n) {
    EnqueueAndWait(pool->arena, *end, [n] { Repeat(n, SlotsThroughGroup); });
  };
  return WithMemory(kTasks, Loop(setup, NsPer(kTasks), body));
});

struct Link {
  tbb::task_group* tasks;
  std::size_t left;
  void operator()() const {
    if (left > 0) tasks->run(Link{tasks, left - 1});
  }
};

// What does it cost to start work because other work has ended? oneTBB: a task that runs its successor.
const Case kChain("chain", "task_group", [](const Setup& setup) {
  return LoopInside(setup, NsPer(kLinks), [](std::size_t n) {
    tbb::task_group tasks;
    while (n-- > 0) tasks.run_and_wait(Link{&tasks, kLinks - 1});
  });
});

}  // namespace
}  // namespace bench
