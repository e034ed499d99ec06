#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/wait.hpp>
#include "support/gate.hpp"
#include "support/virtual_time.hpp"

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using Ints = std::vector<int>;

class InvokeAllTest : public test::InVirtualTime {
 protected:
  // Fails with `text` after `time`.
  static Task<void> FailingAfter(std::chrono::milliseconds time, const char* text) {
    return NewTask([time, text](Context& c) -> Error {
      if (Error error = Sleep(c, time).Wait()) return error;
      return {Errc::NotSupported, text};
    });
  }

  template <class T = int>
  static std::vector<Task<int>> Numbers(int count) {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(NewTask([i] { return i; }));
    return tasks;
  }
};
INSTANTIATE_TEST_SUITE_P(Widths, InvokeAllTest, test::Widths(), test::WidthName);

std::vector<std::size_t> IndicesOf(const Error& error) {
  std::vector<std::size_t> indices;
  for (const IndexedError& part : error.Parts()) indices.push_back(part.index);
  return indices;
}

// ---- admission ----

// K29
TEST_P(InvokeAllTest, StartsInOrderAtMostSoManyAtATime) {
  std::mutex mutex;
  std::vector<std::pair<int, Nanoseconds>> starts;
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 6; ++i) {
    tasks.push_back(NewTask([&, i](Context& c) -> Error {
      {
        const std::lock_guard lock(mutex);
        starts.emplace_back(i, Elapsed());
        most = std::max<int>(most, ++running);
      }
      Error error = Sleep(c, 10ms).Wait();
      --running;
      return error;
    }));
  }
  EXPECT_FALSE(InvokeAll(ctx_, 2, tasks).Wait());
  ASSERT_EQ(starts.size(), 6U);
  EXPECT_EQ(most, 2);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(starts[i].second, Nanoseconds(10ms) * (i / 2)) << i;
  // Two that start together may do so in either order.
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(starts[i].first / 2, static_cast<int>(i / 2)) << i;
}

TEST_P(InvokeAllTest, StartsOneAfterTheOtherInTheOrderOfTheRange) {
  Ints order;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(NewTask([&order, i] { order.push_back(i); }));
  EXPECT_FALSE(InvokeAll(ctx_, 1, tasks).Wait());
  Ints expected(100);
  for (int i = 0; i < 100; ++i) expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

// K30
TEST_P(InvokeAllTest, ReturnsAtOnceAndRunsAll) {
  test::Gate gate;
  const test::OpenAtEnd open(gate);
  std::atomic<int> ran{0};
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 6; ++i) {
    tasks.push_back(NewTask([&] {
      gate.Wait();
      ++ran;
    }));
  }
  const Job job = InvokeAll(ctx_, 0, tasks);
  EXPECT_FALSE(job.IsDone());
  EXPECT_EQ(job.State(), TaskState::Running);
  EXPECT_EQ(ran, 0);
  gate.Open();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran, 6);
  EXPECT_EQ(job.State(), TaskState::Completed);
}

TEST_P(InvokeAllTest, RunsAllAtOnceWithoutALimit) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 10ms).Wait(); }));
  EXPECT_FALSE(InvokeAll(ctx_, Concurrency::Unlimited(), tasks).Wait());
  EXPECT_EQ(Elapsed(), 10ms);
}

// D11
TEST_P(InvokeAllTest, TakesNegativeForTheNumberOfWorkers) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 16; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 10ms).Wait(); }));
  EXPECT_FALSE(InvokeAll(ctx_, -1, tasks).Wait());
  EXPECT_EQ(Elapsed(), Nanoseconds(10ms) * (16 / GetParam()));
}

TEST_P(InvokeAllTest, TakesAnyKindOfNumber) {
  const auto tasks = Numbers(3);
  EXPECT_FALSE(InvokeAll(ctx_, tasks.size(), tasks).Wait());
  EXPECT_FALSE(InvokeAll(ctx_, std::uint64_t{~0ULL}, Numbers(3)).Wait());
  EXPECT_EQ(Concurrency(-7), Concurrency::Workers());
  EXPECT_EQ(Concurrency(std::uint64_t{~0ULL}), Concurrency::Unlimited());
}

// A pending body (here: one that returned a task) keeps its admission.
TEST_P(InvokeAllTest, CountsAPendingTaskAsRunning) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 10ms); }));
  const Job job = InvokeAll(ctx_, 2, tasks);
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_EQ(job.Done(), 4U);
}

TEST_P(InvokeAllTest, OfNothingIsDoneAtOnce) {
  EXPECT_TRUE(InvokeAll(ctx_, 3, std::vector<Task<int>>{}).IsDone());
  EXPECT_FALSE(InvokeAll(ctx_, 3, std::vector<Task<int>>{}).Wait());
  EXPECT_FALSE(InvokeAll(ctx_, 0, std::vector<Task<int>>{}).Wait());
}

// K34
TEST_P(InvokeAllTest, SkipsEmptyHandles) {
  for (const int limit : {0, 1, 2}) {
    auto tasks = Numbers(3);
    tasks.insert(tasks.begin() + 1, 2, Task<int>());
    tasks.emplace_back();
    const Job job = InvokeAll(ctx_, limit, tasks);
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(job.Total(), 3U);
    EXPECT_EQ(job.Done(), 3U);
    EXPECT_EQ(tasks[3].Outcome().Value(), 1);
  }
}

TEST_P(InvokeAllTest, AwaitsWhatWasStartedOrHasEndedBefore) {
  for (const int limit : {0, 1}) {
    test::Gate gate;
    const test::OpenAtEnd open(gate);
    std::vector<Task<int>> tasks = Numbers(2);
    const auto elsewhere = Invoke(ctx_, [&] { return gate.Wait(), 7; });
    tasks.push_back(elsewhere);
    tasks.push_back(Completed(8));
    tasks.push_back(Failed<int>(Error(Errc::NotSupported, "old")));
    tasks.push_back(NewTask([] { return 9; }));
    const Job job = InvokeAll(ctx_, limit, tasks);
    if (GetParam() > 1) {  // the limit does not count what runs elsewhere
      EXPECT_EQ(tasks.back().Outcome().Value(), 9);
    }
    EXPECT_FALSE(job.IsDone());
    gate.Open();
    EXPECT_EQ(IndicesOf(job.Wait()), std::vector<std::size_t>{4});
    EXPECT_EQ(job.Done(), 6U);
    EXPECT_EQ(job.Failures(), 1U);
  }
}

TEST_P(InvokeAllTest, TakesOneTaskTwice) {
  std::atomic<int> runs{0};
  const auto task = NewTask([&] { ++runs; });
  for (const int limit : {0, 1, 2}) EXPECT_FALSE(InvokeAll(ctx_, limit, std::vector{task, task}).Wait());
  EXPECT_EQ(runs, 1);
}

TEST_P(InvokeAllTest, AwaitsAContinuationOfOneOfTheBatch) {
  const auto first = NewTask([] { return 1; });
  const auto second = first.Then([](int value) { return value + 1; });
  EXPECT_FALSE(InvokeAll(ctx_, 1, std::vector{second, first}).Wait());
  EXPECT_EQ(second.Outcome().Value(), 2);
}

TEST_P(InvokeAllTest, TakesHandlesThatTheRangeMakesUp) {
  struct Squares {
    struct Iterator {
      int at;
      Task<int> operator*() const {
        return NewTask([n = at] { return n * n; });
      }
      Iterator& operator++() { return ++at, *this; }
      bool operator!=(const Iterator& other) const { return at != other.at; }
    };
    [[nodiscard]] static Iterator begin() { return {0}; }
    [[nodiscard]] static Iterator end() { return {5}; }
  };
  const auto results = InvokeAllResults(ctx_, 2, Squares{}).Get();
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(results[4].Value(), 16);
}

TEST_P(InvokeAllTest, RunsAMillionTasks) {
  constexpr int kTasks = 1'000'000;
  std::atomic<std::int64_t> sum{0};
  {
    std::vector<Task<void>> tasks;
    tasks.reserve(kTasks);
    for (int i = 0; i < kTasks; ++i)
      tasks.push_back(NewTask([&sum, i] { sum.fetch_add(i, std::memory_order_relaxed); }));
    const Job job = InvokeAll(ctx_, 8, tasks);
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(job.Done(), static_cast<std::size_t>(kTasks));
  }
  EXPECT_EQ(sum, std::int64_t{kTasks} * (kTasks - 1) / 2);
}

// ---- errors ----

// K31
TEST_P(InvokeAllTest, ListsErrorsInTheOrderOfTheTasks) {
  std::vector<Task<void>> tasks{NewTask([] {}), FailingAfter(20ms, "e1"), NewTask([] {}),
                                FailingAfter(10ms, "e3")};
  const Job job = InvokeAll(ctx_, 0, tasks);
  const Error error = job.Wait();
  EXPECT_EQ(error.Message(), "2 of 4 failed: #1: e1; #3: e3");
  EXPECT_EQ(job.State(), TaskState::Failed);
  EXPECT_EQ(job.LastError().Message(), "e1");
  EXPECT_EQ(job.Failures(), 2U);
}

// K32
TEST_P(InvokeAllTest, ListsErrorsOfThrottledTasks) {
  std::vector<Task<void>> tasks{NewTask([] {}), FailingAfter(20ms, "e1"), NewTask([] {}),
                                FailingAfter(10ms, "e3")};
  EXPECT_EQ(InvokeAll(ctx_, 2, tasks).Wait().Message(), "2 of 4 failed: #1: e1; #3: e3");
  std::vector<Task<int>> one{NewTask([]() -> int { throw std::runtime_error("boom"); })};
  const Error error = InvokeAll(ctx_, 2, one).Wait();
  EXPECT_EQ(error.Message(), "1 of 1 failed: #0: boom");
  EXPECT_EQ(error, Errc::Exception);
}

// D12
TEST_P(InvokeAllTest, KeepsTheErrorsOfAll) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(NewTask([] { return Error(Errc::NotSupported); }));
  const Error error = InvokeAll(ctx_, 4, tasks).Wait();
  EXPECT_EQ(error.Parts().size(), 1000U);
  EXPECT_EQ(error.Counts().failures, 1000U);
  EXPECT_EQ(error.Counts().total, 1000U);
}

TEST_P(InvokeAllTest, StopsAtTheFirstErrorWhenAsked) {
  test::Gate running;
  std::atomic<int> called{0};
  std::vector<Task<void>> tasks;
  tasks.push_back(NewTask([&](Context& c) {
    running.Open();
    return Sleep(c, 1h).Wait();
  }));
  tasks.push_back(NewTask([&] {
    running.Wait();
    return Error(Errc::NotSupported, "first");
  }));
  for (int i = 0; i < 20; ++i) tasks.push_back(NewTask([&] { ++called; }));
  const Job job = InvokeAll(ctx_, 2, tasks, OnError::Stop);
  const Error error = job.Wait();
  EXPECT_EQ(error.Message(), "1 of 22 failed: #1: first");
  EXPECT_EQ(job.State(), TaskState::Failed);
  EXPECT_EQ(tasks[0].Wait(), Errc::Cancelled);
  EXPECT_EQ(tasks[21].State(), TaskState::Cancelled);
  EXPECT_EQ(called, 0);
  EXPECT_EQ(Elapsed(), 0ms);
  EXPECT_EQ(job.Done(), 22U);
  EXPECT_EQ(job.LastError().Message(), "first");
}

TEST_P(InvokeAllTest, StopsAtTheFirstErrorAlsoWithoutALimit) {
  std::vector<Task<void>> tasks{NewTask([](Context& c) { return Sleep(c, 1h).Wait(); }),
                                FailingAfter(10ms, "e1"),
                                NewTask([](Context& c) { return Sleep(c, 1h).Wait(); })};
  EXPECT_EQ(InvokeAll(ctx_, 0, tasks, OnError::Stop).Wait().Message(), "1 of 3 failed: #1: e1");
  EXPECT_EQ(Elapsed(), 10ms);
}

// D27
TEST_P(InvokeAllTest, RefusesAnIntervalOfZero) {
  const Job job = InvokeAll(ctx_, 1, Numbers(1), JobOptions().WithProgress([](const Progress&) {}, 0ms));
  EXPECT_EQ(job.Wait(), Errc::InvalidArgument);
  EXPECT_EQ(job.Wait().Message(), "InvokeAll: progress interval 0 ns, must be > 0");
}

// ---- the end of the context ----

// D6
TEST_P(InvokeAllTest, CallsNothingUnderAnEndedContext) {
  for (const int limit : {0, 1}) {
    std::atomic<int> called{0};
    const Context ctx = ctx_.WithCancel();
    ctx.Cancel();
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 5; ++i) tasks.push_back(NewTask([&] { ++called; }));
    const Job job = InvokeAll(ctx, limit, tasks);
    EXPECT_EQ(job.Wait(), Errc::Cancelled);
    EXPECT_EQ(job.State(), TaskState::Cancelled);
    EXPECT_EQ(job.Duration(), 0ns);
    EXPECT_EQ(called, 0);
    for (const auto& task : tasks) EXPECT_EQ(task.State(), TaskState::Cancelled);
  }
}

// D3
TEST_P(InvokeAllTest, CancelEndsWhatRunsAndWhatWaits) {
  for (const int limit : {0, 2}) {
    test::Gate leave;
    const test::OpenAtEnd open(leave);
    std::atomic<int> started{0};
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 6; ++i) {
      tasks.push_back(NewTask([&](Context& c) {
        ++started;
        (void)Sleep(c, 1h).Wait();  // ends with the context
        leave.Wait();
      }));
    }
    const Job job = InvokeAll(ctx_, limit, tasks);
    const int expected = limit == 0 ? 6 : 2;
    ASSERT_TRUE(test::Eventually([&] { return started == expected; }));
    EXPECT_TRUE(job.Cancel());
    EXPECT_FALSE(job.Cancel());
    EXPECT_EQ(job.State(), TaskState::Cancelled);
    if (limit != 0) {
      EXPECT_EQ(tasks[5].Wait(), Errc::Cancelled);  // at once, although nobody has left
    }
    EXPECT_FALSE(job.IsDone());
    leave.Open();
    EXPECT_EQ(job.Wait(), Errc::Cancelled);
    EXPECT_TRUE(job.IsDone());
    EXPECT_EQ(started, expected);
    for (const auto& task : tasks) EXPECT_EQ(task.State(), TaskState::Cancelled);
    EXPECT_EQ(job.Done(), 6U);
  }
}

// D5
TEST_P(InvokeAllTest, EndsWithTheErrorOfItsContextAndKeepsTheOthers) {
  std::vector<Task<void>> tasks{FailingAfter(10ms, "e0"),
                                NewTask([](Context& c) { return Sleep(c, 1h).Wait(); }), NewTask([] {})};
  const Job job = InvokeAll(ctx_.WithTimeout(50ms), 1, tasks);
  const Error error = job.Wait();
  EXPECT_EQ(error.Code(), Errc::DeadlineExceeded);
  EXPECT_EQ(IndicesOf(error.Cause()), std::vector<std::size_t>{0});
  EXPECT_EQ(job.State(), TaskState::Cancelled);
  EXPECT_EQ(tasks[2].State(), TaskState::Cancelled);
  EXPECT_EQ(Elapsed(), 50ms);
}

TEST_P(InvokeAllTest, KeepsTheCauseOfACancel) {
  const Job job = InvokeAll(ctx_, 1, std::vector{NewTask([](Context& c) { return Sleep(c, 1h).Wait(); })});
  job.Cancel(Error(Errc::Closed, "enough"));
  EXPECT_EQ(job.Wait().Message(), "enough");
}

TEST_P(InvokeAllTest, SkipsATaskThatWasCancelledMeanwhile) {
  test::Gate gate;
  const test::OpenAtEnd open(gate);
  std::vector<Task<void>> tasks{NewTask([&] { gate.Wait(); }), NewTask([] { FAIL(); }), NewTask([] {})};
  const Job job = InvokeAll(ctx_, 1, tasks);
  EXPECT_TRUE(tasks[1].Cancel());
  EXPECT_EQ(tasks[1].Wait(), Errc::Cancelled);
  gate.Open();
  EXPECT_EQ(IndicesOf(job.Wait()), std::vector<std::size_t>{1});
}

// D19
TEST_P(InvokeAllTest, FailsAllTasksAfterShutdown) {
  Runtime runtime(GetParam());
  const Context ctx = runtime.Background();
  EXPECT_TRUE(runtime.Shutdown(ShutdownMode::Drain, 5s).HasValue());
  for (const int limit : {0, 2}) {
    const auto tasks = Numbers(3);
    const Job job = InvokeAll(ctx, limit, tasks);
    EXPECT_EQ(job.Wait(), Errc::ShutDown);
    EXPECT_EQ(job.Failures(), 3U);
    for (const auto& task : tasks) EXPECT_EQ(task.Wait(), Errc::ShutDown);
  }
}

TEST_P(InvokeAllTest, EndsWhenItsRuntimeIsDestroyed) {
  Job job;
  std::vector<Task<void>> tasks;
  test::Gate started;
  {
    Runtime runtime(GetParam());
    tasks.push_back(NewTask([&](Context& c) {
      started.Open();
      return Sleep(c, 1h).Wait();
    }));
    for (int i = 0; i < 10; ++i) tasks.push_back(NewTask([] {}));
    job = InvokeAll(runtime.Background(), 1, tasks);
    started.Wait();
  }
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
  for (const auto& task : tasks) EXPECT_EQ(task.State(), TaskState::Cancelled);
}

// ---- waiting inside ----

// D23
TEST_P(InvokeAllTest, NestsInItself) {
  std::atomic<int> leaves{0};
  const std::function<void(Context&, int)> grow = [&](Context& c, int depth) {
    if (depth == 0) {
      ++leaves;
      return;
    }
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i)
      tasks.push_back(NewTask([&, depth](Context& inner) { grow(inner, depth - 1); }));
    EXPECT_FALSE(InvokeAll(c, depth % 3, tasks).Wait());
  };
  Invoke(ctx_, [&](Context& c) { grow(c, 6); }).Get();
  EXPECT_EQ(leaves, 729);
}

TEST_P(InvokeAllTest, NestsDeeperThanThereAreSpareWorkers) {
  const std::function<int(Context&, int)> dig = [&](Context& c, int depth) -> int {
    if (depth == 0) return 0;
    int below = 0;
    std::vector<Task<void>> tasks{NewTask([&](Context& inner) { below = dig(inner, depth - 1); })};
    EXPECT_FALSE(InvokeAll(c, depth % 2, tasks).Wait());
    return below + 1;
  };
  EXPECT_EQ(Invoke(ctx_, [&](Context& c) { return dig(c, 2000); }).Get(), 2000);
}

TEST_P(InvokeAllTest, ABodyThatWaitsForALaterOneLendsItItsAdmission) {
  std::vector<Task<int>> tasks(3);
  tasks[2] = NewTask([] { return 1; });
  tasks[1] = NewTask([&] { return tasks[2].Get() + 1; });
  tasks[0] = NewTask([&] { return tasks[1].Get() + 1; });
  const auto batch = tasks;
  EXPECT_FALSE(InvokeAll(ctx_, 1, batch).Wait());
  EXPECT_EQ(batch[0].Outcome().Value(), 3);
}

TEST_P(InvokeAllTest, ALongChainOfSuchWaitsEnds) {
  constexpr int kTasks = 20'000;
  std::vector<Task<int>> tasks(kTasks);
  tasks.back() = NewTask([] { return 1; });
  for (std::size_t i = kTasks - 1; i-- > 0;) {
    tasks[i] = NewTask([&tasks, i] { return tasks[i + 1].Get() + 1; });
  }
  EXPECT_FALSE(InvokeAll(ctx_, 1, tasks).Wait());
  EXPECT_EQ(tasks[0].Outcome().Value(), kTasks);
}

TEST_P(InvokeAllTest, EveryKindOfWaitForALaterOneMakesProgress) {
  std::vector<Task<int>> later = Numbers(4);
  std::vector<Task<int>> tasks{NewTask([&] {
    EXPECT_FALSE(WaitAll(std::vector{later[0]}));
    const auto any = WaitAny(std::vector{later[1]});
    EXPECT_TRUE(any.HasValue());
    EXPECT_TRUE(later[2].WaitFor(1h));
    EXPECT_FALSE(WaitAllFor(std::vector{later[3]}, 1h));
    return 0;
  })};
  tasks.insert(tasks.end(), later.begin(), later.end());
  EXPECT_FALSE(InvokeAll(ctx_, 1, tasks).Wait());
  EXPECT_EQ(Elapsed(), 0ms);
}

TEST_P(InvokeAllTest, WaitsForATaskOfTheBatchThatRuns) {
  std::vector<Task<int>> tasks(2);
  tasks[0] = NewTask([](Context& c) -> Result<int> {
    if (Error error = Sleep(c, 10ms).Wait()) return error;
    return 1;
  });
  tasks[1] = NewTask([&] { return tasks[0].Get() + 1; });
  EXPECT_FALSE(InvokeAll(ctx_, 2, tasks).Wait());
  EXPECT_EQ(tasks[1].Outcome().Value(), 2);
}

// ---- counting ----

TEST_P(InvokeAllTest, CountsWhileItRuns) {
  test::Gate first;
  test::Gate rest;
  const test::OpenAtEnd open_first(first);
  const test::OpenAtEnd open_rest(rest);
  std::vector<Task<void>> tasks{NewTask([] {}), NewTask([] { return Error(Errc::NotSupported); }),
                                NewTask([&] { first.Wait(); }), NewTask([&] { rest.Wait(); })};
  const Job job = InvokeAll(ctx_, 1, tasks);
  ASSERT_TRUE(test::Eventually([&] { return job.Done() == 2 && job.Running() == 1; }));
  EXPECT_EQ(job.Failures(), 1U);
  EXPECT_EQ(job.Total(), 4U);
  first.Open();
  ASSERT_TRUE(test::Eventually([&] { return job.Done() == 3 && job.Running() == 1; }));
  rest.Open();
  (void)job.Wait();
  EXPECT_EQ(job.Done(), 4U);
  EXPECT_EQ(job.Running(), 0U);
}

TEST_P(InvokeAllTest, ReportsProgressAtMostOnceAnInterval) {
  std::mutex mutex;
  std::vector<std::pair<Progress, Nanoseconds>> seen;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 73ms).Wait(); }));
  tasks.push_back(NewTask([] { return Error(Errc::NotSupported); }));
  const Job job = InvokeAll(ctx_, 1, tasks, JobOptions().WithProgress([&](const Progress& progress) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(progress, Elapsed());
  }));
  EXPECT_TRUE(job.Wait());
  ASSERT_EQ(seen.size(), 8U);  // after 100, 200 … 700 ms, and at the end after 730
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(seen[i].second, 100ms * (i + 1));
    EXPECT_EQ(seen[i].first.done, (i + 1) * 100 / 73) << i;
    EXPECT_EQ(seen[i].first.running, 1U);
    EXPECT_EQ(seen[i].first.total, 11U);
  }
  EXPECT_EQ(seen[7].second, 730ms);
  EXPECT_EQ(seen[7].first.done, 11U);
  EXPECT_EQ(seen[7].first.failures, 1U);
  EXPECT_EQ(seen[7].first.running, 0U);
}

TEST_P(InvokeAllTest, ReportsOnceForShortWork) {
  for (const int limit : {0, 2}) {
    for (const int count : {0, 5}) {
      int calls = 0;
      const Job job =
          InvokeAll(ctx_, limit, Numbers(count), JobOptions().WithProgress([&](const Progress& progress) {
            ++calls;
            EXPECT_EQ(progress.done, static_cast<std::size_t>(count));
          }));
      EXPECT_FALSE(job.Wait());
      EXPECT_EQ(calls, 1);
    }
  }
}

TEST_P(InvokeAllTest, NeverReportsInsideACallThatCompletes) {
  const Promise<void> promise(ctx_);
  std::atomic<bool> inside{false};
  std::atomic<bool> called{false};
  const auto caller = std::this_thread::get_id();
  const Job job =
      InvokeAll(ctx_, 0, std::vector{promise.Task()}, JobOptions().WithProgress([&](const Progress&) {
        called = true;
        if (std::this_thread::get_id() == caller) inside = true;
      }));
  Promise<void> moved = std::move(const_cast<Promise<void>&>(promise));
  EXPECT_FALSE(moved.Set());
  ASSERT_TRUE(test::Eventually([&] { return job.IsDone(); }));
  EXPECT_TRUE(called);
  EXPECT_FALSE(inside);
}

TEST_P(InvokeAllTest, ReportsAThrowingCallBackAndGoesOn) {
  const Job job =
      InvokeAll(ctx_, 1, Numbers(3),
                JobOptions().WithProgress([](const Progress&) { throw std::runtime_error("boom"); }));
  EXPECT_FALSE(job.Wait());
  const auto reports = reports_.Take();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].what, "a progress call-back threw");
}

TEST_P(InvokeAllTest, DestroysTheCallBackBeforeItEnds) {
  auto alive = std::make_shared<int>(0);
  const Job job = InvokeAll(ctx_, 1, Numbers(3), JobOptions().WithProgress([alive](const Progress&) {}));
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(alive.use_count(), 1);
}

// ---- the call-back and the rate, with workers that are all busy ----

TEST_P(InvokeAllTest, ReportsWhileAllWorkersAreBusy) {
  Runtime runtime(GetParam());  // in real time: bodies that block keep a clock from jumping
  test::Gate reported;
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < GetParam(); ++i) tasks.push_back(NewTask([&] { reported.Wait(); }));
  const Job job = InvokeAll(runtime.Background(), 0, tasks,
                            JobOptions().WithProgress([&](const Progress&) { reported.Open(); }, 1ms));
  EXPECT_FALSE(job.Wait());
}

// ---- results ----

TEST_P(InvokeAllTest, ResultsKeepTheOrderAndTheErrors) {
  std::vector<Task<int>> tasks = Numbers(5);
  tasks[1] = NewTask([]() -> int { throw std::runtime_error("boom"); });
  tasks[3] = {};
  const auto results = InvokeAllResults(ctx_, 2, tasks).Get();
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(results[0].Value(), 0);
  EXPECT_EQ(results[1].Failure().Message(), "boom");
  EXPECT_EQ(results[2].Value(), 2);
  EXPECT_EQ(results[3].Failure(), Errc::InvalidArgument);
  EXPECT_EQ(results[4].Value(), 4);
  EXPECT_EQ(tasks[4].Outcome().Value(), 4);  // still there
}

TEST_P(InvokeAllTest, ResultsMoveWhatCannotBeCopied) {
  std::vector<Task<std::unique_ptr<int>>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(NewTask([i] { return std::make_unique<int>(i); }));
  auto results = InvokeAllResults(ctx_, 2, tasks).Take();
  EXPECT_EQ(*results[2].Value(), 2);
  EXPECT_EQ(tasks[2].Outcome().Failure(), Errc::AlreadyTaken);
  const auto again = InvokeAllResults(ctx_, 2, tasks).Take();
  EXPECT_EQ(again[2].Failure(), Errc::AlreadyTaken);
}

TEST_P(InvokeAllTest, ResultsOfVoid) {
  const auto results =
      InvokeAllResults(ctx_, 0, std::vector{NewTask([] {}), NewTask([] { return Error(Errc::Closed); })})
          .Get();
  EXPECT_TRUE(results[0].HasValue());
  EXPECT_EQ(results[1].Failure(), Errc::Closed);
}

TEST_P(InvokeAllTest, ResultsEndWithTheContext) {
  const auto task = InvokeAllResults(ctx_.WithTimeout(10ms), 1,
                                     std::vector{NewTask([](Context& c) { return Sleep(c, 1h).Wait(); })});
  EXPECT_EQ(task.Wait(), Errc::DeadlineExceeded);
}

// ---- functions ----

TEST_P(InvokeAllTest, OfFunctionsYieldsATuple) {
  auto task = InvokeAll(
      ctx_, [] { return 1; }, [](Context& c) { return Sleep(c, 5ms).Wait(); },
      [](Context&) { return std::make_unique<std::string>("two"); }, [] { return Result<double>(3.0); });
  static_assert(std::is_same_v<decltype(task),
                               Task<std::tuple<int, std::monostate, std::unique_ptr<std::string>, double>>>);
  const auto [one, nothing, two, three] = task.Take();
  EXPECT_EQ(one, 1);
  EXPECT_EQ(*two, "two");
  EXPECT_EQ(three, 3.0);
}

TEST_P(InvokeAllTest, OfFunctionsListsTheErrors) {
  std::function<int()> empty;
  const auto task = InvokeAll(
      ctx_, [] { return 1; }, []() -> int { throw std::runtime_error("boom"); }, empty);
  const Error error = task.Wait();
  EXPECT_EQ(error.Message(), "2 of 3 failed: #1: boom; #2: NewTask: the function is empty");
  EXPECT_EQ(task.State(), TaskState::Failed);
}

TEST_P(InvokeAllTest, OfFunctionsNests) {
  const std::function<int(Context&, int)> fib = [&](Context& c, int n) -> int {
    if (n < 2) return n;
    const auto [a, b] =
        InvokeAll(
            c, [&](Context& x) { return fib(x, n - 1); }, [&](Context& x) { return fib(x, n - 2); })
            .Get();
    return a + b;
  };
  EXPECT_EQ(Invoke(ctx_, [&](Context& c) { return fib(c, 12); }).Get(), 144);
}

TEST_P(InvokeAllTest, AThrowingMoveOfAValueBecomesTheError) {
  struct Mine {
    Mine() = default;
    Mine(Mine&& other) : moves(other.moves + 1) {
      if (moves == 1) throw std::runtime_error("moved");
    }
    int moves = 0;
  };
  const auto task = InvokeAll(ctx_, [] { return Mine(); });
  EXPECT_EQ(task.Wait().Message(), "moved");
}

// ---- life ----

TEST_P(InvokeAllTest, GoesOnWithoutHandles) {
  test::Gate done(50);
  {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 50; ++i) tasks.push_back(NewTask([&] { done.Open(); }));
    (void)InvokeAll(ctx_, 3, tasks);
  }
  done.Wait();
}

TEST_P(InvokeAllTest, ReportsAFailureThatNobodyReads) {
  (void)InvokeAll(ctx_, 3, std::vector{NewTask([] { return Error(Errc::NotSupported, "lost"); })});
  ASSERT_TRUE(test::Eventually([&] { return reports_.Size() == 1; }));
  EXPECT_EQ(reports_.Take()[0].error.Message(), "1 of 1 failed: #0: lost");
}

TEST_P(InvokeAllTest, CarriesItsName) {
  const Job job = InvokeAll(Where(ctx_).Named("digests"), 1, Numbers(1));
  EXPECT_EQ(job.Name(), "digests");
  EXPECT_FALSE(job.Wait());
}

TEST_P(InvokeAllTest, RunsOnAStrand) {
  Strand strand(runtime_.GetExecutor());
  int plain = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(NewTask([&] { ++plain; }));
  EXPECT_FALSE(InvokeAll(Where(ctx_).On(strand), 4, tasks).Wait());
  EXPECT_EQ(plain, 1000);
}

TEST(InvokeAll, RunsOnTheDefaultRuntime) {
  std::vector<Task<int>> tasks{NewTask([] { return 1; })};
  EXPECT_FALSE(InvokeAll(2, tasks).Wait());
  EXPECT_EQ(InvokeAllResults(2, tasks).Get()[0].Value(), 1);
  EXPECT_EQ(std::get<0>(InvokeAll({}, [] { return 2; }).Get()), 2);
}

// ---- stress ----

using StressInvokeAll = InvokeAllTest;
INSTANTIATE_TEST_SUITE_P(Widths, StressInvokeAll, test::Widths(), test::WidthName);

TEST_P(StressInvokeAll, CancelRacesWithEverything) {
  Runtime runtime(GetParam());
  const Context ctx = runtime.Background();
  const auto until = std::chrono::steady_clock::now() + test::StressTime();
  for (unsigned round = 0; std::chrono::steady_clock::now() < until; ++round) {
    std::atomic<int> ran{0};
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 30; ++i) {
      tasks.push_back(NewTask([&ran, i]() -> Error {
        ++ran;
        return i % 10 == 9 ? Error(Errc::NotSupported) : Error();
      }));
    }
    const Context parent = ctx.WithCancel();
    const Job job = InvokeAll(parent, static_cast<int>(round % 4), tasks,
                              round % 3 == 0 ? OnError::Stop : OnError::Continue);
    std::thread canceller([&] {
      for (unsigned spin = 0; spin < round % 64; ++spin) std::this_thread::yield();
      if (round % 5 == 0) tasks[7].Cancel();
      round % 2 == 0 ? parent.Cancel() : job.Cancel();
    });
    (void)job.Wait();
    const int seen = ran;
    canceller.join();
    for (const auto& task : tasks) EXPECT_TRUE(task.IsDone());
    EXPECT_EQ(ran, seen);
    EXPECT_EQ(job.Done(), 30U);
  }
}

}  // namespace
}  // namespace orchestrate
