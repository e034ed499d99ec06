#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <test/base/run_threads.hpp>
#include <test/flow/random_program.hpp>
#include <test/flow/run_program.hpp>
#include <test/support/stress.hpp>

// Random programs of all verbs; each must yield what it may, and end.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

constexpr int kThreads = 3;
constexpr std::size_t kProgramsAThread = 4;
constexpr int kDepth = 3;

// What the program's context, which the test makes, may do to it.
enum class Fate : std::uint8_t { Undisturbed, Cancelled, Late };

struct Trial {
  Program program;
  Fate fate;
  std::chrono::microseconds patience;  // until its fate comes
};

[[nodiscard]] std::vector<Trial> MakeTrials(std::uint64_t seed, int stream) {
  Chance chance(seed, stream);
  std::vector<Trial> trials;
  for (std::size_t i = 0; i < kProgramsAThread; ++i) {
    Program program = MakeProgram(chance, kDepth, Place::Anywhere);
    trials.push_back({std::move(program), Fate{static_cast<std::uint8_t>(chance(3))},
                      std::chrono::microseconds(chance(1000))});
  }
  return trials;
}

[[nodiscard]] std::string Told(const Trial& trial) {
  static constexpr std::array<const char*, 3> kFates = {"undisturbed", "cancelled", "late"};
  return std::string(kFates[static_cast<std::size_t>(trial.fate)]) + ": " + ToString(trial.program);
}

// Aborts the test with all that runs when one round takes too long.
class RoundWatch {
 public:
  explicit RoundWatch(std::uint64_t seed) : seed_(seed), thread_([this] { Watch(); }) {}
  RoundWatch(const RoundWatch&) = delete;
  RoundWatch& operator=(const RoundWatch&) = delete;
  ~RoundWatch() {
    {
      const std::lock_guard lock(mutex_);
      left_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

  void Begin(int round, std::vector<std::vector<Trial>> trials) {
    const std::lock_guard lock(mutex_);
    round_ = round;
    trials_ = std::move(trials);
    changed_.notify_all();
  }

 private:
  static constexpr std::chrono::seconds kLongestRound{60};

  void Watch() {
    std::unique_lock lock(mutex_);
    while (!left_) {
      const int watched = round_;
      if (changed_.wait_for(lock, kLongestRound, [&] { return left_ || round_ != watched; })) continue;
      std::fprintf(stderr, "round %d does not end, ORCHESTRATE_STRESS_SEED=%llu\n", round_,
                   static_cast<unsigned long long>(seed_));
      for (const auto& thread : trials_)
        for (const Trial& trial : thread) std::fprintf(stderr, "  %s\n", Told(trial).c_str());
      std::abort();
    }
  }

  const std::uint64_t seed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool left_ = false;  // all under mutex_
  int round_ = -1;
  std::vector<std::vector<Trial>> trials_;
  std::thread thread_;  // last: it uses all of the above
};

// Starts all, sends them their fate, and looks what comes of them.
void RunTrials(World& world, const Context& background, const std::vector<Trial>& trials) {
  std::vector<Task<int>> tasks;
  std::vector<Context> contexts;
  for (const Trial& trial : trials) {
    contexts.push_back(trial.fate == Fate::Late ? background.WithTimeout(trial.patience)
                                                : background.WithCancel());
    tasks.push_back(Running(world, trial.program).Start(contexts.back()));
  }
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].fate != Fate::Cancelled) continue;
    const auto until = std::chrono::steady_clock::now() + trials[i].patience;
    while (std::chrono::steady_clock::now() < until) continue;  // a yield may last long
    contexts[i].Cancel();
  }
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (trials[i].program->number % 2 == 0) {
      EXPECT_TRUE(tasks[i].WaitFor(1h));
    }
    const auto outcome = tasks[i].Outcome();
    const Outcomes may = Possible(trials[i].program, trials[i].fate == Fate::Undisturbed ? 0 : kEnded);
    EXPECT_NE(OutcomeOf(outcome) & may, 0U)
        << Told(trials[i]) << "\nyields "
        << (outcome ? std::to_string(*outcome) : outcome.Failure().Message()) << ", possible is " << std::hex
        << may;
    EXPECT_TRUE(tasks[i].IsDone());
  }
}

using StressVerbs = Stress;
INSTANTIATE_TEST_SUITE_P(Over, StressVerbs, Widths(), WidthName);

TEST_P(StressVerbs, RandomProgramsYieldWhatTheyMayAndEnd) {
  RoundWatch watch(seed_);
  Runtime runtime(Silent(GetParam()));
  const Context background = runtime.Background();
  const LiveCounts before = CountLive();
  int round = 0;
  for (; InTime() && !HasFailure(); ++round) {
    World world(runtime);
    std::vector<std::vector<Trial>> trials;
    for (int thread = 0; thread < kThreads; ++thread)
      trials.push_back(MakeTrials(seed_, round * kThreads + thread));
    watch.Begin(round, trials);
    RunThreads(kThreads,
               [&](int thread) { RunTrials(world, background, trials[static_cast<std::size_t>(thread)]); });
    EXPECT_FALSE(runtime.Run());
    trials.clear();
    watch.Begin(round, {});
    const LiveCounts after = WaitForLive(before);
    EXPECT_LE(after.tasks, before.tasks) << "round " << round;
    EXPECT_LE(after.timers, before.timers) << "round " << round;
  }
  std::printf("%d rounds\n", round);
}

}  // namespace
}  // namespace orchestrate::test
