// The ways in which a benchmark is measured; a case supplies the operation only.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "harness.hpp"

namespace bench {

/// What a figure counts: so many operations a call of the body, in this unit.
struct Per {
  double operations;
  double ns_in_unit;
  const char* unit;
};
inline constexpr Per kNsPerCall{1, 1, "ns"};
inline constexpr Per kUsPerCall{1, 1e3, "us"};
inline constexpr Per kMsPerCall{1, 1e6, "ms"};
constexpr Per NsPer(double operations) { return {operations, 1, "ns"}; }

/// Measures the mean cost of an operation: `body(n)` does it n times and is run for `min_time`.
Sampler Loop(const Setup& setup, Per per, std::function<void(std::size_t)> body);

/// Adds the figure `_memory`: growth of the peak resident size, in bytes for each of `operations`.
Sampler WithMemory(double operations, Sampler sampler);

/// Makes so many of a kind and keeps them; the figure's suffix says which kind.
struct Held {
  const char* suffix;
  std::function<std::shared_ptr<void>()> make;
};

/// Measures how much the resident size grows by all of a kind, in bytes for each of `count`. Once: a process
/// that has had them may keep their memory.
Sampler Growth(double count, std::vector<Held> kinds);

/// Measures the median latency of `body`, in us, each time after the process was idle for 2 ms.
Sampler AfterIdle(const Setup& setup, std::function<void()> body);

/// Measures the CPU time that the process uses while nobody asks it for anything, in us a second.
Sampler Idle(const Setup& setup, std::shared_ptr<void> pool);

/// Hands `function(argument)` to a pool, from an outside thread or from one of its workers.
using Post = std::function<void(void (*function)(void*), void* argument)>;

/// Measures the time from `post` to the first instruction, in us: `_idle_p50`, `_idle_p99` with the pool
/// asleep, `_busy_p50`, `_busy_p99` while two tasks of 10 us a worker re-post themselves.
Sampler SpawnLatency(const Setup& setup, Post post);

}  // namespace bench
