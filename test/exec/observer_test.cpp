#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// Notes what it is told of each task, in order.
class Diary final : public Observer {
 public:
  void TaskSpawned(std::uint64_t id, std::string_view name) noexcept override {
    const std::lock_guard lock(mutex_);
    events_[id].emplace_back("spawned");
    names_[id] = name;
  }
  void TaskStarted(std::uint64_t id, std::chrono::nanoseconds queued) noexcept override {
    if (queued < 0ns) negative_ = true;
    const std::lock_guard lock(mutex_);
    events_[id].emplace_back("started");
  }
  void TaskEnded(std::uint64_t id, std::chrono::nanoseconds ran) noexcept override {
    if (ran < 0ns) negative_ = true;
    const std::lock_guard lock(mutex_);
    events_[id].emplace_back("ended");
    ran_[id] = ran;
  }
  void WorkerBlocked() noexcept override { ++blocked; }
  void WorkerResumed() noexcept override { ++resumed; }

  [[nodiscard]] std::vector<std::string> Of(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return events_[id];
  }
  [[nodiscard]] std::string Name(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return names_[id];
  }
  [[nodiscard]] std::chrono::nanoseconds Ran(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return ran_[id];
  }
  [[nodiscard]] std::map<std::uint64_t, std::vector<std::string>> All() {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  [[nodiscard]] bool ToldANegativeTime() const { return negative_; }

  std::atomic<int> blocked{0};
  std::atomic<int> resumed{0};

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::vector<std::string>> events_;
  std::map<std::uint64_t, std::string> names_;
  std::map<std::uint64_t, std::chrono::nanoseconds> ran_;
  std::atomic<bool> negative_{false};
};

class HasDiary {
 protected:
  Diary diary_;
};

class ObserverOnWorkers : protected HasDiary, public WithRuntime {
 protected:
  ObserverOnWorkers() : WithRuntime(Watched(RuntimeOptions(GetParam()))) {}
  void TearDown() override {
    WithRuntime::TearDown();
    EXPECT_FALSE(diary_.ToldANegativeTime());
    EXPECT_EQ(diary_.blocked, diary_.resumed);
  }

 private:
  RuntimeOptions Watched(RuntimeOptions options) {
    options.observer = &diary_;
    return options;
  }
};
INSTANTIATE_TEST_SUITE_P(Over, ObserverOnWorkers, Widths(), WidthName);

TEST_P(ObserverOnWorkers, SeesATaskSpawnedStartedAndEndedOnce) {
  auto task = Invoke(Where(ctx_).Named("digest"), [] { return 1; });
  EXPECT_EQ(task.Get(), 1);
  EXPECT_THAT(diary_.Of(task.Id()), ElementsAre("spawned", "started", "ended"));
  EXPECT_EQ(diary_.Name(task.Id()), "digest");
  EXPECT_EQ(diary_.Ran(task.Id()), task.Duration());
}

TEST_P(ObserverOnWorkers, SeesTheEndBeforeWhoeverWaitsForIt) {
  for (int i = 0; i < 200; ++i) {
    auto task = Invoke(ctx_, [] {});
    EXPECT_FALSE(task.Wait());
    ASSERT_EQ(diary_.Of(task.Id()).size(), 3U);
  }
}

TEST_P(ObserverOnWorkers, SeesTheTasksOfAStrand) {
  Strand strand(runtime_.GetExecutor());
  auto named = Invoke(Where(ctx_).On(strand), [] {});
  auto below = Invoke(strand.Background(), [] {});
  EXPECT_FALSE(WaitAll(named, below));
  EXPECT_THAT(diary_.Of(named.Id()), ElementsAre("spawned", "started", "ended"));
  EXPECT_THAT(diary_.Of(below.Id()), ElementsAre("spawned", "started", "ended"));
}

TEST_P(ObserverOnWorkers, SeesNothingOfATaskThatNobodyStarted) {
  auto task = NewTask([] {});
  const auto id = task.Id();
  task = {};
  EXPECT_THAT(diary_.Of(id), ElementsAre());
}

TEST_P(ObserverOnWorkers, SeesATaskThatIsStartedManyTimesOnce) {
  auto task = NewTask([] {});
  RunThreads(4, [&](int) {
    for (int i = 0; i < 10; ++i) task.Run(Where(ctx_).Named("again"));
  });
  EXPECT_FALSE(task.Wait());
  EXPECT_THAT(diary_.Of(task.Id()), ElementsAre("spawned", "started", "ended"));
}

TEST_P(ObserverOnWorkers, SeesAFailedTaskEnd) {
  auto task = Invoke(ctx_, [] { throw 42; });
  EXPECT_TRUE(task.Wait());
  EXPECT_THAT(diary_.Of(task.Id()), ElementsAre("spawned", "started", "ended"));
}

// D2
TEST_P(ObserverOnWorkers, SeesATaskThatWasCancelledUnrunEndWithoutAStart) {
  Gate all_run(static_cast<int>(GetParam()));
  Gate leave;
  std::vector<Task<void>> busy;
  for (std::size_t i = 0; i < GetParam(); ++i) {
    busy.push_back(Invoke(ctx_, [&] {
      all_run.Open();
      leave.Wait();
    }));
  }
  all_run.Wait();
  auto task = Invoke(ctx_, [] {});
  EXPECT_TRUE(task.Cancel());
  EXPECT_THAT(diary_.Of(task.Id()), ElementsAre("spawned", "ended"));
  EXPECT_EQ(diary_.Ran(task.Id()), 0ns);
  leave.Open();
  EXPECT_FALSE(runtime_.Run());
  EXPECT_THAT(diary_.Of(task.Id()), ElementsAre("spawned", "ended"));
}

// D6
TEST_P(ObserverOnWorkers, SeesATaskUnderAnEndedContextEndWithoutAStart) {
  const auto ended = ctx_.WithTimeout(0s);
  auto task = Invoke(ended, [] {});
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_THAT(diary_.Of(task.Id()), ElementsAre("spawned", "ended"));
  EXPECT_EQ(diary_.Ran(task.Id()), 0ns);
}

TEST_P(ObserverOnWorkers, SeesContinuationsAndNestedTasks) {
  auto first = Invoke(ctx_, [](Context& own) { return Invoke(own, [] { return 1; }).Id(); });
  auto second = first.Then([](std::uint64_t id) { return id; });
  const auto nested = second.Get();
  for (const auto id : {first.Id(), second.Id(), nested})
    EXPECT_TRUE(Eventually([&] { return diary_.Of(id).size() == 3; })) << diary_.Of(id).size();
}

TEST_P(ObserverOnWorkers, SeesAWorkerBlockedAndResumedAroundAWait) {
  Promise<void> promise;
  auto task = Invoke(ctx_, [waited = promise.Task()] { return waited.Wait(); });
  EXPECT_TRUE(Eventually([this] { return diary_.blocked == 1; }));
  EXPECT_EQ(diary_.resumed, 0);
  promise.TrySet();
  EXPECT_FALSE(task.Wait());
  EXPECT_EQ(diary_.resumed, 1);
}

TEST_P(ObserverOnWorkers, SeesNoBlockWhenTheWaiterRunsTheTaskItself) {
  auto task = Invoke(ctx_, [](Context& own) { return Invoke(own, [] { return 1; }).Get(); });
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(task.Get(), 1);
  if (GetParam() == 1) {
    EXPECT_EQ(diary_.blocked, 0) << "nobody else could have been faster";
  }
}

TEST_P(ObserverOnWorkers, SeesEveryTaskOfManyThreads) {
  RunThreads(4, [this](int thread) {
    for (int i = 0; i < 200; ++i) {
      auto task = Invoke(ctx_, [] {});
      if (i % 4 == thread) task.Cancel();
    }
  });
  EXPECT_FALSE(runtime_.Run());
  const auto all = diary_.All();
  EXPECT_EQ(all.size(), 800U);
  for (const auto& [id, events] : all) {
    EXPECT_EQ(events.front(), "spawned");
    EXPECT_EQ(events.back(), "ended");
    EXPECT_LE(events.size(), 3U);
  }
}

// D19
TEST_P(ObserverOnWorkers, SeesWhatShutdownCancels) {
  Gate all_run(static_cast<int>(GetParam()));
  Gate leave;
  for (std::size_t i = 0; i < GetParam(); ++i) {
    (void)Invoke(ctx_, [&] {
      all_run.Open();
      leave.Wait();
    });
  }
  all_run.Wait();
  auto queued = Invoke(ctx_, [] {});
  (void)runtime_.Shutdown(ShutdownMode::Cancel, 0ns);
  EXPECT_THAT(diary_.Of(queued.Id()), ElementsAre("spawned", "ended"));
  leave.Open();
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 20s).Value(), 0U);
}

// D19
TEST(Observer, MayGoWithItsRuntime) {
  Promise<int> promise;
  Task<int> later;
  {
    const auto diary = std::make_unique<Diary>();
    RuntimeOptions options(2);
    options.observer = diary.get();
    Runtime runtime(std::move(options));
    later = After(runtime.Background(), promise.Task(), [](int value) { return value; });
  }
  promise.TrySet(1);
  EXPECT_TRUE(later.Wait());
}

// Stays inside the first TaskEnded() until it is let go.
class SlowObserver final : public Observer {
 public:
  void TaskEnded(std::uint64_t /*id*/, std::chrono::nanoseconds /*ran*/) noexcept override {
    if (inside.IsOpen()) return;
    inside.Open();
    leave.Wait();
    left = true;
  }
  Gate inside;
  Gate leave;
  std::atomic<bool> left{false};
};

// D19
TEST(Observer, IsWaitedForByTheDestructorOfItsRuntime) {
  SlowObserver observer;
  RuntimeOptions options(1);
  options.observer = &observer;
  auto runtime = std::make_unique<Runtime>(std::move(options));
  const auto ctx = runtime->Background();
  Gate body;
  const auto busy = Invoke(ctx, [&body] { body.Wait(); });
  const auto queued = Invoke(ctx, [] {});
  std::thread cancels([&queued] { queued.Cancel(); });  // on a thread that the runtime does not know
  observer.inside.Wait();
  std::atomic<bool> gone{false};
  std::thread destroys([&] {
    runtime.reset();
    EXPECT_TRUE(observer.left);
    gone = true;
  });
  EXPECT_TRUE(Eventually([&ctx] { return ctx.IsDone(); }));
  body.Open();
  // Time enough to return too early.
  for (const auto end = Clock::now() + 50ms; !gone && Clock::now() < end;) std::this_thread::yield();
  observer.leave.Open();
  destroys.join();
  cancels.join();
}

// D19
TEST(Observer, HearsNothingOfBodiesThatOutlastTheirRuntime) {
  ReportLog reports;  // of the body that is left
  std::atomic<int> calls{0};
  struct Counting final : Observer {
    explicit Counting(std::atomic<int>& target) : count(&target) {}
    void TaskEnded(std::uint64_t /*id*/, std::chrono::nanoseconds /*ran*/) noexcept override { ++*count; }
    std::atomic<int>* count;
  };
  Gate started;
  Gate body;
  Task<void> task;
  {
    Counting observer(calls);
    RuntimeOptions options(1);
    options.observer = &observer;
    options.on_report = reports.Sink();
    options.grace = 0ms;
    Runtime runtime(std::move(options));
    task = Invoke(runtime.Background(), [&] {
      started.Open();
      body.Wait();
    });
    started.Wait();
  }
  EXPECT_EQ(reports.Take().size(), 1U);
  body.Open();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(calls, 0);
}

TEST(Observer, OfOneRuntimeSeesNothingOfAnother) {
  Diary diary;
  RuntimeOptions options(1);
  options.observer = &diary;
  Runtime watched(std::move(options));
  Runtime other(1);
  EXPECT_FALSE(Invoke(other.Background(), [] {}).Wait());
  EXPECT_TRUE(diary.All().empty());
}

}  // namespace
}  // namespace orchestrate::test
