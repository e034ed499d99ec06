#include <test/model/engine/explore.hpp>

#include <test/model/engine/arena.hpp>

namespace orchestrate::model {
namespace {

std::uint64_t g_so_far = 0;

void Begin(Choices& choices, const Exploration& how) {
  if (!how.replay.empty()) {
    choices.BeginReplay(how.replay);
  } else if (how.seed != 0) {
    choices.BeginRandom(how.seed);
  } else {
    choices.BeginDepthFirst();
  }
}

// Runs the execution of `replay` once more and writes its steps down.
std::string TraceOf(Execution& execution, Choices& choices, const std::string& replay,
                    const std::function<void(Program&)>& setup, const Limits& limits) {
  choices.BeginReplay(replay);
  execution.SetTracing(true);
  (void)execution.Run(setup, limits);
  constexpr std::size_t kShown = 100;
  const auto& trace = execution.Trace();
  std::string text;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    if (i == kShown && trace.size() > 2 * kShown) {
      i = trace.size() - kShown;
      text += "  ...\n";
    }
    text += trace[i] + '\n';
  }
  return text;
}

}  // namespace

Findings Explore(const Exploration& how, const std::function<void(Program&)>& setup) {
  Choices choices;
  Begin(choices, how);
  Execution execution(choices);
  execution.CollectSites(how.sites);
  execution.Weaken(how.weakened, how.weaker);
  const auto until = std::chrono::steady_clock::now() + how.time;
  Findings found;
  for (;;) {
    const bool passed = execution.Run(setup, how.limits);
    ++found.executions;
    ++g_so_far;
    if (!passed) {
      found.failure = execution.Failure();
      found.replay = choices.ToString();
      execution.CollectSites(nullptr);
      found.trace = TraceOf(execution, choices, found.replay, setup, how.limits);
      return found;
    }
    if (!choices.Next()) {
      found.exhausted = how.replay.empty();
      return found;
    }
    if (found.executions >= how.executions) return found;
    if (found.executions % 256 == 0 && std::chrono::steady_clock::now() > until) return found;
  }
}

std::string Findings::ToString() const {
  if (failure.empty())
    return std::to_string(executions) + " executions" + (exhausted ? ", which are all" : "");
  return failure + ", found in execution " + std::to_string(executions) + "\nreplay: " + replay + '\n' +
         trace;
}

std::uint64_t ExecutionsSoFar() noexcept { return g_so_far; }

}  // namespace orchestrate::model
