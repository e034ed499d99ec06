// The two ways to use oneTBB: tasks handed to threads of its own, or a caller that works along.
#pragma once

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "../../common/samplers.hpp"

namespace bench {

// The control is needed: by default TBB has one thread less than the machine, beside the caller.
inline std::size_t ThreadsFor(int workers, int callers) {
  return static_cast<std::size_t>(workers + callers);
}

/// `workers` threads of TBB; the caller stays outside.
struct Outside {
  explicit Outside(int workers)
      : control(tbb::global_control::max_allowed_parallelism, ThreadsFor(workers, 1)), arena(workers, 0) {}
  tbb::global_control control;
  tbb::task_arena arena;
};

/// `workers` threads, of which the caller is one.
struct Participant {
  explicit Participant(int workers)
      : control(tbb::global_control::max_allowed_parallelism, ThreadsFor(workers, 0)), arena(workers, 1) {}
  tbb::global_control control;
  tbb::task_arena arena;
};

/// An end that an outside thread waits for, again and again; it outlives both sides.
class Turnstile {
 public:
  void Open() {
    // Release pairs with the acquire in Pass(): the waiter sees the result.
    opened_.fetch_add(1, std::memory_order_release);
    opened_.notify_one();
  }
  void Pass() {
    opened_.wait(passed_, std::memory_order_acquire);
    ++passed_;
  }

 private:
  std::atomic<std::uint32_t> opened_{0};
  std::uint32_t passed_ = 0;
};

/// Enqueues `work` and blocks the calling, outside thread until it has run.
template <typename Work>
void EnqueueAndWait(tbb::task_arena& arena, Turnstile& end, const Work& work) {
  arena.enqueue([&end, &work] {
    work();
    end.Open();
  });
  end.Pass();
}

/// A `Loop` whose body runs on a participant, inside its arena.
template <typename Body>
Sampler LoopInside(const Setup& setup, Per per, Body body) {
  auto crew = std::make_shared<Participant>(setup.workers);
  return Loop(setup, per, [crew, body](std::size_t n) { crew->arena.execute([&] { body(n); }); });
}

}  // namespace bench
