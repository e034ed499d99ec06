// What does a pool cost while it has nothing to do, and how soon does it begin when it gets something?
#include <oneapi/tbb/version.h>

#include "arena.hpp"

namespace bench {

std::string About() { return std::string("oneTBB ") + TBB_runtime_version() + ", g++ " + __VERSION__; }

namespace {

// idle: CPU of a process whose pool is up and has worked once.
const Case kIdle("idle", "", [](const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  Turnstile end;
  EnqueueAndWait(pool->arena, end, [] {});
  return Idle(setup, pool);
});

// spawn_latency: from enqueue to the first instruction.
const Case kLatency("spawn_latency", "", [](const Setup& setup) {
  auto pool = std::make_shared<Outside>(setup.workers);
  return SpawnLatency(setup, [pool](void (*function)(void*), void* argument) {
    pool->arena.enqueue([=] { function(argument); });
  });
});

}  // namespace
}  // namespace bench
