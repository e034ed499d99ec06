#include <orchestrate/task/promise.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <orchestrate/orchestrate.hpp>
#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class PromiseOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, PromiseOnWorkers, Widths(), WidthName);

TEST(Promise, IsRunningUntilItIsSet) {
  Promise<int> promise;
  const auto task = promise.Task();
  EXPECT_EQ(task.State(), TaskState::Running);
  EXPECT_FALSE(task.IsDone());
  EXPECT_TRUE(promise.TrySet(5));
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_EQ(task.Get(), 5);
}

// D16
TEST(Promise, SettingTwiceIsRefused) {
  Promise<int> promise;
  EXPECT_FALSE(promise.Set(5));
  EXPECT_FALSE(promise.TrySet(6));
  EXPECT_TRUE(promise.Set(6).Is(Errc::AlreadyTerminal));
  EXPECT_FALSE(promise.TrySetError(Errc::Closed));
  EXPECT_TRUE(promise.SetError(Errc::Closed).Is(Errc::AlreadyTerminal));
  EXPECT_EQ(promise.Task().Get(), 5);
}

// D16
TEST(Promise, AfterCancelItIsTerminal) {
  Promise<int> promise;
  EXPECT_TRUE(promise.Task().Cancel());
  EXPECT_EQ(promise.Task().State(), TaskState::Cancelled);
  EXPECT_TRUE(promise.Task().IsDone());
  EXPECT_TRUE(promise.Set(1).Is(Errc::AlreadyTerminal));
  EXPECT_TRUE(promise.Task().Wait().Is(Errc::Cancelled));
}

TEST(Promise, FailsWithTheErrorGiven) {
  Promise<void> promise;
  EXPECT_FALSE(promise.SetError(Error(Errc::Closed, "shut")));
  EXPECT_EQ(promise.Task().State(), TaskState::Failed);
  EXPECT_EQ(promise.Task().Wait().Message(), "shut");
}

// D27
TEST(Promise, TakesAnEmptyErrorForABadArgument) {
  Promise<int> promise;
  EXPECT_TRUE(promise.TrySetError(Error()));
  EXPECT_TRUE(promise.Task().Wait().Is(Errc::InvalidArgument));
}

// D10
TEST(Promise, DroppedUnsetCancelsItsTask) {
  Task<int> task;
  Task<int> then;
  {
    const Promise<int> promise;
    task = promise.Task();
    then = task.Then([](int value) { return value; });
  }
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_TRUE(then.Wait().Is(Errc::Cancelled));
}

TEST(Promise, MovesKeepTheTask) {
  Promise<int> first;
  const auto task = first.Task();
  Promise<int> second(std::move(first));
  Promise<int> third;
  const auto lost = third.Task();
  third = std::move(second);
  EXPECT_TRUE(lost.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(third.TrySet(1));
  EXPECT_EQ(task.Get(), 1);
  EXPECT_EQ(third.Task().Id(), task.Id());
}

// D27
TEST(Promise, MovedFromRefusesQuietly) {
  Promise<int> first;
  const Promise<int> second(std::move(first));
  EXPECT_FALSE(first.TrySet(1));  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_FALSE(first.TrySetError(Errc::Closed));
  EXPECT_FALSE(first.Task());
}

TEST(Promise, AValueThatThrowsWhenItIsMadeFailsTheTask) {
  struct Picky {
    explicit Picky(int value) {
      if (value < 0) throw std::invalid_argument("negative");
    }
  };
  Promise<Picky> promise;
  EXPECT_TRUE(promise.TrySet(-1));
  EXPECT_EQ(promise.Task().Wait().Message(), "negative");
}

TEST_P(PromiseOnWorkers, WakesEveryWaiter) {
  Promise<int> promise(ctx_);
  std::atomic<int> sum{0};
  std::vector<Task<void>> inside;
  for (int i = 0; i < 10; ++i)
    inside.push_back(Invoke(ctx_, [&sum, task = promise.Task()] { sum += task.Get(); }));
  RunThreads(4, [&](int index) {
    if (index == 0) {
      promise.TrySet(1);
    } else {
      sum += promise.Task().Get();
    }
  });
  for (const auto& task : inside) EXPECT_FALSE(task.Wait());
  EXPECT_EQ(sum, 13);
}

// D4, D16
TEST_P(PromiseOnWorkers, ARaceOfSetAndCancelHasOneWinnerAndItsOutcome) {
  for (int round = 0; round < 2000; ++round) {
    Promise<int> promise(ctx_);
    const auto task = promise.Task();
    std::atomic<int> won{0};
    std::atomic<int> winner{-1};
    const auto note = [&](int who, bool mine) {
      if (!mine) return;
      ++won;
      winner = who;
    };
    RunThreads(3, [&](int index) {
      if (index == 0) note(0, promise.TrySet(7));
      if (index == 1) note(1, promise.TrySetError(Errc::Closed));
      if (index == 2) note(2, task.Cancel());
    });
    ASSERT_EQ(won, 1);
    const auto outcome = task.Outcome();
    if (winner == 0) {
      ASSERT_TRUE(outcome && *outcome == 7);
    }
    if (winner == 1) {
      ASSERT_TRUE(task.State() == TaskState::Failed && outcome.Failure().Is(Errc::Closed));
    }
    if (winner == 2) {
      ASSERT_TRUE(task.State() == TaskState::Cancelled && outcome.Failure().Is(Errc::Cancelled));
    }
  }
}

// D15
TEST(Promise, ItsTasksContinuationsMaySetOtherPromises) {
  Promise<int> first;
  Promise<int> second;
  auto link = first.Task().Then([&second](int value) { second.TrySet(value + 1); });
  auto last = second.Task().Then([](int value) { return value + 1; });
  first.TrySet(1);
  EXPECT_EQ(last.Get(), 3);
  EXPECT_FALSE(link.Wait());
}

TEST(Promise, DurationIsZeroForSomethingThatHasNoBody) {
  Promise<int> promise;
  EXPECT_EQ(promise.Task().Duration(), 0ns);
  promise.TrySet(1);
  EXPECT_EQ(promise.Task().Duration(), 0ns);
}

TEST(Promise, CanBeSetFromADestructorDuringItsOwnEnd) {
  struct SetAtEnd {
    std::shared_ptr<Promise<int>> promise;
    ~SetAtEnd() {
      if (promise) promise->TrySet(1);
    }
    SetAtEnd(std::shared_ptr<Promise<int>> p) : promise(std::move(p)) {}
    SetAtEnd(SetAtEnd&&) = default;
  };
  auto promise = std::make_shared<Promise<int>>();
  const auto task = promise->Task();
  {
    auto work = NewTask([held = SetAtEnd(promise)] {});
    work.Cancel();
  }
  EXPECT_EQ(task.Get(), 1);
}

// D5
TEST_P(PromiseOnWorkers, SetInAnEndedContextSaysWhatTheOutcomeIs) {
  const auto context = ctx_.WithCancel();
  Promise<int> promise(context);
  context.Cancel();
  const bool set = promise.TrySet(1);
  const auto outcome = promise.Task().Outcome();
  EXPECT_EQ(set, static_cast<bool>(outcome))
      << "TrySet said " << set << ", the outcome is " << (outcome ? "a value" : outcome.Failure().Message());
}

}  // namespace
}  // namespace orchestrate::test
