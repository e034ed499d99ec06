#include <orchestrate/task/task.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class TaskOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, TaskOnWorkers, Widths(), WidthName);

// K01
TEST_P(TaskOnWorkers, IsCreatedUntilSomebodyRunsIt) {
  std::atomic<int> calls{0};
  auto task = NewTask([&calls] { ++calls; });
  for (int i = 0; i < 100; ++i) (void)Invoke(ctx_, [] {}).Wait();
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(task.State(), TaskState::Created);
  EXPECT_EQ(task.Duration(), 0ns);
  EXPECT_FALSE(task.IsDone());
  EXPECT_FALSE(task.TryGet().has_value());
  EXPECT_EQ(calls, 0);
}

// K02
TEST(NewTasks, KeepsTheOrderOfTheFunctions) {
  auto tasks = NewTasks([] { return 1; }, [] { return 2; }, [] { return 3; });
  ASSERT_EQ(tasks.size(), 3U);
  for (const auto& task : tasks) EXPECT_EQ(task.State(), TaskState::Created);
  Runtime runtime(2);
  int expected = 1;
  for (const auto& task : tasks) EXPECT_EQ(task.Run(runtime.Background()).Get(), expected++);
}

// K03
TEST_P(TaskOnWorkers, GivesItsResultToAHundredThreads) {
  Gate gate;
  auto task = Invoke(ctx_, [&gate] {
    gate.Wait();
    return 1;
  });
  std::atomic<int> sum{0};
  RunThreads(100, [&](int index) {
    if (index == 0) gate.Open();
    const auto outcome = task.Outcome();
    if (outcome) sum += *outcome;
  });
  EXPECT_EQ(sum, 100);
}

// K04
TEST_P(TaskOnWorkers, ShowsTheSameResultEachTime) {
  auto task = Invoke(ctx_, [] { return 1; });
  EXPECT_EQ(task.Outcome().Value(), 1);
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_EQ(task.Outcome().Value(), 1);
  EXPECT_FALSE(task.Wait());
  EXPECT_EQ(task.State(), TaskState::Completed);
}

// K04, D1
TEST_P(TaskOnWorkers, NeverGoesBackInState) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<bool> watching{false};
    std::atomic<bool> went_back{false};
    auto task = NewTask([] { return 1; });
    std::thread watcher([&] {
      auto last = task.State();
      watching = true;
      while (last != TaskState::Completed) {
        const auto now = task.State();
        if (now < last) went_back = true;
        last = now;
      }
    });
    while (!watching) std::this_thread::yield();
    task.Run(ctx_);
    watcher.join();
    ASSERT_FALSE(went_back);
  }
}

// K05
TEST_P(TaskOnWorkers, RunsOnceHoweverOftenItIsRun) {
  std::atomic<int> calls{0};
  auto task = NewTask([&calls] { return ++calls; });
  RunThreads(4, [&](int) {
    for (int i = 0; i < 50; ++i) EXPECT_EQ(task.Run(ctx_).Id(), task.Id());
  });
  EXPECT_EQ(task.Outcome().Value(), 1);
  EXPECT_EQ(calls, 1);
}

// K05
TEST_P(TaskOnWorkers, TakesOneOfTheNamesOfConcurrentRuns) {
  for (int round = 0; round < 100; ++round) {
    auto task = NewTask([] {});
    RunThreads(4, [&](int index) {
      task.Run(Where(ctx_).Named("run " + std::to_string(index)));
      EXPECT_EQ(task.Name().substr(0, 4), "run ");
    });
    EXPECT_FALSE(task.Wait());
  }
}

TEST_P(TaskOnWorkers, RunLeavesAFinishedTaskAsItIs) {
  auto task = Invoke(ctx_, [] { return 7; });
  EXPECT_EQ(task.Outcome().Value(), 7);
  const auto duration = task.Duration();
  task.Run(ctx_);
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_EQ(task.Duration(), duration);
  EXPECT_EQ(task.Outcome().Value(), 7);
}

// K15, D26
TEST_P(TaskOnWorkers, RethrowsTheObjectThatWasThrown) {
  const auto thrown = std::make_exception_ptr(std::runtime_error("boom"));
  auto task = Invoke(ctx_, [thrown] { std::rethrow_exception(thrown); });
  const auto outcome = task.Outcome();
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::Exception));
  EXPECT_EQ(outcome.Failure().Message(), "boom");
  EXPECT_EQ(task.State(), TaskState::Failed);
  for (int i = 0; i < 2; ++i) {
    try {
      task.Get();
      FAIL() << "Get did not throw";
    } catch (const std::runtime_error& error) {
      std::exception_ptr caught = std::current_exception();
      EXPECT_EQ(caught, thrown) << "a copy of the exception";
      EXPECT_STREQ(error.what(), "boom");
    }
  }
}

// K16
TEST_P(TaskOnWorkers, CarriesAThrownInt) {
  auto task = Invoke(ctx_, []() -> std::string { throw 42; });
  const Error error = task.Wait();
  EXPECT_EQ(task.State(), TaskState::Failed);
  ASSERT_NE(error.Exception(), nullptr);
  try {
    std::rethrow_exception(error.Exception());
  } catch (int value) {
    EXPECT_EQ(value, 42);
  }
  EXPECT_THROW((void)task.Get(), int);
}

TEST_P(TaskOnWorkers, ThrowsAnErrorExceptionForAnErrorThatNobodyThrew) {
  auto task = Invoke(ctx_, [] { return Error(Errc::QueueFull, "no room"); });
  try {
    task.Get();
    FAIL();
  } catch (const ErrorException& exception) {
    EXPECT_TRUE(exception.Failure().Is(Errc::QueueFull));
    EXPECT_STREQ(exception.what(), "no room");
  }
}

// K18
TEST(Completed, IsTerminalAtBirth) {
  auto task = Completed(std::string("x"));
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_TRUE(task.IsDone());
  EXPECT_EQ(task.Duration(), 0ns);
  EXPECT_EQ(task.Run().Id(), task.Id());
  EXPECT_FALSE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_EQ(task.Outcome().Value(), "x");
}

TEST(Completed, MayHoldNothing) {
  auto task = Completed();
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_FALSE(task.Wait());
  EXPECT_FALSE(task.Cancel());
  EXPECT_NO_THROW(task.Get());
}

// K19
TEST(Failed, KeepsItsErrorForEveryWait) {
  const Error error(Errc::Closed, "shut");
  auto task = Failed<int>(error);
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_FALSE(task.Cancel());
  EXPECT_EQ(task.Wait(), error);
  EXPECT_EQ(task.Wait(), error);
  EXPECT_EQ(task.Outcome().Failure(), error);
  EXPECT_EQ(task.State(), TaskState::Failed);
  EXPECT_EQ(task.Duration(), 0ns);
}

// D27
TEST(Failed, TakesAnEmptyErrorForABadArgument) {
  auto task = Failed(Error());
  EXPECT_TRUE(task.Wait().Is(Errc::InvalidArgument));
  EXPECT_NE(task.Wait().Message().find("Failed"), std::string::npos);
}

// K20
TEST_P(TaskOnWorkers, YieldsAMoveOnlyValueOnce) {
  auto task = Invoke(ctx_, [] { return std::make_unique<int>(5); });
  auto first = task.Outcome();
  ASSERT_TRUE(first);
  EXPECT_EQ(**first, 5);
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::AlreadyTaken));
  EXPECT_THROW((void)task.Take(), ErrorException);
  EXPECT_EQ(task.State(), TaskState::Completed);
}

// K20
TEST_P(TaskOnWorkers, GivesAMoveOnlyValueToOneOfManyThreads) {
  for (int round = 0; round < 50; ++round) {
    auto task = Invoke(ctx_, [] { return std::make_unique<int>(5); });
    std::atomic<int> got{0};
    std::atomic<int> refused{0};
    RunThreads(4, [&](int) {
      auto outcome = task.Outcome();
      if (outcome) {
        got += **outcome;
      } else if (outcome.Failure().Is(Errc::AlreadyTaken)) {
        ++refused;
      }
    });
    ASSERT_EQ(got, 5);
    ASSERT_EQ(refused, 3);
  }
}

TEST_P(TaskOnWorkers, TakeMovesACopyableValueOut) {
  auto task = Invoke(ctx_, [] { return std::string(100, 'x'); });
  EXPECT_EQ(task.Get().size(), 100U);
  EXPECT_EQ(task.Take().size(), 100U);
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::AlreadyTaken));
  EXPECT_THROW((void)task.Get(), ErrorException);
  EXPECT_THROW((void)task.Take(), ErrorException);
}

TEST_P(TaskOnWorkers, GetOnTheOnlyHandleGivesTheValue) {
  EXPECT_EQ(*Invoke(ctx_, [] { return std::make_unique<int>(5); }).Get(), 5);
  EXPECT_EQ(Invoke(ctx_, [] { return std::string("hello"); }).Get(), "hello");
}

TEST_P(TaskOnWorkers, GetOnATemporaryLeavesTheValueToOtherHandles) {
  auto task = Invoke(ctx_, [] { return std::string("hello"); });
  auto other = task;
  EXPECT_EQ(std::move(other).Get(), "hello");
  EXPECT_EQ(task.Get(), "hello");
}

TEST_P(TaskOnWorkers, TryGetDoesNotWait) {
  Gate gate;
  auto task = Invoke(ctx_, [&gate] {
    gate.Wait();
    return 3;
  });
  EXPECT_FALSE(task.TryGet().has_value());
  gate.Open();
  EXPECT_FALSE(task.Wait());
  ASSERT_TRUE(task.TryGet().has_value());
  EXPECT_EQ(task.TryGet()->Value(), 3);
}

TEST_P(TaskOnWorkers, HasAnIdAndANameOfItsOwn) {
  auto first = Invoke(Where(ctx_).Named("digest"), [] {});
  auto second = Invoke(ctx_, [] {});
  std::set<std::uint64_t> seen;
  RunThreads(4, [&](int) { EXPECT_EQ(first.Id(), first.Id()); });
  EXPECT_NE(first.Id(), 0U);
  EXPECT_NE(first.Id(), second.Id());
  EXPECT_EQ(first.Name(), "digest");
  EXPECT_EQ(second.Name(), "");
  EXPECT_FALSE(first.Wait());
  EXPECT_FALSE(second.Wait());
}

TEST(EmptyTask, AnswersEveryQuestion) {
  const Task<int> task;
  EXPECT_FALSE(task);
  EXPECT_EQ(task.Id(), 0U);
  EXPECT_EQ(task.Name(), "");
  EXPECT_FALSE(task.IsDone());
  EXPECT_FALSE(task.Cancel());
  EXPECT_EQ(task.Duration(), 0ns);
  EXPECT_TRUE(task.Wait().Is(Errc::InvalidArgument));
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::InvalidArgument));
  EXPECT_THROW((void)task.Get(), ErrorException);
  EXPECT_THROW((void)task.Take(), ErrorException);
  EXPECT_THROW(task.Run(), ErrorException);
  EXPECT_FALSE(task.TryGet().has_value());
  EXPECT_FALSE(task.WaitFor(0ms));
}

TEST_P(TaskOnWorkers, HandlesMoveCopyAndAssignThemselves) {
  auto task = Invoke(ctx_, [] { return 1; });
  auto copy = task;
  auto& alias = task;
  task = alias;
  EXPECT_EQ(task.Get(), 1);
  auto moved = std::move(copy);
  EXPECT_FALSE(copy);  // NOLINT(bugprone-use-after-move): a moved-from handle is empty
  EXPECT_EQ(moved.Id(), task.Id());
  moved = std::move(task);
  EXPECT_EQ(moved.Get(), 1);
}

// K17
TEST(RealTask, DurationIsHowLongTheBodyRan) {
  Runtime runtime(2);
  auto task = NewTask([] { Promise<void>().Task().WaitFor(10ms); });
  EXPECT_EQ(task.Duration(), 0ns);
  EXPECT_FALSE(task.Run(runtime.Background()).Wait());
  EXPECT_GE(task.Duration(), 10ms);
  EXPECT_LT(task.Duration(), 100ms);
  EXPECT_EQ(task.Duration(), task.Duration());
}

TEST_P(TaskOnWorkers, DurationGrowsWhileTheBodyRuns) {
  Gate started;
  Gate leave;
  auto task = Invoke(ctx_, [&] {
    started.Open();
    leave.Wait();
  });
  started.Wait();
  EXPECT_TRUE(Eventually([&] { return task.Duration() > 0ns; }));
  const auto before = task.Duration();
  EXPECT_TRUE(Eventually([&] { return task.Duration() > before; }));
  leave.Open();
  EXPECT_FALSE(task.Wait());
  EXPECT_GE(task.Duration(), before);
}

}  // namespace
}  // namespace orchestrate::test
