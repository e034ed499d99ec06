#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <numeric>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// Fork/join regions: children with results, errors, cancellation, blocking.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class ForkJoinTest : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ForkJoinTest, Widths(), WidthName);

long Fib(Fork& fork, int n) {
  if (n < 2) return n;
  auto [a, b] =
      fork.Join([n](Fork& own) { return Fib(own, n - 1); }, [n](Fork& own) { return Fib(own, n - 2); });
  return a + b;
}

TEST_P(ForkJoinTest, FromOutsideYieldsTheValue) {
  EXPECT_EQ(*ForkJoin(ctx_, [](Fork& fork) { return Fib(fork, 22); }), 17711);
}

TEST_P(ForkJoinTest, FromAWorkerYieldsTheValue) {
  const auto task = Invoke(
      ctx_, [](Context& context) { return ForkJoin(context, [](Fork& fork) { return Fib(fork, 22); }); });
  EXPECT_EQ(task.Get(), 17711);
}

TEST_P(ForkJoinTest, YieldsValuesOfSeveralTypesInTheirOrder) {
  const auto outcome = ForkJoin(
      ctx_, [] { return 1; }, [](Fork&) { return std::string("two"); }, [] {},
      [] { return std::make_unique<int>(4); });
  ASSERT_TRUE(outcome);
  EXPECT_EQ(std::get<0>(*outcome), 1);
  EXPECT_EQ(std::get<1>(*outcome), "two");
  EXPECT_EQ(std::get<2>(*outcome), std::monostate());
  EXPECT_EQ(*std::get<3>(*outcome), 4);
}

TEST_P(ForkJoinTest, OfFunctionsThatYieldNothingYieldsNothing) {
  std::atomic<int> calls{0};
  const Result<void> outcome = ForkJoin(ctx_, [&calls](Fork& fork) {
    fork.Join([&calls] { ++calls; }, [&calls] { ++calls; }, [&calls](Fork&) { ++calls; });
  });
  EXPECT_TRUE(outcome);
  EXPECT_EQ(calls, 3);
}

TEST_P(ForkJoinTest, TakesResultsAndErrorsOfChildren) {
  const auto outcome = ForkJoin(ctx_, [](Fork& fork) {
    auto [number, nothing] = fork.Join([]() -> Result<int> { return 7; }, []() -> Error { return {}; });
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    return number;
  });
  EXPECT_EQ(*outcome, 7);
}

TEST_P(ForkJoinTest, RunsOnTheDefaultRuntimeWithoutAContext) {
  EXPECT_EQ(*ForkJoin([](Fork& fork) { return Fib(fork, 10); }), 55);
}

// Two children that wait for each other can only end when both run at the same time.
TEST(ForkJoin, RunsChildrenAtTheSameTimeWhenAWorkerIsFree) {
  Runtime runtime(2);
  const Watchdog watchdog;
  Gate left;
  Gate right;
  const auto meet = [](Gate& mine, Gate& other) {
    return [&mine, &other] {
      mine.Open();
      Blocking([&other] { other.Wait(); });
    };
  };
  EXPECT_TRUE(ForkJoin(runtime.Background(), meet(left, right), meet(right, left)));
}

TEST(ForkJoin, HandsOutEnoughForAllWorkers) {
  Runtime runtime(4);
  const Watchdog watchdog;
  Gate all(4);
  const auto leaf = [&all] {
    all.Open();
    Blocking([&all] { all.Wait(); });
  };
  const auto pair = [&leaf](Fork& fork) { fork.Join(leaf, leaf); };
  EXPECT_TRUE(ForkJoin(runtime.Background(), [&pair](Fork& fork) { fork.Join(pair, pair); }));
}

// D26
TEST_P(ForkJoinTest, PassesOnTheVeryExceptionThatWasThrown) {
  const auto outcome = ForkJoin(ctx_, [](Fork& fork) {
    fork.Join([] {}, []() { throw std::runtime_error("boom"); });
    return 1;
  });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::Exception));
  EXPECT_THROW(outcome.Failure().Rethrow(), std::runtime_error);
}

TEST_P(ForkJoinTest, ThrowsWhereTheChildrenAreJoined) {
  const auto outcome = ForkJoin(ctx_, [](Fork& fork) {
    try {
      fork.Join([] { return 1; }, []() -> Result<int> { return Errc::QueueFull; });
    } catch (const ErrorException& caught) {
      return caught.Failure().Is(Errc::QueueFull) ? 5 : 0;
    }
    return 0;
  });
  EXPECT_EQ(*outcome, 5);
}

TEST_P(ForkJoinTest, ReportsTheFirstFailureInTheOrderOfTheFunctions) {
  for (int round = 0; round < 200; ++round) {
    const auto outcome = ForkJoin(
        ctx_, []() -> Error { return Errc::QueueFull; }, []() -> Error { return Errc::Closed; });
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.Failure().Is(Errc::QueueFull)) << outcome.Failure().Message();
  }
}

TEST_P(ForkJoinTest, BeginsNothingAfterAFailureThatItSaw) {
  std::atomic<int> calls{0};
  const Error error = ForkJoin(ctx_, [&calls](Fork& fork) {
                        try {
                          fork.Join([] { throw 1; }, [&calls] { ++calls; });
                        } catch (int) {
                          const int seen = calls;  // whoever had begun has left
                          std::this_thread::yield();
                          EXPECT_EQ(calls, seen);
                          throw;
                        }
                      }).Failure();
  EXPECT_TRUE(error.Is(Errc::Exception));
}

// One child fails while the other, forking for ever, runs on another thread: it is stopped at a fork.
TEST(ForkJoin, StopsASiblingThatForksForEver) {
  Runtime runtime(2);
  const Watchdog watchdog;
  for (const bool first_fails : {true, false}) {
    Gate running;
    const auto fail = [&running]() -> Error {
      Blocking([&running] { running.Wait(); });
      return Errc::QueueFull;
    };
    const auto for_ever = [&running](Fork& fork) {
      running.Open();
      for (;;) fork.Join([] {}, [] {});
    };
    const auto outcome = first_fails ? ForkJoin(runtime.Background(), fail, for_ever)
                                     : ForkJoin(runtime.Background(), for_ever, fail);
    ASSERT_FALSE(outcome);
    EXPECT_TRUE(outcome.Failure().Is(Errc::QueueFull)) << outcome.Failure().Message();
  }
}

TEST(ForkJoin, StopsWhatTheSiblingHasForkedToo) {
  Runtime runtime(3);
  const Watchdog watchdog;
  Gate running(2);
  const auto for_ever = [&running](Fork& fork) {
    running.Open();
    for (;;) fork.ThrowIfStopped();
  };
  const auto outcome = ForkJoin(
      runtime.Background(), [&for_ever](Fork& fork) { fork.Join(for_ever, for_ever); },
      [&running]() -> Error {
        Blocking([&running] { running.Wait(); });
        return Errc::QueueFull;
      });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::QueueFull)) << outcome.Failure().Message();
}

// A value that nobody takes, because the other child fails later, is destroyed all the same.
TEST(ForkJoin, DropsTheValueOfASiblingThatHadEnded) {
  Runtime runtime(2);
  const Watchdog watchdog;
  for (const int kind : {0, 1}) {
    std::weak_ptr<int> seen;
    Gate made;
    const auto make = [&] {
      auto value = std::make_shared<int>(1);
      seen = value;
      made.Open();
      return value;
    };
    const auto fail = [&](Fork& fork) -> std::shared_ptr<int> {
      if (kind == 1) ParallelFor(fork, 0, 100, [](int) {});
      Blocking([&made] { made.Wait(); });
      throw std::runtime_error("boom");
    };
    EXPECT_FALSE(ForkJoin(runtime.Background(), fail, make));
    EXPECT_TRUE(seen.expired());
  }
}

TEST_P(ForkJoinTest, StopsAtAForkWhenItsContextEnds) {
  const Watchdog watchdog;
  const Context context = ctx_.WithCancel();
  const auto outcome = ForkJoin(context, [&context](Fork& fork) {
    for (int i = 0;; ++i) {
      fork.Join([] {}, [] {});
      if (i == 1000) context.Cancel();
    }
  });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::Cancelled));
}

TEST_P(ForkJoinTest, StopsAtAForkWhenItsDeadlineHasPassed) {
  const Watchdog watchdog;
  const auto outcome = ForkJoin(ctx_.WithTimeout(20ms), [](Fork& fork) {
    for (;;) fork.Join([] {}, [] {});
  });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::DeadlineExceeded));
}

// D6
TEST_P(ForkJoinTest, CallsNothingUnderAContextThatHasEnded) {
  const Context context = ctx_.WithCancel();
  context.Cancel();
  const auto outcome = ForkJoin(context, [] { ADD_FAILURE(); });
  EXPECT_TRUE(outcome.Failure().Is(Errc::Cancelled));
}

// D19
TEST_P(ForkJoinTest, AfterShutdownCallsNothing) {
  (void)runtime_.Shutdown(ShutdownMode::Drain, 20s);
  const auto outcome = ForkJoin(ctx_, [] { ADD_FAILURE(); });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::ShutDown) || outcome.Failure().Is(Errc::Cancelled));
}

// D27
TEST_P(ForkJoinTest, RefusesAnEmptyFunction) {
  const auto outcome = ForkJoin(ctx_, std::function<int()>());
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::InvalidArgument));
  EXPECT_NE(outcome.Failure().Message().find("ForkJoin"), std::string::npos);
}

// D27
TEST_P(ForkJoinTest, RefusesAnEmptyFunctionInsideToo) {
  const auto message = [this](auto call) {
    const auto outcome = ForkJoin(ctx_, call);
    return outcome ? std::string() : outcome.Failure().Message();
  };
  EXPECT_EQ(message([](Fork& fork) { fork.Join([] {}, std::function<void()>()); }),
            "Fork::Join: the function is empty");
  EXPECT_EQ(message([](Fork& fork) { ParallelFor(fork, 0, 3, std::function<void(int)>()); }),
            "ParallelFor: the function is empty");
  EXPECT_EQ(message([](Fork& /*fork*/) { Blocking(std::function<void()>()); }),
            "Blocking: the function is empty");
}

TEST_P(ForkJoinTest, ShowsTheContextOfTheRegion) {
  const ContextKey<int> key;
  const auto outcome =
      ForkJoin(ctx_.WithValue(key, 3), [&key](Fork& fork) { return *fork.GetContext().Value(key); });
  EXPECT_EQ(*outcome, 3);
}

TEST_P(ForkJoinTest, NestsInEachOther) {
  const auto outcome = ForkJoin(ctx_, [](Fork& outer) {
    const auto inner = [context = outer.GetContext()] {
      return ForkJoin(context, [](Fork& fork) { return Fib(fork, 12); });
    };
    auto [a, b] = outer.Join(inner, inner);
    return a + b;
  });
  EXPECT_EQ(*outcome, 288);
}

// D23
TEST_P(ForkJoinTest, ChildrenWaitForTasks) {
  const Watchdog watchdog;
  const auto outcome = ForkJoin(ctx_, [](Fork& fork) {
    const auto spawn = [context = fork.GetContext()] { return Invoke(context, [] { return 1; }).Get(); };
    long sum = 0;
    for (int i = 0; i < 100; ++i) {
      auto [a, b] = fork.Join(spawn, spawn);
      sum += a + b;
    }
    return sum;
  });
  EXPECT_EQ(*outcome, 200);
}

// A child that blocks for what its sibling does, which only this thread knows of until then.
TEST_P(ForkJoinTest, BlockingHandsOutWhatWasForkedBefore) {
  const Watchdog watchdog;
  Gate done;
  const auto outcome = ForkJoin(
      ctx_, [&done] { return Blocking([&done] { return done.Wait(), 1; }); },
      [&done] {
        done.Open();
        return 2;
      });
  ASSERT_TRUE(outcome);
  EXPECT_EQ(std::get<0>(*outcome) + std::get<1>(*outcome), 3);
}

TEST_P(ForkJoinTest, AWaitOfTheLibraryHandsOutWhatWasForkedBefore) {
  const Watchdog watchdog;
  Promise<int> promise;
  const auto outcome = ForkJoin(
      ctx_, [task = promise.Task()] { return task.Get(); },
      [&promise] {
        promise.Set(4);
        return 1;
      });
  ASSERT_TRUE(outcome);
  EXPECT_EQ(std::get<0>(*outcome), 4);
}

TEST_P(ForkJoinTest, DeepInARecursionBlockingHandsOutAllOfIt) {
  const Watchdog watchdog;
  Gate all(100);
  const auto descend = [&all](auto& self, Fork& fork, int depth) -> void {
    if (depth == 0) return Blocking([&all] { all.Wait(); });
    fork.Join([&](Fork& own) { self(self, own, depth - 1); }, [&all] { all.Open(); });
  };
  EXPECT_TRUE(ForkJoin(ctx_, [&descend](Fork& fork) { descend(descend, fork, 100); }));
}

TEST(ForkJoin, OnAStrandRunsInTurn) {
  Runtime runtime(2);
  Strand strand(runtime.GetExecutor());
  const auto outcome =
      ForkJoin(Where(runtime.Background()).On(strand), [](Fork& fork) { return Fib(fork, 10); });
  EXPECT_EQ(*outcome, 55);
}

TEST_P(ForkJoinTest, ManyRegionsAtTheSameTime) {
  const Watchdog watchdog(60s);
  std::vector<Task<long>> tasks;
  for (int i = 0; i < 200; ++i) {
    tasks.push_back(Invoke(
        ctx_, [](Context& context) { return ForkJoin(context, [](Fork& fork) { return Fib(fork, 14); }); }));
  }
  for (const auto& task : tasks) EXPECT_EQ(task.Get(), 377);
}

TEST_P(ForkJoinTest, LeavesNothingBehind) {
  ASSERT_TRUE(ForkJoin(ctx_, [](Fork& fork) { return Fib(fork, 15); }));
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Drain, 20s).Value(), 0U);
}

// D23
TEST_P(ForkJoinTest, AChildThatWaitsForTheTaskThatForkedItIsTold) {
  const Watchdog watchdog;
  Task<int> self;
  Gate ready;
  self = Invoke(ctx_, [&](Context& context) {
    ready.Wait();
    const auto wait = [&self] { return self.Wait().Is(Errc::WouldDeadlock) ? 1 : 0; };
    const auto outcome = ForkJoin(context, wait);
    return outcome ? *outcome : 0;
  });
  ready.Open();
  EXPECT_EQ(self.Get(), 1);
}

}  // namespace
}  // namespace orchestrate::test
