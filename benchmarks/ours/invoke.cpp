// What does one no-op task cost: make it, run it, get its result? Beside it: oneTBB, which has to choose
// between a participant and an outside thread, and a goroutine that answers in a channel.
#include "pool.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

void InvokeAndWait(const orchestrate::Context& context) {
  Keep(orchestrate::Invoke(context, [] { return 1; }).Outcome());
}

// How fast is it when tasks follow each other?
const Case kOutside("invoke_wait", "", [](const Setup& setup) {
  return LoopOutside(setup, kNsPerCall, [](const Pool& pool) { InvokeAndWait(pool.background); });
});

// And when the one that waits is itself a task?
const Case kWorker("invoke_worker", "", [](const Setup& setup) {
  return LoopOnWorker(setup, kNsPerCall, [](const Pool& pool) { InvokeAndWait(pool.background); });
});

// And when the pool fell asleep before?
const Case kCold("invoke_cold", "", [](const Setup& setup) {
  return AfterIdle(setup, [pool = MakePool(setup)] { InvokeAndWait(pool->background); });
});

// And when the work runs on another thread than the one that waits? A timed wait never runs it here.
const Case kRemote("invoke_remote", "", [](const Setup& setup) {
  return LoopOutside(setup, kNsPerCall, [](const Pool& pool) {
    const auto task = orchestrate::Invoke(pool.background, [] { return 1; });
    while (!task.WaitFor(1h)) continue;
    Keep(task.Outcome());
  });
});

// And under a deadline, at which task and waiter would end?
const Case kContext("invoke_ctx", "", [](const Setup& setup) {
  auto pool = MakePool(setup);
  return Loop(setup, kNsPerCall, [pool, context = pool->background.WithTimeout(1h)](std::size_t n) {
    while (n-- > 0) InvokeAndWait(context);
  });
});

}  // namespace
}  // namespace bench
