// What do the verbs over many tasks cost? Beside them: the same semantics as a verb in Go, and what users of
// goroutines and of oneTBB write by hand.
#include <orchestrate/flow/consume.hpp>
#include <orchestrate/flow/invoke_all.hpp>
#include <vector>

#include "pool.hpp"

namespace bench {
namespace {

constexpr std::size_t kTasks = 1000;
constexpr int kRunners = 8;

auto MakeTask() {
  return orchestrate::NewTask([] { return 1; });
}

// 1000 tasks are made, run at most 8 at a time, and joined.
const Case kInvokeAll("invoke_all", "", [](const Setup& setup) {
  return LoopOutside(setup, kUsPerCall, [](const Pool& pool) {
    std::vector<orchestrate::Task<int>> tasks;
    tasks.reserve(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) tasks.push_back(MakeTask());
    Keep(orchestrate::InvokeAll(pool.background, kRunners, tasks).Wait());
  });
});

// 1000 tasks are sent to a channel that is then closed, and taken by 8 consumers.
const Case kConsume("consume", "", [](const Setup& setup) {
  return LoopOutside(setup, kUsPerCall, [](const Pool& pool) {
    const orchestrate::Channel<orchestrate::Task<int>> channel(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) (void)channel.TrySend(MakeTask());
    channel.Close();
    Keep(orchestrate::Consume(pool.background, kRunners, channel).Wait());
  });
});

}  // namespace
}  // namespace bench
