// The runtime of a case: made once, used for all samples of its process.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/task/task.hpp>

#include "../common/samplers.hpp"

namespace bench {

struct Pool {
  explicit Pool(int workers) : runtime(static_cast<std::size_t>(workers)), background(runtime.Background()) {}

  orchestrate::Runtime runtime;
  orchestrate::Context background;
};

inline std::shared_ptr<Pool> MakePool(const Setup& setup) { return std::make_shared<Pool>(setup.workers); }

/// A `Loop` that calls `once(pool)` on the calling, outside thread.
template <typename Once>
Sampler LoopOutside(const Setup& setup, Per per, Once once) {
  return Loop(setup, per, [pool = MakePool(setup), once](std::size_t n) {
    while (n-- > 0) once(*pool);
  });
}

/// A `Loop` whose calls of `once(pool)` are made by a task on a worker.
template <typename Once>
Sampler LoopOnWorker(const Setup& setup, Per per, Once once) {
  return Loop(setup, per, [pool = MakePool(setup), once](std::size_t n) {
    const auto body = orchestrate::Invoke(pool->background, [&pool, &once, n]() mutable {
      while (n-- > 0) once(*pool);
    });
    // A timed wait leaves the body to a worker instead of running it here.
    while (!body.WaitFor(std::chrono::hours(1))) continue;
  });
}

}  // namespace bench
