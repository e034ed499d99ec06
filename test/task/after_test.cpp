#include <orchestrate/task/after.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class AfterOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, AfterOnWorkers, Widths(), WidthName);

// K21
TEST_P(AfterOnWorkers, RunsWithTheValueOnceThePredecessorHasIt) {
  auto first = NewTask([] { return std::string("a"); });
  auto second = After(first, [](const std::string& value) { return value + "b"; });
  EXPECT_EQ(second.State(), TaskState::Created);
  first.Run(ctx_);
  EXPECT_EQ(second.Get(), "ab");
  EXPECT_GT(first.Duration(), 0ns);
  EXPECT_GT(second.Duration(), 0ns);
}

// K22
TEST_P(AfterOnWorkers, ChainsRunInOrderWhenOnlyTheFirstIsRun) {
  std::vector<int> order;
  auto first = NewTask([&order] { order.push_back(1); });
  auto second = first.Then([&order] { order.push_back(2); });
  auto third = second.Then([&order] { order.push_back(3); });
  auto fourth = third.Then([&order] { order.push_back(4); });
  first.Run(ctx_);
  EXPECT_FALSE(fourth.Wait());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(second.State(), TaskState::Completed);
}

// K23, D8
TEST_P(AfterOnWorkers, PassesTheErrorOnAndSkipsTheWork) {
  const Error error(Errc::Closed, "shut");
  std::atomic<int> calls{0};
  auto first = NewTask([error]() -> Result<int> { return error; });
  auto second = After(first, [&calls](int) { ++calls; });
  auto third = second.Then([&calls] { ++calls; });
  first.Run(ctx_);
  EXPECT_EQ(third.Wait(), error);
  EXPECT_EQ(second.Wait(), error);
  EXPECT_EQ(second.State(), TaskState::Failed);
  EXPECT_EQ(second.Duration(), 0ns);
  EXPECT_EQ(calls, 0);
}

// K24
TEST_P(AfterOnWorkers, WorksOnAMadeTask) {
  EXPECT_EQ(After(ctx_, Completed(1), [](int value) { return value + 1; }).Get(), 2);
}

// K24
TEST(After, OnAMadeTaskRunsOnTheDefaultRuntime) {
  Runtime* found = nullptr;
  After(Completed(1), [&found](Context& context, int) {
    if (&context.GetExecutor() == &Runtime::Default().GetExecutor()) found = &Runtime::Default();
  }).Get();
  EXPECT_EQ(found, &Runtime::Default());
}

// K25
TEST_P(AfterOnWorkers, WorksOnAFinishedTask) {
  auto first = Invoke(ctx_, [] { return 1; });
  EXPECT_FALSE(first.Wait());
  EXPECT_EQ(first.Then([](int value) { return value + 1; }).Get(), 2);
}

// D8
TEST_P(AfterOnWorkers, ResolvesOnAPredecessorThatEndedInAnyWay) {
  const auto skip = [](int) { ADD_FAILURE() << "called"; };
  EXPECT_TRUE(After(ctx_, Failed<int>(Errc::Closed), skip).Wait().Is(Errc::Closed));
  auto cancelled = NewTask([] { return 1; });
  cancelled.Cancel();
  auto after_cancelled = After(ctx_, cancelled, skip);
  EXPECT_TRUE(after_cancelled.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(after_cancelled.State(), TaskState::Cancelled);
  auto threw = Invoke(ctx_, []() -> int { throw std::runtime_error("boom"); });
  EXPECT_EQ(After(ctx_, threw, skip).Wait().Message(), "boom");
  (void)threw.Wait();
  EXPECT_EQ(After(ctx_, threw, skip).Wait().Message(), "boom");
  auto later = NewTask([] { return 1; });
  auto after_later = After(ctx_, later, skip);
  later.Cancel(Error(Errc::QueueFull));
  EXPECT_TRUE(after_later.Wait().Is(Errc::QueueFull));
}

// D8
TEST_P(AfterOnWorkers, ResolvesOnARunningPredecessorThatIsCancelled) {
  Gate started;
  auto first = Invoke(ctx_, [&started](Context& context) {
    started.Open();
    (void)Eventually([&context] { return context.IsDone(); });
    return 1;
  });
  auto second = first.Then([](int) { ADD_FAILURE() << "called"; });
  started.Wait();
  first.Cancel();
  EXPECT_TRUE(second.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(second.State(), TaskState::Cancelled);
}

// K26, D15
TEST_P(AfterOnWorkers, StartsInTheOrderOfRegistration) {
  for (const bool outside : {false, true}) {
    std::mutex mutex;
    std::vector<int> order;
    Promise<int> promise(ctx_);
    auto first = outside ? promise.Task() : NewTask([] { return 1; });
    std::vector<Task<void>> all;
    for (int i = 0; i < 20; ++i) {
      all.push_back(After(ctx_, first, [&, i](int) {
        const std::lock_guard lock(mutex);
        order.push_back(i);
      }));
    }
    if (outside) {
      promise.TrySet(1);
    } else {
      first.Run(ctx_);
    }
    EXPECT_FALSE(runtime_.Run());  // which runs nothing itself
    ASSERT_EQ(order.size(), all.size()) << "each runs once";
    // A body that has started may note it late; each other worker can hold one back so.
    for (std::size_t at = 0; at < order.size(); ++at) {
      const auto is_earlier = [&](int other) { return other < order[at]; };
      const auto late =
          std::count_if(order.begin() + static_cast<std::ptrdiff_t>(at), order.end(), is_earlier);
      EXPECT_LT(late, static_cast<std::ptrdiff_t>(GetParam())) << "before " << order[at];
    }
  }
}

// K26
TEST_P(AfterOnWorkers, TwoOfOnePredecessorBothRun) {
  auto first = NewTask([] { return 1; });
  auto second = first.Then([](int value) { return value + 1; });
  auto third = first.Then([](int value) { return value + 2; });
  first.Run(ctx_);
  EXPECT_EQ(second.Get(), 2);
  EXPECT_EQ(third.Get(), 3);
}

// K27
TEST_P(AfterOnWorkers, CancelOfTheContinuationLeavesThePredecessorAlone) {
  Gate started;
  Gate leave;
  auto first = Invoke(ctx_, [&] {
    started.Open();
    leave.Wait();
    return 1;
  });
  auto second = first.Then([](int) { ADD_FAILURE() << "called"; });
  started.Wait();
  EXPECT_TRUE(second.Cancel());
  EXPECT_EQ(second.State(), TaskState::Cancelled);
  leave.Open();
  EXPECT_EQ(first.Get(), 1);
  EXPECT_TRUE(second.Wait().Is(Errc::Cancelled));
}

TEST_P(AfterOnWorkers, MovesAMoveOnlyValueAlong) {
  auto task = Invoke(ctx_, [] {
                return std::make_unique<int>(1);
              }).Then([](std::unique_ptr<int> value) {
                  return std::make_unique<int>(*value + 1);
                }).Then([](Context&, std::unique_ptr<int> value) { return *value + 1; });
  EXPECT_EQ(task.Get(), 3);
}

// D17
TEST_P(AfterOnWorkers, FlattensTheTaskThatItsWorkReturns) {
  auto task = Invoke(ctx_, [] { return 1; }).Then([this](int value) {
    return Invoke(ctx_, [value] { return value + 1; });
  });
  static_assert(std::is_same_v<decltype(task), Task<int>>);
  EXPECT_EQ(task.Get(), 2);
}

// D8
TEST_P(AfterOnWorkers, DoesNotDelayTheOutcomeOfThePredecessor) {
  Gate leave;
  const OpenAtEnd at_end(leave);
  auto first = NewTask([] { return 1; });
  auto second = first.Then([&leave](int) { leave.Wait(); });
  first.Run(ctx_);
  EXPECT_EQ(first.Get(), 1);
  EXPECT_FALSE(second.IsDone());
  const auto took = first.Duration();
  leave.Open();
  EXPECT_FALSE(second.Wait());
  EXPECT_EQ(first.Duration(), took);  // the continuation is no part of it
}

// D29
TEST_P(AfterOnWorkers, NeverRunsInsideTheCallThatCompletes) {
  for (int round = 0; round < 50; ++round) {
    thread_local bool inside = false;
    std::atomic<int> nested{0};
    const auto check = [&nested](const auto&...) { nested += inside ? 1 : 0; };
    Promise<int> promise(ctx_);
    auto created = NewTask([] { return 1; });
    const auto context = ctx_.WithCancel();
    auto waits_for_context = ContinueWith(ctx_, created, check);
    auto by_promise = After(ctx_, promise.Task(), check);
    auto registration = context.OnDone(check);
    inside = true;
    promise.TrySet(1);
    created.Cancel();
    context.Cancel();
    auto late = After(ctx_, promise.Task(), check);
    auto late_registration = context.OnDone(check);
    inside = false;
    EXPECT_FALSE(by_promise.Wait());
    EXPECT_FALSE(waits_for_context.Wait());
    EXPECT_FALSE(late.Wait());
    EXPECT_FALSE(runtime_.Run());
    ASSERT_EQ(nested, 0);
  }
}

// D29
TEST(After, IsTheCompletingWorkersNextTask) {
  Runtime runtime(1);
  std::vector<int> order;
  auto all = Invoke(runtime.Background(), [&order](Context& context) {
    auto first = NewTask([&order] { order.push_back(1); });
    auto then = first.Then([&order] { order.push_back(2); });
    auto other = Invoke(context, [&order] { order.push_back(3); });
    first.Run(context);
  });
  EXPECT_FALSE(runtime.Run());  // not all.Wait(), which would run it on this thread
  EXPECT_FALSE(all.Wait());
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

// D28
TEST_P(AfterOnWorkers, CancelWhileThePredecessorEndsIsHarmless) {
  for (int round = 0; round < 300; ++round) {
    auto first = NewTask([] { return 1; });
    auto token = std::make_shared<int>(1);
    auto second = first.Then([token](int value) { return value + *token; });
    auto third = second.Then([](int value) { return value + 1; });
    RunThreads(2, [&](int index) {
      if (index == 0) {
        first.Run(ctx_);
      } else {
        second.Cancel();
      }
    });
    const auto outcome = third.Outcome();
    ASSERT_TRUE(outcome ? *outcome == 3 : outcome.Failure().Is(Errc::Cancelled));
  }
}

TEST_P(AfterOnWorkers, AttachedFromManyThreadsWhileThePredecessorEndsEachRunsOnce) {
  for (int round = 0; round < 100; ++round) {
    auto first = NewTask([] { return 1; });
    std::atomic<int> sum{0};
    RunThreads(4, [&](int index) {
      if (index == 0) {
        first.Run(ctx_);
        return;
      }
      std::vector<Task<void>> mine;
      for (int i = 0; i < 10; ++i) mine.push_back(first.Then([&sum](int value) { sum += value; }));
      for (const auto& task : mine) EXPECT_FALSE(task.Wait());
    });
    ASSERT_EQ(sum, 30);
  }
}

// D34
TEST_P(AfterOnWorkers, BelongsToItsOwnContextWhenItWasGivenOne) {
  const auto context = ctx_.WithCancel();
  context.Cancel();
  auto first = Invoke(ctx_, [] { return 1; });
  EXPECT_TRUE(After(context, first, [](int value) { return value; }).Wait().Is(Errc::Cancelled));
  EXPECT_EQ(After(first, [](int value) { return value; }).Get(), 1);
}

// D8
TEST_P(AfterOnWorkers, BelongsToTheContextOfThePredecessorOtherwise) {
  const auto context = ctx_.WithCancel();
  Gate started;
  Gate leave;
  auto first = Invoke(context, [&] {
    started.Open();
    leave.Wait();
  });
  auto second = first.Then([](Context& own) { return &own.GetExecutor(); });
  leave.Open();
  EXPECT_EQ(second.Get(), &runtime_.GetExecutor());
}

// D27
TEST(After, FailsForAnEmptyTaskOrFunction) {
  const Error empty_task = After(Task<int>(), [](int) {}).Wait();
  EXPECT_TRUE(empty_task.Is(Errc::InvalidArgument));
  EXPECT_EQ(empty_task.Message(), "After: the task is empty");
  const Error empty_function = ContinueWith(Completed(1), std::function<void(Result<int>)>()).Wait();
  EXPECT_TRUE(empty_function.Is(Errc::InvalidArgument));
  EXPECT_EQ(empty_function.Message(), "ContinueWith: the function is empty");
  void (*null)(int) = nullptr;
  EXPECT_TRUE(Completed(1).Then(null).Wait().Is(Errc::InvalidArgument));
  EXPECT_TRUE(Catch(Task<int>(), [](const Error&) { return 1; }).Wait().Is(Errc::InvalidArgument));
  EXPECT_TRUE(Finally(Task<int>(), [] {}).Wait().Is(Errc::InvalidArgument));
}

TEST_P(AfterOnWorkers, ALongChainRunsOnASmallStack) {
  auto first = NewTask([] { return 0; });
  auto last = first;
  for (int i = 0; i < 100000; ++i) last = last.Then([](int value) { return value + 1; });
  first.Run(ctx_);
  EXPECT_EQ(last.Get(), 100000);
}

// D8
TEST_P(AfterOnWorkers, ALongChainEndsWithTheErrorOnASmallStack) {
  auto first = NewTask([]() -> Result<int> { return Error(Errc::Closed); });
  auto last = first;
  std::vector<Task<int>> all;
  for (int i = 0; i < 100000; ++i) {
    last = last.Then([](int value) { return value + 1; });
    if (i % 1000 == 0) all.push_back(last);
  }
  first.Run(ctx_);
  EXPECT_TRUE(last.Wait().Is(Errc::Closed));
  for (const auto& task : all) EXPECT_TRUE(task.Wait().Is(Errc::Closed));
}

TEST_P(AfterOnWorkers, TheValueMayHaveBeenTakenBefore) {
  auto first = Invoke(ctx_, [] { return std::string("x"); });
  EXPECT_EQ(first.Take(), "x");
  EXPECT_TRUE(first.Then([](const std::string&) {}).Wait().Is(Errc::AlreadyTaken));
}

}  // namespace
}  // namespace orchestrate::test
