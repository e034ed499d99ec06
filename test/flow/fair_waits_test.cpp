#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>
#include <test/support/with_runtime.hpp>

// A thread that runs what it waits for does not keep other work from its turn for ever.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

void Spin(Nanoseconds time) {
  for (const auto end = Clock::now() + time; Clock::now() < end;) {
  }
}

// Runs one piece of work at a time on an executor of which the library does not know.
class Serial final : public Executor {
 public:
  explicit Serial(Executor& base) : strand_(base) {}
  ~Serial() override { Detach(); }
  void Post(Work work) noexcept override { strand_.Post(std::move(work)); }
  [[nodiscard]] Capabilities GetCapabilities() const noexcept override {
    return {.parallel = false, .blocking = true};
  }

 private:
  Strand strand_;
};

class FairWaits : public WithRuntime {
 protected:
  // Says whether a task from outside begins while all workers are busy with what `stop_` ends.
  [[nodiscard]] bool PostedTaskBegins() {
    const auto posted = Invoke(ctx_, [this] { stop_ = true; });
    const bool begins = posted.WaitFor(kPatience);  // which runs nothing itself
    stop_ = true;
    return begins;
  }

  // The same while as many bodies as there are workers run what they wait for, the `i`th of them on
  // `executor(i)`.
  template <class ExecutorOf>
  [[nodiscard]] bool LoopsLetInWhatIsPosted(ExecutorOf executor) {
    Gate begun(static_cast<int>(GetParam()));
    std::vector<Task<void>> loops;
    for (std::size_t i = 0; i < GetParam(); ++i) {
      loops.push_back(Invoke(Where(ctx_).On(executor(i)), [&](Context& c) {
        begun.Open();
        while (!stop_) Invoke(c, [] {}).Get();
      }));
    }
    begun.Wait();
    const bool begins = PostedTaskBegins();
    EXPECT_FALSE(WaitAll(loops));
    return begins;
  }

  // Says whether on each worker a task begins that a body there has spawned and not waited for.
  [[nodiscard]] bool LoopsLetInWhatTheyHaveSpawned() {
    std::vector<Task<bool>> loops;
    for (std::size_t i = 0; i < GetParam(); ++i) {
      loops.push_back(Invoke(ctx_, [](Context& c) {
        const auto spawned = Invoke(c, [] {});
        const auto give_up = Clock::now() + kPatience;
        while (!spawned.IsDone() && Clock::now() < give_up) Invoke(c, [] {}).Get();
        return spawned.IsDone();
      }));
    }
    bool all = true;
    for (const auto& loop : loops) {
      (void)loop.WaitFor(2 * kPatience);  // which runs nothing itself
      all = loop.Get() && all;
    }
    return all;
  }

  // Tasks until the end; on the thread of the waiter nothing else would ever have its turn.
  [[nodiscard]] Error ConsumeUntilStopped(const Context& ctx) {
    const Job job = Consume(ctx, 1, [this]() -> std::optional<Task<void>> {
      if (stop_) return std::nullopt;
      return NewTask([this] { taken_ = true; });
    });
    return job.Wait();
  }

  // Milliseconds of work for as long as a test has patience.
  void WaitForALongBatch(const Context& ctx, int count) {
    constexpr std::size_t kTasks = kPatience / 1ms;
    std::vector<Task<void>> batch;
    while (batch.size() < kTasks) {
      batch.push_back(NewTask([this] {
        taken_ = true;
        Spin(stop_ ? 0ms : 1ms);
      }));
    }
    EXPECT_FALSE(InvokeAll(ctx, count, batch).Wait());
    EXPECT_TRUE(stop_) << "it began behind the whole batch";
  }

  std::atomic<bool> stop_{false};
  std::atomic<bool> taken_{false};
};

INSTANTIATE_TEST_SUITE_P(Widths, FairWaits, Widths(), WidthName);

// K61
TEST_P(FairWaits, InsideTasksLetInWhatComesFromOutside) {
  EXPECT_TRUE(LoopsLetInWhatIsPosted([this](std::size_t) -> Executor& { return runtime_.GetExecutor(); }));
}

// K61: what a strand runs among its own tasks keeps the rest of its runtime waiting no longer.
TEST_P(FairWaits, OnStrandsLetInWhatComesFromOutside) {
  std::vector<std::unique_ptr<Strand>> strands;
  for (std::size_t i = 0; i < GetParam(); ++i)
    strands.push_back(std::make_unique<Strand>(runtime_.GetExecutor()));
  EXPECT_TRUE(LoopsLetInWhatIsPosted([&strands](std::size_t i) -> Executor& { return *strands[i]; }));
}

// K61
TEST_P(FairWaits, OnSerialExecutorsLetInWhatComesFromOutside) {
  std::vector<std::unique_ptr<Serial>> serials;
  for (std::size_t i = 0; i < GetParam(); ++i)
    serials.push_back(std::make_unique<Serial>(runtime_.GetExecutor()));
  EXPECT_TRUE(LoopsLetInWhatIsPosted([&serials](std::size_t i) -> Executor& { return *serials[i]; }));
}

// K61: a member of a batch that runs those behind it, which have no admission of their own.
TEST_P(FairWaits, InBatchesLetInWhatComesFromOutside) {
  constexpr std::size_t kTasks = kPatience / 1ms;
  Gate begun(static_cast<int>(GetParam()));
  std::vector<std::vector<Task<void>>> batches(GetParam());
  std::vector<Job> jobs;
  for (auto& batch : batches) {
    batch.push_back(NewTask([&] {
      begun.Open();
      for (std::size_t i = 1; i < kTasks && !stop_; ++i) batch[i].Get();
      EXPECT_TRUE(stop_) << "the batch was too short";
    }));
    while (batch.size() < kTasks) batch.push_back(NewTask([this] { Spin(stop_ ? 0ms : 1ms); }));
    jobs.push_back(InvokeAll(ctx_, 1, batch));
  }
  begun.Wait();
  EXPECT_TRUE(PostedTaskBegins());
  for (const Job& job : jobs) EXPECT_FALSE(job.Wait());
}

// K61
TEST_P(FairWaits, InsideTasksLetInWhatTheyHaveSpawned) { EXPECT_TRUE(LoopsLetInWhatTheyHaveSpawned()); }

// K61: also while more bodies are blocked than there are workers.
TEST_P(FairWaits, InsideTasksBesideBlockedOnesLetInWhatTheyHaveSpawned) {
  Promise<void> promise;
  std::vector<Task<void>> blocked;
  Gate begun(static_cast<int>(GetParam()) + 1);
  for (std::size_t i = 0; i <= GetParam(); ++i) {
    blocked.push_back(Invoke(ctx_, [&begun, task = promise.Task()] {
      begun.Open();
      return task.Wait();
    }));
  }
  begun.Wait();
  EXPECT_TRUE(LoopsLetInWhatTheyHaveSpawned());
  promise.TrySet();
  EXPECT_FALSE(WaitAll(blocked));
}

// K61: more of them than workers.
TEST_P(FairWaits, InsideTasksTakeTurns) {
  const std::size_t many = 2 * GetParam();
  std::atomic<std::size_t> begun{0};
  const auto give_up = Clock::now() + kPatience;
  std::vector<Task<void>> loops;
  for (std::size_t i = 0; i < many; ++i) {
    loops.push_back(Invoke(ctx_, [&begun, give_up, many](Context& c) {
      ++begun;
      while (begun < many && Clock::now() < give_up) Invoke(c, [] {}).Get();
    }));
  }
  for (const auto& loop : loops) (void)loop.WaitFor(2 * kPatience);
  EXPECT_EQ(begun, many);
}

// K61
TEST_P(FairWaits, FromOutsideLetInWhatIsPosted) {
  std::vector<std::thread> threads;
  Gate begun(static_cast<int>(GetParam()));
  for (std::size_t i = 0; i < GetParam(); ++i) {
    threads.emplace_back([&] {
      begun.Open();
      while (!stop_) Invoke(ctx_, [] {}).Get();
    });
  }
  begun.Wait();
  EXPECT_TRUE(PostedTaskBegins());
  for (auto& thread : threads) thread.join();
}

// K61
TEST_P(FairWaits, ForAJobFromOutsideLetInWhatIsPosted) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < GetParam(); ++i)
    threads.emplace_back([this] { EXPECT_FALSE(ConsumeUntilStopped(ctx_)); });
  EXPECT_TRUE(Eventually([this] { return taken_.load(); }));
  EXPECT_TRUE(PostedTaskBegins());
  for (auto& thread : threads) thread.join();
}

// K61
TEST_P(FairWaits, ForAJobInsideTasksLetInWhatIsPosted) {
  std::vector<Task<void>> waits;
  for (std::size_t i = 0; i < GetParam(); ++i)
    waits.push_back(Invoke(ctx_, [this](Context& c) { EXPECT_FALSE(ConsumeUntilStopped(c)); }));
  EXPECT_TRUE(Eventually([this] { return taken_.load(); }));
  EXPECT_TRUE(PostedTaskBegins());
  EXPECT_FALSE(WaitAll(waits));
}

// K61: with a limit, and without one.
TEST_P(FairWaits, ForABatchFromOutsideLetInWhatIsPosted) {
  for (const int count : {1, 0}) {
    stop_ = taken_ = false;
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < GetParam(); ++i)
      threads.emplace_back([this, count] { WaitForALongBatch(ctx_, count); });
    EXPECT_TRUE(Eventually([this] { return taken_.load(); }));
    EXPECT_TRUE(PostedTaskBegins());
    for (auto& thread : threads) thread.join();
  }
}

// K61: with a limit, and without one.
TEST_P(FairWaits, ForABatchInsideTasksLetInWhatIsPosted) {
  for (const int count : {1, 0}) {
    stop_ = taken_ = false;
    std::vector<Task<void>> waits;
    for (std::size_t i = 0; i < GetParam(); ++i)
      waits.push_back(Invoke(ctx_, [this, count](Context& c) { WaitForALongBatch(c, count); }));
    EXPECT_TRUE(Eventually([this] { return taken_.load(); }));
    EXPECT_TRUE(PostedTaskBegins());
    EXPECT_FALSE(WaitAll(waits));
  }
}

// Where a claim is refused the wait blocks, which must not fail for want of a spare worker.
TEST(FairWaitsWithoutSpareWorkers, StillRunWhatTheyWaitFor) {
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const auto ctx = runtime.Background();
  const auto loop = Invoke(ctx, [](Context& c) {
    const auto other = Invoke(c, [] {});
    const auto end = Clock::now() + 20ms;  // slices enough for the rule to look
    while (Clock::now() < end) {
      if (Error error = Invoke(c, [] {}).Wait()) return error;
    }
    return Error();
  });
  EXPECT_FALSE(loop.Wait());
}

// K61: true when the numbers came out as they should, while `load(context, stop)` keeps as many threads busy
// as there are workers.
template <class Load>
bool KeepsBeats(std::size_t workers, Load load) {
  constexpr int kBeats = 40;
  Runtime runtime{RuntimeOptions(workers)};
  const auto ctx = runtime.Background();
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < workers; ++i) callers.emplace_back([&] { load(ctx, stop); });
  const Job beats = Repeat(ctx, 10ms, [] {});
  (void)Sleep(100ms).Wait();  // until all are at it
  const auto before = beats.Runs();
  const auto begin = Clock::now();
  const auto posted = Invoke(ctx, [] { return Clock::now(); });
  (void)Sleep(kBeats * 10ms).Wait();
  const auto counted = beats.Runs() - before;
  const auto took = Clock::now() - begin;
  EXPECT_TRUE(posted.WaitFor(kPatience));
  stop = true;
  for (auto& caller : callers) caller.join();
  beats.Cancel();
  (void)beats.Wait();
  EXPECT_LE(counted, static_cast<std::size_t>(took / 10ms) + 1);
  return counted >= kBeats * 95 / 100 && posted.Get() - begin <= 10ms;
}

// What each of the threads does again and again.
void WaitForOne(const Context& ctx, const std::atomic<bool>& stop) {
  while (!stop) Invoke(ctx, [] { Spin(1ms); }).Get();
}

std::vector<Task<void>> LongBatch(const std::atomic<bool>& stop) {
  constexpr std::size_t kTasks = 2000;  // of a millisecond each
  std::vector<Task<void>> batch;
  while (batch.size() < kTasks) batch.push_back(NewTask([&stop] { Spin(stop ? 0ms : 1ms); }));
  return batch;
}

template <int Count>  // 0: all at once
void WaitForABatch(const Context& ctx, const std::atomic<bool>& stop) {
  while (!stop) EXPECT_FALSE(InvokeAll(ctx, Count, LongBatch(stop)).Wait());
}

void WaitForAConsumer(const Context& ctx, const std::atomic<bool>& stop) {
  const Job job = Consume(ctx, 1, [&stop]() -> std::optional<Task<void>> {
    if (stop) return std::nullopt;
    return NewTask([] { Spin(1ms); });
  });
  EXPECT_FALSE(job.Wait());
}

// The same in a task, for which the thread waits without running it.
template <class Load>
auto Inside(Load load) {
  return [load](const Context& ctx, const std::atomic<bool>& stop) {
    const auto body = Invoke(ctx, [load, &stop](Context& own) { load(own, stop); });
    EXPECT_TRUE(body.WaitFor(2 * kPatience));
  };
}

bool HasOneCpu() {
  cpu_set_t cpus;
  return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 && CPU_COUNT(&cpus) == 1;
}

// K61
TEST(RealFairWaits, FromOutsideKeepBeats) {
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, WaitForOne); }));
}

// K61
TEST(RealFairWaits, InsideTasksKeepBeats) {
  if (HasOneCpu()) GTEST_SKIP() << "two that spin on one processor are late by the system's turns";
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, Inside(WaitForOne)); }));
}

// K61
TEST(RealFairWaits, ForBatchesKeepBeats) {
  if (HasOneCpu()) GTEST_SKIP() << "two that spin on one processor are late by the system's turns";
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, WaitForABatch<1>); }));
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, Inside(WaitForABatch<1>)); }));
}

// K61
TEST(RealFairWaits, ForBatchesWithoutALimitKeepBeats) {
  if (HasOneCpu()) GTEST_SKIP() << "two that spin on one processor are late by the system's turns";
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, WaitForABatch<0>); }));
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, Inside(WaitForABatch<0>)); }));
}

// K61
TEST(RealFairWaits, ForConsumersKeepBeats) {
  if (HasOneCpu()) GTEST_SKIP() << "two that spin on one processor are late by the system's turns";
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, WaitForAConsumer); }));
  EXPECT_TRUE(InTimeOnce([] { return KeepsBeats(2, Inside(WaitForAConsumer)); }));
}

}  // namespace
}  // namespace orchestrate::test
