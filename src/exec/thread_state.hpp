#pragma once

#include <cstdint>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::detail {

class RuntimeCore;
class Sharer;
struct Slot;

// What the library knows about the calling thread. Trivial, so that it lives as long as the thread itself.
struct ThreadState {
  RuntimeCore* runtime = nullptr;  // whose permit this thread holds
  Slot* slot = nullptr;            // set on a worker, null on a thread from outside
  void* frame = nullptr;           // the innermost running task (task layer)
  void* draining = nullptr;        // completions put off to the outermost call (task layer)
  void* ending = nullptr;          // what has to hear of the end of contexts (task layer)
  void* deferred = nullptr;        // what the outermost loop of this thread will destroy (task layer)
  Sharer* sharer = nullptr;        // the innermost that keeps work on this thread
  const void* running = nullptr;   // on a worker: the node that its runner runs
  // Counts what this thread runs in a row. A body of turn n left at `left_ticks`; where `left_turn` says n,
  // too, nothing but bookkeeping lies between that and the body of turn n + 1, which begins then (task
  // layer).
  std::uint64_t turn = 0;
  std::uint64_t left_turn = kNoTurn;
  std::uint64_t left_ticks = 0;

  // From outside: how many entries of claimed tasks were left in a queue since the last look for them.
  std::uint32_t left_behind = 0;

  bool in_runner = false;      // below frames of oneTBB
  bool serves_urgent = false;  // the one thread that runs urgent work of its runtime
  bool runs_urgent = false;    // runs a piece of it, which counts as such
  // Work that others have queued is overdue: the permit of this thread goes to a runner (fairness.cpp).
  bool stands_aside = false;
  // On a thread of the library's own, which has all signals blocked: those that its maker had.
  const void* makers_signals = nullptr;

  static constexpr std::uint64_t kNoTurn = ~std::uint64_t{1};
};

extern ORCHESTRATE_API constinit thread_local ThreadState t_thread;

// Before this thread runs a body: should that call std::exit(), its runtime will hear of it.
void WatchForExit() noexcept;

}  // namespace orchestrate::inline v1::detail
