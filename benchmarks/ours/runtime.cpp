// What does a runtime cost while it has nothing to do, and how soon does it begin when it gets something?
#include "pool.hpp"

namespace bench {

std::string About() { return "orchestrate, g++ " __VERSION__; }

namespace {

// idle: CPU of a process whose runtime is up and has worked once.
const Case kIdle("idle", "", [](const Setup& setup) {
  auto pool = MakePool(setup);
  Keep(orchestrate::Invoke(pool->background, [] {}).Wait());
  return Idle(setup, pool);
});

// spawn_latency: from Invoke to the first instruction.
const Case kLatency("spawn_latency", "", [](const Setup& setup) {
  return SpawnLatency(setup, [pool = MakePool(setup)](void (*function)(void*), void* argument) {
    const auto task = orchestrate::Invoke(pool->background, [=] { function(argument); });
  });
});

}  // namespace
}  // namespace bench
