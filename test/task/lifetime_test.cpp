#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// Who keeps what alive, and what handles do when what they refer to has gone.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class LifetimeOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, LifetimeOnWorkers, Widths(), WidthName);

// D10
TEST_P(LifetimeOnWorkers, ATaskDroppedUnrunCancelsWhatWaitsForIt) {
  auto first = NewTask([] { return 1; });
  auto second = first.Then([](int value) { return value; });
  auto third = ContinueWith(ctx_, first,
                            [](const Result<int>& result) { return result.Failure().Is(Errc::Cancelled); });
  first = {};
  EXPECT_TRUE(second.Outcome().Failure().Is(Errc::Cancelled));
  EXPECT_EQ(second.State(), TaskState::Cancelled);
  EXPECT_TRUE(third.Get());
}

// D10
TEST_P(LifetimeOnWorkers, AWaiterIsToldWhenItsHandleHasBecomeTheOnlyOne) {
  for (int round = 0; round < 50; ++round) {
    auto task = NewTask([] { return 1; });
    std::thread waiter([mine = task] {
      const Error error = mine.Wait();
      EXPECT_TRUE(error.Is(Errc::NotStarted)) << error.Message();
    });
    if (round % 2 == 0) std::this_thread::yield();
    task = {};
    waiter.join();
  }
}

// D10
TEST(Lifetime, WaitOnTheOnlyHandleOfACreatedTaskIsNotStarted) {
  auto task = NewTask([] { return 1; });
  EXPECT_TRUE(task.Wait().Is(Errc::NotStarted));
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::NotStarted));
  EXPECT_FALSE(task.WaitFor(1h));
  EXPECT_EQ(task.State(), TaskState::Created);
  EXPECT_EQ(task.Run().Get(), 1) << "and it can still be run";
}

// D28
TEST_P(LifetimeOnWorkers, TheCallableIsDestroyedOnceBeforeTheTaskShowsItsEnd) {
  struct Probe {
    std::shared_ptr<int> token;
    int operator()() const { return *token; }
  };
  auto token = std::make_shared<int>(7);
  std::weak_ptr<int> watch = token;
  auto task = Invoke(ctx_, Probe{std::move(token)});
  EXPECT_EQ(task.Get(), 7);
  EXPECT_TRUE(watch.expired()) << "the callable lives although its work has ended";
}

// D28
TEST_P(LifetimeOnWorkers, TheCallableOfACancelledTaskIsDestroyedAtOnce) {
  auto token = std::make_shared<int>(7);
  std::weak_ptr<int> watch = token;
  auto task = NewTask([held = std::move(token)] { return *held; });
  EXPECT_TRUE(task.Cancel());
  EXPECT_TRUE(watch.expired());
}

// D28
TEST_P(LifetimeOnWorkers, TheValueOfThePredecessorLivesWhileItsContinuationRuns) {
  auto token = std::make_shared<int>(7);
  std::weak_ptr<int> watch = token;
  Gate started;
  Gate leave;
  auto first = Invoke(ctx_, [held = std::move(token)]() mutable { return std::move(held); });
  auto second = first.Then([&](const std::shared_ptr<int>& value) {
    started.Open();
    leave.Wait();
    return *value;
  });
  started.Wait();
  first = {};
  EXPECT_FALSE(watch.expired());
  leave.Open();
  EXPECT_EQ(second.Get(), 7);
  EXPECT_TRUE(Eventually([&watch] { return watch.expired(); }));
}

TEST_P(LifetimeOnWorkers, AStartedTaskGoesOnWithoutHandles) {
  Gate done;
  (void)Invoke(ctx_, [&done] { done.Open(); });
  done.Wait();
}

TEST_P(LifetimeOnWorkers, ABodyMayDropTheLastHandleOfItsOwnTask) {
  for (int round = 0; round < 100; ++round) {
    auto holder = std::make_shared<Task<void>>();
    Gate set;
    Gate done;
    *holder = Invoke(ctx_, [&, holder] {
      set.Wait();
      *holder = {};
      done.Open();
    });
    set.Open();
    done.Wait();
  }
}

TEST_P(LifetimeOnWorkers, AContextKeptFromABodyIsStillGood) {
  std::vector<Context> kept;
  Invoke(ctx_, [&kept](Context& context) { kept.push_back(context); }).Get();
  EXPECT_FALSE(kept.front().IsDone());
  EXPECT_EQ(Invoke(kept.front(), [] { return 3; }).Get(), 3);
  EXPECT_FALSE(kept.front().Cancel()) << "the task has ended";
}

TEST_P(LifetimeOnWorkers, ABodyMayAssignToItsContextAndMoveFromIt) {
  std::optional<Context> kept;
  std::optional<Context> moved;
  Invoke(ctx_, [&](Context& ctx) {
    kept = ctx;
    ctx = ctx.WithCancel();
    ctx.Cancel();
    EXPECT_TRUE(ctx.IsDone());
    EXPECT_FALSE(kept->IsDone());
    ctx = *kept;
    const Context& same = ctx;
    ctx = same;
    moved = std::move(ctx);
  }).Get();
  kept.reset();
  EXPECT_FALSE(moved->IsDone());
  EXPECT_EQ(Invoke(*moved, [] { return 3; }).Get(), 3);
}

TEST_P(LifetimeOnWorkers, AKeyInThePlaceOfAnotherTypesKeyIsAnotherOne) {
  union Place {
    Place() {}
    ~Place() {}
    ContextKey<int> number;
    ContextKey<std::string> text;
  } place;
  const auto* number = ::new (&place.number) ContextKey<int>;
  const Context context = ctx_.WithValue(*number, 7);
  EXPECT_EQ(*context.Value(*number), 7);
  const auto* text = ::new (&place.text) ContextKey<std::string>;
  EXPECT_EQ(context.Value(*text), nullptr);
}

// D19
TEST_P(LifetimeOnWorkers, ContextsOutliveTheirRuntime) {
  std::vector<Context> kept;
  std::vector<Registration> registrations;
  std::vector<std::stop_token> tokens;
  std::stop_source source;
  const ContextKey<int> key;
  std::atomic<int> called{0};
  {
    Runtime runtime(GetParam());
    const auto root = runtime.Background();
    kept = {root,
            root.WithCancel(),
            root.WithTimeout(1h),
            root.WithValue(key, 1),
            root.WithStopToken(source.get_token()),
            root.WithCancel().WithTimeout(2h).WithCancel()};
    for (const auto& context : kept) {
      registrations.push_back(context.OnDone([&called] { ++called; }));
      tokens.push_back(context.StopToken());
      EXPECT_FALSE(Invoke(context, [] {}).Wait());
    }
  }
  for (const auto& token : tokens)
    EXPECT_TRUE(token.stop_requested()) << "the end of a runtime ends its contexts";
  EXPECT_EQ(called, static_cast<int>(kept.size()));
  for (const auto& context : kept) {
    EXPECT_TRUE(context.IsDone());
    const auto task = Invoke(context, [] { return 1; });
    EXPECT_TRUE(task.Outcome().Failure().Is(Errc::ShutDown)) << task.Wait().Message();
    auto created = NewTask([] { return 1; });
    EXPECT_TRUE(created.Run(context).Outcome().Failure().Is(Errc::ShutDown));
    (void)context.Now();
    (void)context.Deadline();
    (void)context.WithTimeout(1s).OnDone([] {});
    (void)context.Cancel();
  }
  source.request_stop();
}

// D19
TEST_P(LifetimeOnWorkers, TasksOutliveTheirRuntime) {
  Promise<int> promise;
  std::vector<Task<int>> tasks;
  {
    Runtime runtime(GetParam());
    const auto context = runtime.Background().WithCancel();
    tasks.push_back(Invoke(context, [] { return 1; }));
    EXPECT_FALSE(tasks[0].Wait());
    tasks.push_back(After(context, promise.Task(), [](int value) { return value; }));
    tasks.push_back(NewTask([] { return 2; }));
  }
  EXPECT_EQ(tasks[0].Get(), 1);
  EXPECT_GT(tasks[0].Duration(), 0ns);
  EXPECT_TRUE(promise.TrySet(5));
  const Error error = tasks[1].Wait();
  EXPECT_TRUE(error.Is(Errc::ShutDown) || error.Is(Errc::Cancelled)) << error.Message();
  EXPECT_EQ(tasks[2].Run(ctx_).Get(), 2) << "a task that was never started belongs to nobody";
}

// D19
TEST_P(LifetimeOnWorkers, AWaitInAnotherThreadSurvivesTheEndOfTheRuntime) {
  for (int round = 0; round < 100; ++round) {
    auto runtime = std::make_unique<Runtime>(GetParam());
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(Invoke(runtime->Background(), [] {}));
    Gate ready(2);
    std::vector<std::thread> waiters;
    for (int i = 0; i < 2; ++i) {
      waiters.emplace_back([&ready, tasks] {
        ready.Open();
        for (const auto& task : tasks) (void)task.Wait();
      });
    }
    tasks.clear();
    ready.Wait();
    runtime.reset();
    for (auto& waiter : waiters) waiter.join();
  }
}

TEST_P(LifetimeOnWorkers, AMillionContextsComeAndGoWithoutGrowth) {
  const auto parent = ctx_.WithCancel();
  (void)parent.StopToken();
  const auto before = CountLive();
  for (int i = 0; i < 100000; ++i) {
    const auto child = parent.WithCancel();
    if (i % 4 == 0) (void)child.StopToken();
    if (i % 4 == 1) (void)child.OnDone([] {});
    if (i % 4 == 2) (void)child.WithTimeout(1h).StopToken();
  }
  EXPECT_LE(WaitForLive(before).timers, before.timers);
}

TEST_P(LifetimeOnWorkers, ATaskThatStartsItsOwnSuccessorForEverDoesNotGrow) {
  struct Tick {
    std::atomic<int>& left;
    Gate& done;
    void operator()(Context& context) const {
      if (--left <= 0) return done.Open();
      (void)Invoke(context, *this);
    }
  };
  std::atomic<int> left{100};
  Gate warm;
  (void)Invoke(ctx_, Tick{left, warm});
  warm.Wait();
  EXPECT_FALSE(runtime_.Run());
  const auto before = CountLive();
  left = 200000;
  Gate done;
  std::size_t most = 0;
  (void)Invoke(ctx_, Tick{left, done});
  while (!done.IsOpen()) most = std::max(most, CountLive().tasks);
  EXPECT_LT(most, before.tasks + 1000) << "each task holds the one before it as its context";
}

// D8
TEST_P(LifetimeOnWorkers, AnUnreadErrorThatPassedAContinuationByIsReportedToTheRuntimeOfItsPredecessor) {
  const auto failed = Invoke(ctx_, []() -> int { throw std::runtime_error("boom"); });
  EXPECT_TRUE(failed.Wait());
  (void)failed.Then([](int value) { return value; });
  (void)failed.Then([](int value) { return value; });
  (void)failed.Then([](int value) { return value; }).Then([](int value) { return value; });
  Promise<int> promise(ctx_);
  (void)promise.Task().Then([](int value) { return value; });
  EXPECT_TRUE(promise.TrySetError(Errc::Closed));
  EXPECT_TRUE(promise.Task().Wait());
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(reports_.Take().size(), 4U);
}

// D28
TEST_P(LifetimeOnWorkers, ALongChainIsDestroyedWithoutUsingTheStack) {
  auto first = NewTask([] { return 0; });
  Task<int> last = first;
  for (int i = 0; i < 100000; ++i) last = last.Then([](int value) { return value + 1; });
  first = {};
  EXPECT_TRUE(last.Wait().Is(Errc::Cancelled));
}

// D28
TEST_P(LifetimeOnWorkers, AChainOfTasksThatNobodyStartedIsDestroyedWithoutUsingTheStack) {
  Task<void> last;
  for (int i = 0; i < 100000; ++i) last = NewTask([before = std::move(last)] { (void)before.Wait(); });
  last = {};
}

TEST_P(LifetimeOnWorkers, ADeepTreeOfContextsIsDestroyedWithoutUsingTheStack) {
  auto context = ctx_.WithCancel();
  const auto top = context;
  for (int i = 0; i < 100000; ++i) context = i % 2 == 0 ? context.WithCancel() : context.WithTimeout(1h);
  const auto token = context.StopToken();
  top.Cancel();
  EXPECT_TRUE(token.stop_requested());
  EXPECT_TRUE(context.IsDone());
}

}  // namespace
}  // namespace orchestrate::test
