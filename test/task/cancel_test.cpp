#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/waiting.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class CancelOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, CancelOnWorkers, Widths(), WidthName);

// K06, D2
TEST_P(CancelOnWorkers, BeforeRunTheWorkIsNeverCalled) {
  std::atomic<int> calls{0};
  auto task = NewTask([&calls] { return ++calls; });
  EXPECT_TRUE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(task.IsDone());
  task.Run(ctx_);
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::Cancelled));
  EXPECT_EQ(task.Outcome().ValueOr(0), 0);
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(task.Duration(), 0ns);
}

// D2
TEST_P(CancelOnWorkers, WhileQueuedTheWorkIsNeverCalled) {
  Gate gate(1);
  const OpenAtEnd at_end(gate);
  std::vector<Task<void>> busy;
  for (std::size_t i = 0; i < GetParam(); ++i) busy.push_back(Invoke(ctx_, [&gate] { gate.Wait(); }));
  std::atomic<int> calls{0};
  std::vector<Task<int>> queued;
  for (int i = 0; i < 20; ++i) queued.push_back(Invoke(ctx_, [&calls] { return ++calls; }));
  EXPECT_TRUE(Eventually([&] { return busy.back().State() == TaskState::Running; }));
  for (auto& task : queued) {
    EXPECT_EQ(task.State(), TaskState::Created) << "a queued task shows as created";
    EXPECT_TRUE(task.Cancel());
    EXPECT_EQ(task.State(), TaskState::Cancelled);
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
    EXPECT_EQ(task.Duration(), 0ns);
  }
  gate.Open();
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(calls, 0);
}

// Continues a task when its callable is destroyed.
struct ContinuesAtEnd {
  ContinuesAtEnd(const Task<int>& the_task, Task<int>& the_next) : task(&the_task), next(&the_next) {}
  ContinuesAtEnd(ContinuesAtEnd&& other) noexcept
      : task(std::exchange(other.task, nullptr)), next(other.next) {}
  ContinuesAtEnd& operator=(ContinuesAtEnd&&) = delete;
  ~ContinuesAtEnd() {
    if (task != nullptr) *next = task->Then([](int value) { return value; });
  }
  const Task<int>* task;
  Task<int>* next;
};

TEST_P(CancelOnWorkers, TheDestructorOfTheCallableMayContinueTheTask) {
  Task<int> task;
  Task<int> next;
  task = NewTask([at_end = ContinuesAtEnd(task, next)] { return 1; });
  EXPECT_TRUE(task.Cancel());
  EXPECT_TRUE(next.Wait().Is(Errc::Cancelled));
}

// K07, D3
TEST_P(CancelOnWorkers, EndsTheContextOfTheRunningWorkAtOnce) {
  Gate started;
  std::atomic<bool> saw_the_end{false};
  auto task = Invoke(ctx_, [&](Context& context) {
    started.Open();
    saw_the_end = Eventually([&context] { return context.IsDone(); });
    return 1;
  });
  started.Wait();
  EXPECT_TRUE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::Cancelled));
  EXPECT_TRUE(saw_the_end) << "it left by itself";
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(task.IsDone());
}

;

// K08, D3
TEST_P(CancelOnWorkers, WaitsForABodyThatDoesNotListenAndDropsItsValue) {
  Gate started;
  Gate leave;
  std::atomic<bool> left{false};
  auto task = Invoke(ctx_, [&] {
    started.Open();
    leave.Wait();
    left = true;
    return 1;
  });
  started.Wait();
  // Two are inside Outcome() while the body runs, one of them since before the cancellation. They wait in
  // another runtime, whose observer says that they do.
  CountsBlocked waits;
  RuntimeOptions options(2);
  options.observer = &waits;
  Runtime waiters(std::move(options));
  const auto wait = [&] {
    EXPECT_TRUE(task.Outcome().Failure().Is(Errc::Cancelled));
    EXPECT_TRUE(left) << "delivered before the body had left";
  };
  const OpenAtEnd at_end(leave);
  const auto before = Invoke(waiters.Background(), wait);
  ASSERT_TRUE(Eventually([&waits] { return waits.blocked == 1; }));
  EXPECT_FALSE(task.WaitFor(5ms));
  EXPECT_TRUE(task.Cancel());
  const auto after = Invoke(waiters.Background(), wait);
  ASSERT_TRUE(Eventually([&waits] { return waits.blocked == 2; }));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_FALSE(task.IsDone()) << "the body is still there";
  EXPECT_FALSE(task.TryGet().has_value());
  EXPECT_FALSE(task.WaitFor(5ms)) << "a bounded wait returns promptly";
  leave.Open();
  EXPECT_FALSE(before.Wait());
  EXPECT_FALSE(after.Wait());
  EXPECT_TRUE(task.IsDone());
}

// D3, D5
TEST_P(CancelOnWorkers, WinsOverAnErrorOfTheBody) {
  Gate started;
  Gate leave;
  auto task = Invoke(ctx_, [&] {
    started.Open();
    leave.Wait();
    return Error(Errc::QueueFull, "full");
  });
  started.Wait();
  EXPECT_TRUE(task.Cancel());
  leave.Open();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
}

// K09, D4
TEST_P(CancelOnWorkers, IsWonByExactlyOneCall) {
  Gate started;
  auto task = Invoke(ctx_, [&started](Context& context) {
    started.Open();
    (void)Eventually([&context] { return context.IsDone(); });
  });
  started.Wait();
  std::atomic<int> won{0};
  RunThreads(4, [&](int) {
    for (int i = 0; i < 25; ++i) won += task.Cancel() ? 1 : 0;
  });
  EXPECT_EQ(won, 1);
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_FALSE(task.Cancel());
}

// K10, D4
TEST_P(CancelOnWorkers, AfterCompletionChangesNothing) {
  auto task = Invoke(ctx_, [] { return 7; });
  EXPECT_EQ(task.Outcome().Value(), 7);
  EXPECT_FALSE(task.Cancel());
  EXPECT_EQ(task.Outcome().Value(), 7);
  EXPECT_EQ(task.State(), TaskState::Completed);
}

// D4
TEST_P(CancelOnWorkers, AfterAFailureChangesNothing) {
  auto task = Invoke(ctx_, [] { return Error(Errc::Closed); });
  EXPECT_TRUE(task.Wait().Is(Errc::Closed));
  EXPECT_FALSE(task.Cancel());
  EXPECT_TRUE(task.Wait().Is(Errc::Closed));
  EXPECT_EQ(task.State(), TaskState::Failed);
}

// D4
TEST_P(CancelOnWorkers, KeepsTheCauseOfTheCallThatWon) {
  const Error cause(Errc::QueueFull, "too much to do");
  Gate started;
  auto task = Invoke(ctx_, [&started](Context& context) {
    started.Open();
    (void)Eventually([&context] { return context.IsDone(); });
    EXPECT_EQ(context.Err().Message(), "too much to do");
  });
  started.Wait();
  EXPECT_TRUE(task.Cancel(cause));
  EXPECT_FALSE(task.Cancel(Errc::Closed));
  EXPECT_EQ(task.Wait(), cause);
  EXPECT_EQ(task.State(), TaskState::Cancelled);
}

// D4
TEST(Cancel, TakesAnEmptyCauseForCancelled) {
  auto task = NewTask([] {});
  EXPECT_TRUE(task.Cancel(Error()));
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

// K12, D6
TEST_P(CancelOnWorkers, OfTheContextBeforeTheStartSkipsTheWork) {
  const auto ended = ctx_.WithCancel();
  EXPECT_TRUE(ended.Cancel());
  std::atomic<int> calls{0};
  auto task = NewTask([&calls] { return ++calls; }).Run(ended);
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::Cancelled));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_EQ(task.Duration(), 0ns);
  EXPECT_EQ(calls, 0);
}

// D6
TEST_P(CancelOnWorkers, OfTheContextGivesItsCauseToTheTask) {
  const auto ended = ctx_.WithCancel();
  const Error cause(Errc::Closed, "the shop is shut");
  EXPECT_TRUE(ended.Cancel(cause));
  EXPECT_FALSE(ended.Cancel());
  EXPECT_EQ(Invoke(ended, [] { return 1; }).Outcome().Failure(), cause);
}

// K13, D5
TEST_P(CancelOnWorkers, OfTheContextByAnotherThreadEndsTheWork) {
  const auto context = ctx_.WithCancel();
  Gate started;
  std::atomic<bool> saw_the_end{false};
  auto task = Invoke(context, [&](Context& own) -> Result<int> {
    started.Open();
    saw_the_end = Eventually([&own] { return own.IsDone(); });
    return 1;
  });
  std::thread canceller([&] {
    started.Wait();
    EXPECT_TRUE(context.Cancel());
  });
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::Cancelled));
  EXPECT_TRUE(saw_the_end) << "it left by itself";
  EXPECT_EQ(task.Outcome().ValueOr(0), 0);
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  canceller.join();
}

// D5
TEST_P(CancelOnWorkers, OfTheContextDropsTheValueAndKeepsTheErrorAsCause) {
  for (const bool fails : {false, true}) {
    const auto context = ctx_.WithCancel();
    auto task = Invoke(context, [&context, fails]() -> Result<int> {
      context.Cancel();
      if (fails) return Error(Errc::QueueFull, "own error");
      return 1;
    });
    const Error error = task.Outcome().Failure();
    EXPECT_TRUE(error.Is(Errc::Cancelled));
    EXPECT_EQ(error.Is(Errc::QueueFull), fails);
    EXPECT_EQ(error.Message().find("own error") != std::string::npos, fails);
    EXPECT_EQ(task.State(), TaskState::Cancelled);
  }
}

// D5
TEST_P(CancelOnWorkers, OfTheContextShowsInTheStateOnlyWhenTheBodyHasLeft) {
  const auto context = ctx_.WithCancel();
  Gate started;
  Gate leave;
  auto task = Invoke(context, [&] {
    started.Open();
    leave.Wait();
  });
  started.Wait();
  context.Cancel();
  EXPECT_EQ(task.State(), TaskState::Running);
  EXPECT_TRUE(task.Cancel()) << "not terminal yet, so a Cancel of its own still wins";
  leave.Open();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

// K14, D7
TEST_P(CancelOnWorkers, IsOneErrorWhereverItComesFrom) {
  auto by_task = NewTask([] {});
  by_task.Cancel();
  const auto context = ctx_.WithCancel();
  context.Cancel();
  const Error by_context = Invoke(context, [] {}).Wait();
  EXPECT_TRUE(by_task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(by_context.Is(Errc::Cancelled));
  EXPECT_EQ(by_task.Wait(), by_context);
  EXPECT_FALSE(by_context.Is(Errc::DeadlineExceeded));
}

TEST_P(CancelOnWorkers, MayComeFromTheBodyItself) {
  auto task = Invoke(ctx_, [](Context& context) {
    EXPECT_TRUE(context.Cancel());
    EXPECT_TRUE(context.IsDone());
    return 5;
  });
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::Cancelled));
}

// D34
TEST_P(CancelOnWorkers, ReachesTheTasksBelowAndNotThoseBeside) {
  Gate started(2);
  Task<void> below;
  Task<void> beside;
  Gate spawned;
  Gate release;
  auto listen = [&started](Context& context) {
    started.Open();
    (void)Eventually([&context] { return context.IsDone(); });
  };
  auto parent = Invoke(ctx_, [&](Context& context) {
    below = Invoke(context, listen);
    spawned.Open();
    (void)below.Wait();
  });
  spawned.Wait();
  beside = Invoke(ctx_, [&](Context& context) {
    started.Open();
    return Eventually([&] { return release.IsOpen() || context.IsDone(); }) && !context.IsDone()
               ? Error()
               : Error(Errc::Closed);
  });
  if (GetParam() > 1) {
    started.Wait();
  } else {
    (void)Eventually([&] { return below.State() == TaskState::Running; });
  }
  EXPECT_TRUE(parent.Cancel());
  EXPECT_TRUE(below.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(parent.Wait().Is(Errc::Cancelled));
  release.Open();
  EXPECT_FALSE(beside.Wait());
}

// K11, D5
TEST_P(CancelOnWorkers, ByDeadlineDropsTheValueOfABodyThatDoesNotListen) {
  ManualClock clock;
  RuntimeOptions options(GetParam());
  options.clock = &clock;
  Runtime runtime(std::move(options));
  const auto context = runtime.Background().WithTimeout(100ms);
  auto task = Invoke(context, [&clock] {
    clock.Advance(300ms);
    return 1;
  });
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::DeadlineExceeded));
  EXPECT_FALSE(task.Outcome().Failure().Is(Errc::Cancelled));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
}

// D6
TEST_P(CancelOnWorkers, ByADeadlineThatHasPassedSkipsTheWork) {
  std::atomic<int> calls{0};
  auto task = Invoke(ctx_.WithTimeout(0ms), [&calls] { ++calls; });
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_EQ(task.Duration(), 0ns);
  EXPECT_EQ(calls, 0);
}

// K11
TEST(RealCancel, ByDeadlineGivesDeadlineExceeded) {
  Runtime runtime(2);
  auto task = Invoke(runtime.Background().WithTimeout(100ms), [] {
    Promise<void>().Task().WaitFor(300ms);
    return 1;
  });
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::DeadlineExceeded));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_GE(task.Duration(), 300ms);
}

TEST_P(CancelOnWorkers, AllocatesNothingAndIsQuickForAMillionQueuedTasks) {
  const auto context = ctx_.WithCancel();
  std::atomic<int> calls{0};
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 10000; ++i) tasks.push_back(Invoke(context, [&calls] { ++calls; }));
  context.Cancel();
  int cancelled = 0;
  for (const auto& task : tasks) cancelled += task.Wait().Is(Errc::Cancelled) ? 1 : 0;
  EXPECT_GE(cancelled + calls, 10000) << "those that ran at that moment count twice";
}

}  // namespace
}  // namespace orchestrate::test
