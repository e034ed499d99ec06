#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/stress.hpp>
#include "base/sanitizers.hpp"
#include "wait_graph.hpp"

// Random graphs of waits: exactly those waits are told that close a cycle, as the oracle says.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using Kind = WaitGraph::Kind;
using Home = WaitGraph::Home;

constexpr int kBodies = 6;
#if defined(ORCHESTRATE_TSAN) || defined(ORCHESTRATE_ASAN)
constexpr int kGraphs = 1'000;
#else
constexpr int kGraphs = 10'000;
#endif

// One graph of real tasks. Each body has a worker, and keeps it until it waits; a probe that the runtime runs
// only then says that it sleeps.
class LiveGraph {
 public:
  LiveGraph(Runtime& runtime, Chance& chance) : ctx_(runtime.Background()), chance_(chance) {
    AddBodies(runtime);
    for (int count = chance_(8); count > 0; --count) AddDerived();
    started_.Wait();
    manual_.RunUntilIdle();
  }

  // The graph, and what its bodies have done.
  [[nodiscard]] std::string Describe() {
    static constexpr const char* kKinds[] = {"body",   "chain", "returned", "retried", "timed",
                                             "behind", "above", "job",      "extra"};
    static constexpr const char* kHomes[] = {"pool", "manual", "strand"};
    std::string text;
    for (std::size_t v = 0; v < graph_.all.size(); ++v) {
      const WaitGraph::Vertex& vertex = graph_.all[v];
      text += "  " + std::to_string(v) + ' ' + kKinds[static_cast<std::size_t>(vertex.kind)] + " (" +
              kHomes[static_cast<std::size_t>(vertex.home)] + ", owner " + std::to_string(vertex.owner) +
              ") of";
      for (const int dep : vertex.deps) text += ' ' + std::to_string(dep);
      text += '\n';
    }
    return text + steps_;
  }

  // Lets one body after the other wait, for random targets. Whether all were told what they should have been.
  [[nodiscard]] bool RunAll() {
    std::vector<int> order;
    for (int body = 0; body < kBodies; ++body)
      order.insert(order.begin() + chance_(static_cast<int>(order.size()) + 1), body);
    bool right = true;
    for (const int body : order) right = right && Step(body);
    End();
    return right;
  }

 private:
  struct Body {
    Gate go;
    std::vector<int> targets;
    bool any = false;
    std::atomic<bool> has_left{false};
    Error error;
  };

  void AddBodies(Runtime& runtime) {
    const int members = chance_(3) == 0 ? 2 + chance_(2) : 0;  // the first ones
    std::vector<Task<void>> in_job;
    for (int i = 0; i < kBodies; ++i) {
      (void)graph_.Add({.owner = i < members ? kBodies : -1});
      tasks_.push_back(NewTask([this, i] { RunBody(i); }));
      strands_.push_back(std::make_unique<Strand>(runtime.GetExecutor()));
      upper_.push_back(std::make_unique<Strand>(static_cast<Executor&>(*strands_.back())));
      if (i < members) {
        in_job.push_back(tasks_.back());
      } else {
        tasks_.back().Run(Where(ctx_).On(*strands_.back()));
        at_strand_.push_back(i);
      }
    }
    if (members != 0) AddJob(in_job);
  }

  // Of the bodies in `members` and perhaps of one that has returned another body; all its places are kept, so
  // that its last task waits for one of them.
  void AddJob(std::vector<Task<void>> members) {
    WaitGraph::Vertex job{.kind = Kind::Job};
    for (int i = 0; i < static_cast<int>(members.size()); ++i) job.deps.push_back(i);
    WaitGraph::Vertex extra{.kind = Kind::Extra, .deps = job.deps, .owner = kBodies, .can_be_served = true};
    const bool has_returned = chance_(2) == 0;
    const int returned = at_strand_[static_cast<std::size_t>(chance_(static_cast<int>(at_strand_.size())))];
    const auto returner = NewTask([this, body = tasks_[static_cast<std::size_t>(returned)]] {
      returned_.Open();
      return body;
    });
    if (has_returned) {
      members.insert(members.begin(), returner);  // it needs a worker until it has returned
      extra.deps.push_back(kBodies + 2);
      job.deps.push_back(kBodies + 2);
    }
    const auto places = static_cast<int>(members.size());
    job.deps.push_back(kBodies + 1);
    const auto extra_task = NewTask([] {});
    members.push_back(extra_task);
    Add(job, InvokeAll(ctx_, places, members));
    Add(extra, extra_task);
    if (!has_returned) return;
    Add({.kind = Kind::Returned, .deps = {returned}}, returner);
    returned_.Wait();
  }

  void AddDerived() {
    const int base = chance_(static_cast<int>(tasks_.size()));
    const Task<void> before = tasks_[static_cast<std::size_t>(base)];
    const WaitGraph::Vertex& of = graph_.At(base);
    WaitGraph::Vertex fresh{.deps = {base}, .home = Home::Manual, .can_be_served = of.can_be_served};
    const auto on_manual = Where(ctx_).On(manual_);
    switch (chance_(6)) {
      case 0:
        fresh.kind = Kind::Returned;
        return Add(fresh, Invoke(on_manual, [before] { return before; }));
      case 1:
        if (of.can_be_served) return;  // its next step would need the test to run it
        fresh.kind = Kind::Retried;
        return Add(fresh, Retry(on_manual, {}, [before] { return before; }));
      case 2:
        if (of.kind == Kind::Body || of.kind == Kind::Extra) return;  // it may not have been started
        fresh.kind = Kind::Timed;
        return Add(fresh, Timeout(on_manual, before, 1h));
      case 3:
        return AddQueued();
      default:
        if (of.can_be_served && of.home == Home::Manual) return;
        fresh.kind = Kind::Chain;
        fresh.home = of.home;
        fresh.owner = of.home == Home::Strand ? of.owner : -1;
        return Add(fresh, before.Then([] {}));
    }
  }

  void AddQueued() {
    const int body = at_strand_[static_cast<std::size_t>(chance_(static_cast<int>(at_strand_.size())))];
    const bool above = chance_(2) == 0;
    const Strand& strand = *(above ? upper_ : strands_)[static_cast<std::size_t>(body)];
    Add({.kind = above ? Kind::Above : Kind::Behind,
         .owner = body,
         .home = Home::Strand,
         .can_be_served = !above},
        Invoke(Where(ctx_).On(const_cast<Strand&>(strand)), [] {}));  // NOLINT
  }

  void Add(WaitGraph::Vertex vertex, Task<void> task) {
    (void)graph_.Add(std::move(vertex));
    tasks_.push_back(std::move(task));
  }

  void RunBody(int index) {
    Body& body = bodies_[index];
    started_.Open();
    body.go.Wait();
    std::vector<Task<void>> targets;
    for (const int target : body.targets) targets.push_back(tasks_[static_cast<std::size_t>(target)]);
    if (body.any) {
      const auto first = WaitAny(targets);
      if (!first) body.error = first.Failure();
    } else {
      body.error = WaitAll(targets);
    }
    targets.clear();
    body.has_left = true;
    end_.Wait();
  }

  bool Step(int index) {
    Body& body = bodies_[index];
    body.any = chance_(2) == 0;
    for (int count = (body.any ? 2 : 1) + chance_(2); count > 0; --count) {
      const int target = chance_(static_cast<int>(tasks_.size()));
      body.targets.push_back(graph_.MayTarget(target, index, body.any) ? target : chance_(kBodies));
    }
    const bool told = graph_.Wait(index, body.targets, body.any);
    const bool waits = !graph_.At(index).waits_for.empty();
    if (probe_has_run_) {
      probe_has_run_ = false;
      probes_.push_back(Invoke(ctx_, [this] {
        probe_has_run_ = true;
        end_.Wait();
      }));
    }
    const bool goes_on = !waits && (!body.any || told);  // perhaps when a worker has run what it needs
    body.go.Open();
    EXPECT_TRUE(Eventually([&] { return body.has_left || (!goes_on && probe_has_run_); }));
    steps_ += "  body " + std::to_string(index) + (body.any ? " any of" : " all of");
    for (const int target : body.targets) steps_ += ' ' + std::to_string(target);
    steps_ += told ? ", to be told" : ", not to be told";
    steps_ += waits ? ", waits" : ", goes on";
    steps_ +=
        body.has_left ? "; left: " + (body.error ? body.error.Message() : "no error") + '\n' : "; waits\n";
    if (!goes_on) return !body.has_left || !body.error.Is(Errc::WouldDeadlock);
    return body.has_left && told == body.error.Is(Errc::WouldDeadlock);
  }

  void End() {
    end_.Open();
    EXPECT_TRUE(Eventually([this] {
      (void)manual_.Advance(2h);  // a cycle through a timeout ends with it
      bool done = true;
      for (const auto& task : tasks_) done = done && task.IsDone();
      for (const auto& task : probes_) done = done && task.IsDone();
      return done;
    }));
    for (const auto& task : tasks_) (void)task.Wait();  // reads what a retry or a timeout failed with
  }

  Context ctx_;
  Chance& chance_;
  WaitGraph graph_;
  ManualExecutor manual_;
  Gate started_{kBodies};
  Gate returned_;
  Gate end_;
  std::atomic<bool> probe_has_run_{true};
  Body bodies_[kBodies];
  std::vector<std::unique_ptr<Strand>> strands_;
  std::vector<std::unique_ptr<Strand>> upper_;
  std::vector<int> at_strand_;
  std::string steps_;
  std::vector<Task<void>> tasks_;
  std::vector<Task<void>> probes_;
};

// K60, D23
TEST(WaitGraph, TellsExactlyTheWaitsThatCloseACycle) {
  const Watchdog watchdog(300s);
  const std::uint64_t seed = StressSeed();
  std::printf("ORCHESTRATE_STRESS_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Runtime runtime(kBodies);
  for (int i = 0; i < kGraphs; ++i) {
    Chance chance(seed, i);
    LiveGraph graph(runtime, chance);
    ASSERT_TRUE(graph.RunAll()) << "graph " << i << " of seed " << seed << ":\n" << graph.Describe();
  }
}

}  // namespace
}  // namespace orchestrate::test
