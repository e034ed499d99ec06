#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/flow/wait.hpp>
#include <test/support/gate.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class WaitAllTest : public test::InVirtualTime {
 protected:
  Task<int> After(std::chrono::milliseconds time, int value) {
    return Invoke(ctx_, [time, value](Context& c) -> Result<int> {
      if (Error error = Sleep(c, time).Wait()) return error;
      return value;
    });
  }
  Task<int> FailingAfter(std::chrono::milliseconds time, const char* text) {
    return Invoke(ctx_, [time, text](Context& c) -> Result<int> {
      if (Error error = Sleep(c, time).Wait()) return error;
      return Error(Errc::NotSupported, text);
    });
  }
  // Running until the test ends; kept out of the way of virtual time.
  Task<int> Endless() {
    return Invoke(ctx_, [](Context& c) -> Result<int> {
      if (Error error = Sleep(c, 24h).Wait()) return error;
      return 0;
    });
  }
};
INSTANTIATE_TEST_SUITE_P(Widths, WaitAllTest, test::Widths(), test::WidthName);

// K33
TEST_P(WaitAllTest, OfValuesOrOfNothingIsNoError) {
  EXPECT_FALSE(WaitAll(std::vector{After(10ms, 1), After(0ms, 2), Completed(3)}));
  EXPECT_FALSE(WaitAll(std::vector<Task<int>>{}));
  EXPECT_FALSE(WaitAll(Completed(1), Invoke(ctx_, [] {}), Completed(std::string("x"))));
}

TEST_P(WaitAllTest, WaitsForAllAlsoAfterAFailure) {
  const auto last = After(30ms, 1);
  EXPECT_TRUE(WaitAll(std::vector{FailingAfter(1ms, "early"), last}));
  EXPECT_TRUE(last.IsDone());
  EXPECT_EQ(Elapsed(), 30ms);
}

// D9
TEST_P(WaitAllTest, ListsErrorsInTheOrderOfTheTasks) {
  const std::vector tasks{After(0ms, 0), FailingAfter(20ms, "e1"), Task<int>(), FailingAfter(10ms, "e3")};
  const Error error = WaitAll(tasks);
  EXPECT_EQ(error.Message(), "2 of 3 failed: #1: e1; #3: e3");
  EXPECT_EQ(WaitAll(tasks).Message(), error.Message());
  EXPECT_EQ(WaitAll(tasks[0], tasks[3]).Message(), "1 of 2 failed: #1: e3");
}

// K34
TEST_P(WaitAllTest, SkipsEmptyHandles) {
  const std::vector tasks{Task<int>(), After(5ms, 1), Task<int>(), After(1ms, 2)};
  EXPECT_FALSE(WaitAll(tasks));
  EXPECT_FALSE(WaitAll(std::vector<Task<int>>(3)));
  EXPECT_EQ(CancelAll(std::vector<Task<int>>(3)), 0U);
}

// K35
TEST_P(WaitAllTest, CancelAllThenNoneRuns) {
  const std::vector tasks{Endless(), Endless(), Task<int>(), Endless()};
  EXPECT_EQ(CancelAll(tasks), 3U);
  EXPECT_EQ(CancelAll(tasks), 0U);
  const Error error = WaitAll(tasks);
  EXPECT_EQ(error, Errc::Cancelled);
  EXPECT_EQ(error.Parts().size(), 3U);
  for (const auto& task : tasks) EXPECT_TRUE(!task || task.State() == TaskState::Cancelled);
  EXPECT_EQ(Elapsed(), 0ms);
}

TEST_P(WaitAllTest, CancelAllGivesItsCause) {
  const std::vector tasks{Endless(), Endless()};
  CancelAll(tasks, Error(Errc::Closed, "enough"));
  EXPECT_EQ(WaitAll(tasks).Message(), "2 of 2 failed: #0: enough; #1: enough");
}

TEST_P(WaitAllTest, ManyThatEndInAnyOrder) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 200; ++i) {
    const std::chrono::milliseconds time((i * 37) % 50);
    tasks.push_back(i % 7 == 3 ? FailingAfter(time, "e") : After(time, i));
  }
  const Error error = WaitAll(tasks);
  ASSERT_EQ(error.Parts().size(), 29U);
  for (std::size_t i = 0; i < 29; ++i) EXPECT_EQ(error.Parts()[i].index, i * 7 + 3);
}

// A range whose handles live only as long as somebody looks at them.
struct Made {
  struct Iterator {
    const Made* made;
    int at;
    Task<int> operator*() const {
      return Invoke(made->ctx, [error = made->error](Context& c) -> Result<int> {
        if (Error ended = Sleep(c, 1ms).Wait()) return ended;
        if (error) return error;
        return 1;
      });
    }
    Iterator& operator++() { return ++at, *this; }
    bool operator!=(const Iterator& other) const { return at != other.at; }
  };
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, 3}; }

  Context ctx;
  Error error{};
};

TEST_P(WaitAllTest, TakesHandlesThatTheRangeMakesUp) {
  EXPECT_EQ(WaitAll(Made{ctx_, Error(Errc::NotSupported, "made")}).Parts().size(), 3U);
  EXPECT_LT(WaitAny(Made{ctx_}).Value(), 3U);
}

// D10
TEST_P(WaitAllTest, RefusesTasksThatNobodyElseCanStart) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 2; ++i) tasks.push_back(NewTask([] {}));
  EXPECT_EQ(WaitAll(tasks), Errc::NotStarted);
}

// D10
TEST_P(WaitAllTest, EndsWhenTheOnlyOtherHandleIsDropped) {
  std::vector<Task<void>> tasks;
  tasks.push_back(NewTask([] {}));
  tasks.push_back(Invoke(ctx_, [] {}));
  std::thread dropper([other = tasks[0]]() mutable { other = {}; });
  const Error error = WaitAll(tasks);
  EXPECT_EQ(error, Errc::NotStarted);
  ASSERT_EQ(error.Parts().size(), 1U);
  EXPECT_EQ(error.Parts()[0].index, 0U);
  dropper.join();
}

// D10
TEST_P(WaitAllTest, WaitsForATaskThatIsStartedMeanwhile) {
  const auto task = NewTask([] {});
  std::thread starter([this, task] { task.Run(ctx_); });
  EXPECT_FALSE(WaitAll(task, Completed()));
  EXPECT_EQ(task.State(), TaskState::Completed);
  starter.join();
}

// D23
TEST_P(WaitAllTest, MakesProgressInsideATask) {
  const std::function<int(Context&, int)> fib = [&](Context& c, int n) -> int {
    if (n < 2) return n;
    const auto a = Invoke(c, [&, n](Context& x) { return fib(x, n - 1); });
    const auto b = Invoke(c, [&, n](Context& x) { return fib(x, n - 2); });
    EXPECT_FALSE(WaitAll(a, b));
    return a.Get() + b.Get();
  };
  EXPECT_EQ(Invoke(ctx_, [&](Context& c) { return fib(c, 13); }).Get(), 233);
}

TEST_P(WaitAllTest, NestsDeeperThanThereAreSpareWorkers) {
  const std::function<int(Context&, int)> dig = [&](Context& c, int depth) -> int {
    if (depth == 0) return 0;
    const std::vector tasks{Invoke(c, [&, depth](Context& x) { return dig(x, depth - 1); })};
    EXPECT_FALSE(WaitAll(tasks));
    return tasks[0].Get() + 1;
  };
  EXPECT_EQ(Invoke(ctx_, [&](Context& c) { return dig(c, 5000); }).Get(), 5000);
}

TEST_P(WaitAllTest, OfItselfWouldDeadlock) {
  Task<Error*> self;
  Error found;
  Error any;
  test::Gate set;
  self = Invoke(ctx_, [&] {
    set.Wait();
    found = WaitAll(std::vector{Task<int>(Completed(1)), Task<int>()});
    found = WaitAll(self);
    any = WaitAny(self).Failure();
    return &found;
  });
  set.Open();
  (void)self.Wait();
  EXPECT_EQ(found, Errc::WouldDeadlock);
  EXPECT_EQ(any, Errc::WouldDeadlock);
}

// D23
TEST_P(WaitAllTest, InACircleWouldDeadlock) {
  Task<void> a;
  Task<void> b;
  test::Gate set;
  test::Gate both(GetParam() > 1 ? 2 : 1);  // both run before either waits, if there are two workers
  std::atomic<int> refused{0};
  const auto wait_for = [&](const Task<void>& other) {
    set.Wait();
    both.Open();
    both.Wait();
    if (WaitAll(std::vector{Completed(), other}).Is(Errc::WouldDeadlock)) ++refused;
  };
  a = NewTask([&] { wait_for(b); });
  b = NewTask([&] { wait_for(a); });
  a.Run(ctx_);
  b.Run(ctx_);
  set.Open();
  EXPECT_FALSE(WaitAll(a, b));
  EXPECT_EQ(refused, 1);
}

// D23
TEST_P(WaitAllTest, OfTheJobThatItBelongsToWouldDeadlock) {
  for (const OnError on_error : {OnError::Continue, OnError::Stop}) {
    for (const int count : {0, 1}) {
      Job job;
      test::Gate set;
      Error found;
      job = InvokeAll(ctx_, count, std::vector{NewTask([&] {
                        set.Wait();
                        found = job.Wait();
                      })},
                      on_error);
      set.Open();
      EXPECT_FALSE(WaitAll(job));
      EXPECT_EQ(found, Errc::WouldDeadlock);
    }
  }
}

// ---- with a timeout ----

TEST_P(WaitAllTest, ForATimeSaysWhetherAllHaveEnded) {
  const std::vector tasks{After(10ms, 1), FailingAfter(20ms, "e1"), After(200ms, 2)};
  EXPECT_EQ(WaitAllFor(tasks, 50ms), Errc::DeadlineExceeded);  // whatever has failed by then
  EXPECT_EQ(Elapsed(), 50ms);
  EXPECT_EQ(WaitAllFor(tasks, 1h).Message(), "1 of 3 failed: #1: e1");
  EXPECT_EQ(Elapsed(), 200ms);
  EXPECT_EQ(WaitAllFor(tasks, -1s).Message(), "1 of 3 failed: #1: e1");
  EXPECT_FALSE(WaitAllFor(std::vector<Task<int>>{}, 0ms));
}

TEST_P(WaitAllTest, ForNoTimeOnlyLooks) {
  const std::vector tasks{Endless()};
  EXPECT_EQ(WaitAllFor(tasks, 0ms), Errc::DeadlineExceeded);
  EXPECT_EQ(WaitAllFor(tasks, -5ms), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 0ms);
  CancelAll(tasks);
  (void)WaitAll(tasks);
}

TEST_P(WaitAllTest, ForATimeInsideATaskGivesTheWorkerAway) {
  const auto outer = Invoke(ctx_, [](Context& c) {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(Invoke(c, [i] { return i; }));
    return WaitAllFor(tasks, 1h);
  });
  EXPECT_FALSE(outer.Wait());
  EXPECT_EQ(Elapsed(), 0ms);
}

TEST_P(WaitAllTest, ForATimeByTheClockOfATaskThatIsNotAdmittedYet) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 2; ++i) {
    tasks.push_back(NewTask([](Context& c) { return Sleep(c, 100ms).Wait(); }));
  }
  const Job job = InvokeAll(ctx_, 1, tasks);
  EXPECT_EQ(WaitAllFor(std::vector{tasks[1]}, 10ms), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 10ms);
  EXPECT_FALSE(tasks[1].WaitFor(10ms));
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_FALSE(job.Wait());
}

// ---- any ----

TEST_P(WaitAllTest, AnyIsTheFirstToEnd) {
  const std::vector tasks{After(30ms, 0), Task<int>(), After(10ms, 2), After(20ms, 3)};
  EXPECT_EQ(WaitAny(tasks).Value(), 2U);
  EXPECT_EQ(Elapsed(), 10ms);
  EXPECT_FALSE(WaitAll(tasks));
  EXPECT_EQ(WaitAny(tasks).Value(), 0U);  // the lowest of those that have ended
  EXPECT_EQ(WaitAny(tasks[1], tasks[3]).Value(), 1U);
}

TEST_P(WaitAllTest, AnyTakesAFailureForAnEnd) {
  const std::vector tasks{Endless(), FailingAfter(5ms, "e")};
  EXPECT_EQ(WaitAny(tasks).Value(), 1U);
  CancelAll(tasks);
  EXPECT_TRUE(WaitAll(tasks));
}

TEST_P(WaitAllTest, AnyOfNothingIsAnArgumentThatCannotBe) {
  EXPECT_EQ(WaitAny(std::vector<Task<int>>{}).Failure(), Errc::InvalidArgument);
  EXPECT_EQ(WaitAny(std::vector<Task<int>>(2)).Failure(), Errc::InvalidArgument);
}

// D10
TEST_P(WaitAllTest, AnyRefusesTasksThatNobodyElseCanStart) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 2; ++i) tasks.push_back(NewTask([] {}));
  EXPECT_EQ(WaitAny(tasks).Failure(), Errc::NotStarted);
  std::thread dropper([other = tasks[1]]() mutable { other = {}; });
  EXPECT_EQ(WaitAny(tasks).Failure(), Errc::NotStarted);
  dropper.join();
}

TEST_P(WaitAllTest, AnyOfMany) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(After(std::chrono::milliseconds(100 - i % 50), i));
  const std::size_t first = WaitAny(tasks).Value();
  EXPECT_TRUE(first == 49 || first == 99) << first;
  EXPECT_FALSE(WaitAll(tasks));
}

TEST_P(WaitAllTest, AnyInsideATaskGivesTheWorkerAway) {
  const auto outer = Invoke(ctx_, [](Context& c) -> Result<int> {
    const auto endless = Invoke(c, [](Context& x) { return Sleep(x, 24h).Wait(); });
    const auto quick = Invoke(c, [] { return 5; });
    const auto first = WaitAny(endless, quick);
    endless.Cancel();
    (void)endless.Wait();
    if (!first) return first.Failure();
    return static_cast<int>(*first);
  });
  EXPECT_EQ(outer.Outcome().Value(), 1);
}

using StressWaitAny = WaitAllTest;
INSTANTIATE_TEST_SUITE_P(Widths, StressWaitAny, test::Widths(), test::WidthName);

TEST_P(StressWaitAny, RacesWithEnds) {
  Runtime runtime(GetParam());
  const Context ctx = runtime.Background();
  const auto until = std::chrono::steady_clock::now() + test::StressTime();
  while (std::chrono::steady_clock::now() < until) {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(Invoke(ctx, [i] { return i; }));
    const auto any = WaitAny(tasks);
    ASSERT_TRUE(any.HasValue());
    EXPECT_TRUE(tasks[*any].IsDone());
    EXPECT_FALSE(WaitAllFor(tasks, 1h));
    EXPECT_FALSE(WaitAll(tasks));
  }
}

// D9: an empty handle counts as a place.
TEST(WaitAny, OfOneOpenTaskReturnsItsPlaceAmongAllHandles) {
  Runtime runtime(1);
  const auto index = Invoke(runtime.Background(), [](Context& c) {
    const std::vector<Task<int>> tasks{Task<int>(), Invoke(c, [] { return 1; })};  // its only worker is here
    return WaitAny(tasks);
  });
  EXPECT_EQ(index.Get(), 1U);
}

}  // namespace
}  // namespace orchestrate
