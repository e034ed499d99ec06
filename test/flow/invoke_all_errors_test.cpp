#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/wait.hpp>
#include <test/support/batches.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class InvokeAllErrorsTest : public test::InvokeAllInVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Widths, InvokeAllErrorsTest, test::Widths(), test::WidthName);

// ---- errors ----

// K31
TEST_P(InvokeAllErrorsTest, ListsErrorsInTheOrderOfTheTasks) {
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
TEST_P(InvokeAllErrorsTest, ListsErrorsOfThrottledTasks) {
  std::vector<Task<void>> tasks{NewTask([] {}), FailingAfter(20ms, "e1"), NewTask([] {}),
                                FailingAfter(10ms, "e3")};
  EXPECT_EQ(InvokeAll(ctx_, 2, tasks).Wait().Message(), "2 of 4 failed: #1: e1; #3: e3");
  std::vector<Task<int>> one{NewTask([]() -> int { throw std::runtime_error("boom"); })};
  const Error error = InvokeAll(ctx_, 2, one).Wait();
  EXPECT_EQ(error.Message(), "1 of 1 failed: #0: boom");
  EXPECT_EQ(error, Errc::Exception);
}

// D12
TEST_P(InvokeAllErrorsTest, KeepsTheErrorsOfAll) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(NewTask([] { return Error(Errc::NotSupported); }));
  const Error error = InvokeAll(ctx_, 4, tasks).Wait();
  EXPECT_EQ(error.Parts().size(), 1000U);
  EXPECT_EQ(error.Counts().failures, 1000U);
  EXPECT_EQ(error.Counts().total, 1000U);
}

TEST_P(InvokeAllErrorsTest, StopsAtTheFirstErrorWhenAsked) {
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

TEST_P(InvokeAllErrorsTest, StopsAtTheFirstErrorAlsoWithoutALimit) {
  std::vector<Task<void>> tasks{NewTask([](Context& c) { return Sleep(c, 1h).Wait(); }),
                                FailingAfter(10ms, "e1"),
                                NewTask([](Context& c) { return Sleep(c, 1h).Wait(); })};
  EXPECT_EQ(InvokeAll(ctx_, 0, tasks, OnError::Stop).Wait().Message(), "1 of 3 failed: #1: e1");
  EXPECT_EQ(Elapsed(), 10ms);
}

// K55, D41
TEST_P(InvokeAllErrorsTest, CountsWhatTheFirstCauseStoppedAsStopped) {
  for (const int limit : {0, 3}) {
    std::vector<Task<void>> tasks;
    tasks.push_back(NewTask([](Context& c) -> Error {
      return Error(Errc::Closed, "could not sleep").WithCause(Sleep(c, 1h).Wait());
    }));
    tasks.push_back(NewTask([](Context& c) {
      if (Sleep(c, 1h).Wait()) throw std::runtime_error("could not sleep");
    }));
    tasks.push_back(FailingAfter(10ms, "e"));
    const Job job = InvokeAll(ctx_, limit, tasks, OnError::Stop);
    const Error error = job.Wait();
    EXPECT_EQ(error.Message(), "1 of 3 failed: #2: e");
    EXPECT_EQ(error.Code(), tasks[2].Wait().Code());
    EXPECT_EQ(job.Failures(), 1U);
    EXPECT_EQ(job.LastError().Message(), "e");
  }
}

// D36 D41
TEST_P(InvokeAllErrorsTest, EndsForTheFirstCauseWithoutWhatItDidNotStart) {
  Promise<void> late;
  std::vector<Task<void>> tasks;
  tasks.push_back(late.Task());
  tasks.push_back(FailingAfter(10ms, "e"));
  const Job job = InvokeAll(ctx_, 0, tasks, OnError::Stop);
  EXPECT_TRUE(tasks[1].Wait());
  const Error error = job.Wait();
  EXPECT_EQ(error.Message(), "1 of 2 failed: #1: e");
  EXPECT_EQ(error.Code(), tasks[1].Wait().Code());
  EXPECT_EQ(job.Failures(), 1U);
  EXPECT_TRUE(late.TrySet());  // it saw nothing of the end
}

// D27
TEST_P(InvokeAllErrorsTest, RefusesAnIntervalOfZero) {
  const Job job = InvokeAll(ctx_, 1, Numbers(1), JobOptions().WithProgress([](const Progress&) {}, 0ms));
  EXPECT_EQ(job.Wait(), Errc::InvalidArgument);
  EXPECT_EQ(job.Wait().Message(), "InvokeAll: progress interval 0 ns, must be > 0");
}

// ---- the end of the context ----

// D6
TEST_P(InvokeAllErrorsTest, CallsNothingUnderAnEndedContext) {
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
TEST_P(InvokeAllErrorsTest, CancelEndsWhatRunsAndWhatWaits) {
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
TEST_P(InvokeAllErrorsTest, EndsWithTheErrorOfItsContextAndKeepsTheOthers) {
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

TEST_P(InvokeAllErrorsTest, KeepsTheCauseOfACancel) {
  const Job job = InvokeAll(ctx_, 1, std::vector{NewTask([](Context& c) { return Sleep(c, 1h).Wait(); })});
  job.Cancel(Error(Errc::Closed, "enough"));
  EXPECT_EQ(job.Wait().Message(), "enough");
}

TEST_P(InvokeAllErrorsTest, SkipsATaskThatWasCancelledMeanwhile) {
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
TEST_P(InvokeAllErrorsTest, FailsAllTasksAfterShutdown) {
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

TEST_P(InvokeAllErrorsTest, EndsWhenItsRuntimeIsDestroyed) {
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

// ---- stress ----

using StressInvokeAll = InvokeAllErrorsTest;
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
