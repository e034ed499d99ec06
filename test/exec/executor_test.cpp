#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// Executors as a user writes them.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Runs work when told to, on the thread that tells.
class Loop final : public Executor {
 public:
  ~Loop() override { Detach(); }

  void Post(Work work) noexcept override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  [[nodiscard]] bool IsRunning() const noexcept override { return running_; }

  bool RunOne() {
    std::unique_lock lock(mutex_);
    if (queue_.empty()) return false;
    Work work = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    work();
    return true;
  }
  void RunAll() {
    while (RunOne()) {
    }
  }
  [[nodiscard]] std::size_t Size() {
    const std::lock_guard lock(mutex_);
    return queue_.size();
  }
  void Lose() {
    std::deque<Work> lost;
    const std::lock_guard lock(mutex_);
    lost.swap(queue_);
  }
  void Stop() { running_ = false; }

 private:
  std::mutex mutex_;
  std::deque<Work> queue_;  // under mutex_
  std::atomic<bool> running_{true};
};

// Has one thread.
class OneThread final : public Executor {
 public:
  OneThread() : thread_([this] { Main(); }) {}
  ~OneThread() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      changed_.notify_all();
    }
    thread_.join();
    Detach();
  }

  void Post(Work work) noexcept override {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_all();
  }
  [[nodiscard]] std::thread::id Id() const { return thread_.get_id(); }

 private:
  void Main() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Work work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> queue_;  // under mutex_
  bool stop_ = false;       // under mutex_
  std::thread thread_;
};

// Takes nothing.
class Refuser final : public Executor {
 public:
  ~Refuser() override { Detach(); }
  void Post(Work work) noexcept override { const Work dropped = std::move(work); }
};

TEST(Executor, HasDefaultsForAllButPost) {
  Loop loop;
  EXPECT_FALSE(loop.GetCapabilities().parallel);
  EXPECT_FALSE(loop.GetCapabilities().blocking);
  EXPECT_EQ(&loop.Timers(), &Runtime::Default().GetExecutor().Timers());
  EXPECT_EQ(&loop.Background().GetExecutor(), &loop);
  EXPECT_FALSE(loop.Background().IsDone());
}

TEST(Executor, RunsWhatItAcceptedInItsOwnOrder) {
  Loop loop;
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) (void)Invoke(loop.Background(), [&order, i] { order.push_back(i); });
  EXPECT_TRUE(order.empty()) << "never inside Post";
  loop.RunAll();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

// D34
TEST(Executor, IsInheritedByWhatItsTasksSpawn) {
  Loop loop;
  auto task = Invoke(loop.Background(), [](Context& own) {
    return Invoke(own, [](Context& inner) { return &inner.GetExecutor(); });
  });
  loop.RunAll();
  EXPECT_EQ(task.Get(), &loop);
}

// D29
TEST(Executor, RunsContinuationsAsWorkOfItsOwn) {
  Loop loop;
  auto first = Invoke(loop.Background(), [] { return 1; });
  auto second = first.Then([](int value) { return value + 1; });
  EXPECT_EQ(loop.Size(), 1U);
  EXPECT_TRUE(loop.RunOne());
  EXPECT_FALSE(second.IsDone()) << "not nested in its predecessor";
  EXPECT_EQ(loop.Size(), 1U);
  loop.RunAll();
  EXPECT_EQ(second.Get(), 2);
}

// D29
TEST(Executor, GetsContinuationsOfATaskThatEndsElsewhere) {
  Loop loop;
  OneThread other;
  Gate may_end;
  auto first = Invoke(other.Background(), [&may_end] {
    may_end.Wait();
    return std::this_thread::get_id();
  });
  auto second = After(loop.Background(), first,
                      [](std::thread::id before) { return before != std::this_thread::get_id(); });
  may_end.Open();
  EXPECT_TRUE(Eventually([&loop] { return loop.RunOne(); }));
  EXPECT_TRUE(second.Get());
  EXPECT_EQ(first.Get(), other.Id());
}

TEST(Executor, IsChosenForATaskOrForAContext) {
  Loop loop;
  Runtime runtime(1);
  auto named = Invoke(Where(runtime.Background()).On(loop), [] { return 1; });
  const auto moved = runtime.Background().WithExecutor(loop);
  auto inherited = Invoke(moved, [] { return 2; });
  EXPECT_EQ(loop.Size(), 2U);
  loop.RunAll();
  EXPECT_EQ(named.Get() + inherited.Get(), 3);
}

// D4
TEST(Executor, TellsTheEndOfAContextAsItsOwnWork) {
  Loop loop;
  const auto context = loop.Background().WithCancel();
  bool called = false;
  const auto call = context.OnDone([&called] { called = true; });
  EXPECT_TRUE(context.Cancel());
  EXPECT_FALSE(called) << "never inside Cancel";
  loop.RunAll();
  EXPECT_TRUE(called);
}

// D2
TEST(Executor, SkipsATaskThatWasCancelledMeanwhile) {
  Loop loop;
  bool ran = false;
  auto task = Invoke(loop.Background(), [&ran] { ran = true; });
  EXPECT_TRUE(task.Cancel());
  EXPECT_TRUE(task.IsDone());
  EXPECT_EQ(loop.Size(), 1U) << "its entry stays";
  loop.RunAll();
  EXPECT_FALSE(ran);
}

// ---- what it does not run ----

// D10
TEST(Executor, LosesNoTask) {
  Loop loop;
  auto task = Invoke(loop.Background(), [] { return 1; });
  auto next = task.Then([](int value) { return value; });
  loop.Lose();
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_TRUE(task.Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(next.Wait().Is(Errc::ShutDown));
}

// D10
TEST(Executor, MayRefuseEverything) {
  Refuser refuser;
  auto task = Invoke(refuser.Background(), [] { return 1; });
  EXPECT_TRUE(task.Wait().Is(Errc::ShutDown));
  auto created = NewTask([] { return 1; });
  EXPECT_TRUE(created.Run(refuser.Background()).Wait().Is(Errc::ShutDown));
  auto after = After(refuser.Background(), Completed(1), [](int value) { return value; });
  EXPECT_TRUE(after.Wait().Is(Errc::ShutDown));
}

// D19
TEST(Executor, ThatDoesNotRunIsNotAsked) {
  Loop loop;
  loop.Stop();
  EXPECT_TRUE(Invoke(loop.Background(), [] {}).Wait().Is(Errc::ShutDown));
  EXPECT_EQ(loop.Size(), 0U);
}

// D19
TEST(Executor, LeavesAContextBehindThatRefuses) {
  Task<int> queued;
  const auto kept = [&queued] {
    Loop loop;
    queued = Invoke(loop.Background(), [] { return 1; });
    return loop.Background();
  }();
  EXPECT_TRUE(queued.Wait().Is(Errc::ShutDown)) << queued.Wait().Message();
  EXPECT_TRUE(Invoke(kept, [] {}).Wait().Is(Errc::ShutDown));
  EXPECT_TRUE(NewTask([] {}).Run(kept).Wait().Is(Errc::ShutDown));
  EXPECT_FALSE(kept.GetExecutor().IsRunning());
}

TEST(Executor, MayUseTheContextForWhichItsTimersAreAsked) {
  class Curious final : public Executor {
   public:
    ~Curious() override { Detach(); }
    void Post(Work work) noexcept override { const Work dropped = std::move(work); }
    [[nodiscard]] TimePoint Now() noexcept override { return Clock::now(); }
    [[nodiscard]] TimerService& Timers() noexcept override {
      if (const Context* context = std::exchange(asks, nullptr)) {
        own = context->OnDone([] {});
        is_done = context->WithCancel().StopToken().stop_requested();
      }
      return Executor::Timers();
    }
    const Context* asks = nullptr;
    Registration own;
    bool is_done = true;
  } curious;
  const Watchdog watchdog;
  const Context context = curious.Background().WithTimeout(1h);
  curious.asks = &context;
  const Registration registration = context.OnDone([] {});
  EXPECT_EQ(curious.asks, nullptr) << "the timers were asked for";
  EXPECT_FALSE(curious.is_done);
  EXPECT_TRUE(context.Cancel());
}

TEST(Work, RunsOnceHoweverOftenItIsCalled) {
  class Keeper final : public Executor {
   public:
    ~Keeper() override { Detach(); }
    void Post(Work work) noexcept override { works.push_back(std::move(work)); }
    std::vector<Work> works;
  } keeper;
  int ran = 0;
  auto task = Invoke(keeper.Background(), [&ran] { ++ran; });
  ASSERT_EQ(keeper.works.size(), 1U);
  Work moved = std::move(keeper.works[0]);
  keeper.works.clear();
  EXPECT_FALSE(task.IsDone()) << "what was moved from refuses nothing";
  moved();
  moved();
  EXPECT_EQ(ran, 1);
  EXPECT_FALSE(task.Wait());
}

// ---- waits ----

class ExecutorBesideWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ExecutorBesideWorkers, Widths(), WidthName);

// D23
TEST_P(ExecutorBesideWorkers, AWorkerThatWaitsForItsTaskGivesItselfAway) {
  Loop loop;
  auto foreign = Invoke(loop.Background(), [] { return 1; });
  std::vector<Task<int>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back(Invoke(ctx_, [foreign] { return foreign.Get(); }));
  auto runs_it = Invoke(ctx_, [&loop] { loop.RunAll(); });
  for (const auto& task : waiting) EXPECT_EQ(task.Get(), 1);
  EXPECT_FALSE(runs_it.Wait());
}

// D23
TEST_P(ExecutorBesideWorkers, ItsThreadWaitsForTasksOfTheRuntime) {
  OneThread executor;
  auto task = Invoke(executor.Background(), [this] { return Invoke(ctx_, [] { return 1; }).Get(); });
  EXPECT_EQ(task.Get(), 1);
}

// D23
TEST(Executor, AWaitForWhatIsQueuedBehindItWouldDeadlock) {
  const Watchdog watchdog;
  Loop loop;
  Error error;
  (void)Invoke(loop.Background(), [&error](Context& own) { error = Invoke(own, [] {}).Wait(); });
  loop.RunAll();
  EXPECT_TRUE(error.Is(Errc::WouldDeadlock)) << error.Message();
}

TEST_P(ExecutorBesideWorkers, TasksHopBetweenThemByContinuations) {
  OneThread executor;
  std::vector<Task<int>> chains;
  for (int chain = 0; chain < 20; ++chain) {
    auto last = Completed(0);
    for (int hop = 0; hop < 20; ++hop) {
      const Context where = hop % 2 == 0 ? ctx_ : executor.Background();
      last = After(where, last, [](int value) { return value + 1; });
    }
    chains.push_back(last);
  }
  for (const auto& chain : chains) EXPECT_EQ(chain.Get(), 20);
}

TEST_P(ExecutorBesideWorkers, ManyThreadsPostToIt) {
  OneThread executor;
  int sum = 0;  // without a lock: only the executor's thread is inside
  RunThreads(4, [&](int) {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 200; ++i) tasks.push_back(Invoke(executor.Background(), [&sum] { ++sum; }));
    for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  });
  EXPECT_EQ(Invoke(executor.Background(), [&sum] { return sum; }).Get(), 800);
}

}  // namespace
}  // namespace orchestrate::test
