#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/flow/consume.hpp>
#include <orchestrate/flow/wait.hpp>
#include <test/support/consuming.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::Tasks;

std::size_t CountIn(const std::vector<Task<int>>& tasks, TaskState state) {
  return static_cast<std::size_t>(std::count_if(
      tasks.begin(), tasks.end(), [state](const Task<int>& task) { return task.State() == state; }));
}

class ConsumeTest : public test::Consuming {};
INSTANTIATE_TEST_SUITE_P(Widths, ConsumeTest, test::Widths(), test::WidthName);

// K36
TEST_P(ConsumeTest, RunsAllOfAClosedChannel) {
  for (const int count : {0, 2, 10, 20}) {
    ran_ = 0;
    const Tasks tasks = Filled(10);
    tasks.Close();
    const Job job = Consume(ctx_, count, tasks);
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(ran_, 10) << count;
    EXPECT_EQ(job.Done(), 10U);
    EXPECT_EQ(job.Total(), 10U);
    EXPECT_EQ(job.Running(), 0U);
  }
}

// K37
TEST_P(ConsumeTest, EndsAtTheDeadlineWhileTasksRun) {
  const Tasks tasks(16);
  std::vector<Task<int>> handles;
  for (int i = 0; i < 10; ++i) {
    handles.push_back(NewTask([this](Context& c) -> Result<int> {
      ++ran_;
      if (Error error = Sleep(c, 10ms).Wait()) return error;
      return 1;
    }));
    EXPECT_FALSE(tasks.TrySend(handles.back()));
  }
  const Job job = Consume(ctx_.WithTimeout(20ms), 2, tasks);
  EXPECT_EQ(job.Wait(), Errc::DeadlineExceeded);
  EXPECT_EQ(job.State(), TaskState::Cancelled);
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_GE(ran_, 4);
  EXPECT_LE(ran_, 6);
  // Each of the two may have taken one at that moment, which was cancelled without a call.
  const auto taken = 10 - static_cast<int>(tasks.Size());
  EXPECT_GE(taken, ran_);
  EXPECT_LE(taken, 6);
  EXPECT_EQ(CountIn(handles, TaskState::Created), tasks.Size());
}

// K38
TEST_P(ConsumeTest, EndsAtTheDeadlineWhileNothingIsLeft) {
  const Tasks tasks = Filled(10);
  const Job job = Consume(ctx_.WithTimeout(20ms), 20, tasks);
  EXPECT_EQ(job.Wait(), Errc::DeadlineExceeded);
  EXPECT_EQ(ran_, 10);
  EXPECT_EQ(Elapsed(), 20ms);
}

// K39
TEST_P(ConsumeTest, ListsTheErrorsInTheOrderOfConsumption) {
  for (const int count : {1, 2, 8}) {
    const Tasks tasks(8);
    for (int i = 0; i < 5; ++i) {
      EXPECT_FALSE(tasks.TrySend(NewTask([i]() -> int {
        if (i == 2 || i == 4) throw std::runtime_error("e" + std::to_string(i));
        return i;
      })));
    }
    tasks.Close();
    const Job job = Consume(ctx_, count, tasks);
    EXPECT_EQ(job.Wait().Message(), "2 of 5 failed: #2: e2; #4: e4");
    EXPECT_EQ(job.State(), TaskState::Failed);
    EXPECT_EQ(job.Failures(), 2U);
  }
}

// D12
TEST_P(ConsumeTest, KeepsTheFirstSixteenErrorsAndTheCount) {
  const Tasks tasks = Tasks::Unbounded();
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(tasks.TrySend(NewTask([i]() -> Result<int> {
      if (i % 10 == 0) return Error(Errc::NotSupported);
      return i;
    })));
  }
  tasks.Close();
  const Error error = Consume(ctx_, 8, tasks).Wait();
  ASSERT_EQ(error.Parts().size(), 16U);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(error.Parts()[i].index, i * 10);
  EXPECT_EQ(error.Counts().failures, 100U);
  EXPECT_EQ(error.Counts().total, 1000U);
}

// D13
TEST_P(ConsumeTest, LeavesWhatIsQueuedWhenItsContextEnds) {
  test::Gate leave;
  const test::OpenAtEnd open(leave);
  test::Gate running;
  const Tasks tasks(16);
  std::vector<Task<int>> handles;
  handles.push_back(NewTask([&] {
    running.Open();
    leave.Wait();
    return 1;
  }));
  for (int i = 0; i < 5; ++i) handles.push_back(Counting());
  for (const auto& task : handles) EXPECT_FALSE(tasks.TrySend(task));
  const Job job = Consume(ctx_, 1, tasks);
  running.Wait();
  EXPECT_TRUE(job.Cancel());
  EXPECT_EQ(job.State(), TaskState::Cancelled);
  EXPECT_FALSE(job.IsDone());
  leave.Open();
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
  EXPECT_EQ(handles[0].State(), TaskState::Cancelled);
  EXPECT_EQ(ran_, 0);
  EXPECT_EQ(tasks.Size(), 5U);
  for (std::size_t i = 1; i < handles.size(); ++i) EXPECT_EQ(handles[i].State(), TaskState::Created);
  // And somebody else can go on with them.
  tasks.Close();
  EXPECT_FALSE(Consume(ctx_, 2, tasks).Wait());
  EXPECT_EQ(ran_, 5);
}

// D6
TEST_P(ConsumeTest, TakesNothingUnderAnEndedContext) {
  const Tasks tasks = Filled(3);
  const Context ctx = ctx_.WithCancel();
  ctx.Cancel();
  const Job job = Consume(ctx, 2, tasks);
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
  EXPECT_EQ(job.Duration(), 0ns);
  EXPECT_EQ(tasks.Size(), 3U);
  EXPECT_EQ(ran_, 0);
}

// D11
TEST_P(ConsumeTest, TakesZeroAndLessForTheNumberOfWorkers) {
  for (const int count : {0, -3}) {
    const auto begin = Elapsed();
    const Tasks tasks(16);
    for (int i = 0; i < 16; ++i) {
      EXPECT_FALSE(tasks.TrySend(NewTask([](Context& c) -> Result<int> {
        if (Error error = Sleep(c, 10ms).Wait()) return error;
        return 1;
      })));
    }
    tasks.Close();
    EXPECT_FALSE(Consume(ctx_, count, tasks).Wait());
    EXPECT_EQ(Elapsed() - begin, Nanoseconds(10ms) * (16 / GetParam()));
  }
}

TEST_P(ConsumeTest, HoldsNoWorkerWhileTheChannelIsEmpty) {
  const Tasks tasks(1);
  const Job job = Consume(ctx_, 20, tasks);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Invoke(ctx_, [i] { return i; }).Get(), i);
  EXPECT_FALSE(tasks.Send(ctx_, Counting()));
  ASSERT_TRUE(test::Eventually([&] { return job.Done() == 1; }));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(tasks.Send(ctx_, Counting()));
  tasks.Close();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran_, 11);
}

TEST_P(ConsumeTest, EndsWhenTheEmptyChannelIsClosed) {
  const Tasks tasks(1);
  const Job job = Consume(ctx_, 4, tasks);
  EXPECT_FALSE(job.WaitFor(1h));
  tasks.Close();
  EXPECT_FALSE(job.Wait());
}

TEST_P(ConsumeTest, RunsSoManyAtATime) {
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::mutex mutex;
  const Tasks tasks(64);
  for (int i = 0; i < 30; ++i) {
    EXPECT_FALSE(tasks.TrySend(NewTask([&](Context& c) -> Result<int> {
      {
        const std::lock_guard lock(mutex);
        most = std::max<int>(most, ++running);
      }
      if (Error error = Sleep(c, 10ms).Wait()) return error;
      return --running;
    })));
  }
  tasks.Close();
  EXPECT_FALSE(Consume(ctx_, 3, tasks).Wait());
  EXPECT_EQ(most, 3);
  EXPECT_EQ(Elapsed(), 100ms);
}

TEST_P(ConsumeTest, APendingTaskKeepsItsTurn) {
  const Channel<Task<void>> tasks(8);
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(tasks.TrySend(NewTask([](Context& c) { return Sleep(c, 10ms); })));
  tasks.Close();
  EXPECT_FALSE(Consume(ctx_, 2, tasks).Wait());
  EXPECT_EQ(Elapsed(), 20ms);
}

TEST_P(ConsumeTest, AwaitsWhatWasStartedOrHasEndedBeforeAndSkipsEmptyHandles) {
  test::Gate gate;
  const test::OpenAtEnd open(gate);
  const Tasks tasks(8);
  EXPECT_FALSE(tasks.TrySend(Invoke(ctx_, [&] { return gate.Wait(), 1; })));
  EXPECT_FALSE(tasks.TrySend(Task<int>()));
  EXPECT_FALSE(tasks.TrySend(Completed(2)));
  EXPECT_FALSE(tasks.TrySend(Failed<int>(Error(Errc::NotSupported, "old"))));
  EXPECT_FALSE(tasks.TrySend(Counting()));
  tasks.Close();
  const Job job = Consume(ctx_, 1, tasks);
  EXPECT_FALSE(job.IsDone());
  gate.Open();
  EXPECT_EQ(job.Wait().Message(), "1 of 4 failed: #3: old");
  EXPECT_EQ(ran_, 1);
}

TEST_P(ConsumeTest, StopsAtTheFirstErrorWhenAsked) {
  const Tasks tasks(8);
  EXPECT_FALSE(tasks.TrySend(NewTask([]() -> int { throw std::runtime_error("boom"); })));
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(tasks.TrySend(Counting()));
  const Job job = Consume(ctx_, 1, tasks, OnError::Stop);  // the channel stays open
  EXPECT_EQ(job.Wait().Message(), "1 of 1 failed: #0: boom");
  EXPECT_EQ(job.State(), TaskState::Failed);
  EXPECT_EQ(tasks.Size(), 5U);
  EXPECT_EQ(ran_, 0);
}

TEST_P(ConsumeTest, SeveralShareAChannel) {
  const Tasks tasks(4);
  const Job a = Consume(ctx_, 2, tasks);
  const Job b = Consume(ctx_, 3, tasks);
  for (int i = 0; i < 500; ++i) EXPECT_FALSE(tasks.Send(ctx_, Counting()));
  tasks.Close();
  EXPECT_FALSE(WaitAll(std::vector{a, b}));
  EXPECT_EQ(ran_, 500);
  EXPECT_EQ(a.Done() + b.Done(), 500U);
}

TEST_P(ConsumeTest, TakesWhatItsOwnTasksSend) {
  const Tasks tasks = Tasks::Unbounded();
  std::function<Task<int>(int)> grow = [&](int depth) {
    return NewTask([&, depth](Context& c) -> Result<int> {
      for (int i = 0; i < 2 && depth > 0; ++i) {
        if (Error error = tasks.Send(c, grow(depth - 1))) return error;
      }
      if (++ran_ == 127) tasks.Close();
      return depth;
    });
  };
  EXPECT_FALSE(tasks.TrySend(grow(6)));
  EXPECT_FALSE(Consume(ctx_, 3, tasks).Wait());
  EXPECT_EQ(ran_, 127);
}

// D23
TEST_P(ConsumeTest, AProducerInTheSameRuntimeMakesProgress) {
  const Tasks tasks(2);
  const auto producer = Invoke(ctx_, [&](Context& c) -> Error {
    for (int i = 0; i < 200; ++i) {
      if (Error error = tasks.Send(c, Counting())) return error;
    }
    tasks.Close();
    return {};
  });
  EXPECT_FALSE(Invoke(ctx_, [&](Context& c) { return Consume(c, 1, tasks).Wait(); }).Wait());
  EXPECT_FALSE(producer.Wait());
  EXPECT_EQ(ran_, 200);
}

TEST_P(ConsumeTest, EndsWhenItsRuntimeIsDestroyed) {
  const Tasks tasks(2);
  Job job;
  {
    Runtime runtime(GetParam());
    job = Consume(runtime.Background(), 3, tasks);
    ASSERT_FALSE(tasks.Send(runtime.Background(), Counting()));
    ASSERT_TRUE(test::Eventually([&] { return job.Done() == 1; }));
  }
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
}

// D19
TEST_P(ConsumeTest, FailsAfterShutdownAndTakesNothing) {
  Runtime runtime(GetParam());
  const Context ctx = runtime.Background();
  EXPECT_TRUE(runtime.Shutdown(ShutdownMode::Drain, 5s).HasValue());
  const Tasks tasks = Filled(2);
  EXPECT_EQ(Consume(ctx, 2, tasks).Wait(), Errc::ShutDown);
  EXPECT_EQ(tasks.Size(), 2U);
  EXPECT_EQ(Consume(ctx, 2, std::vector<Task<int>>{}).Wait(), Errc::ShutDown);
}

TEST_P(ConsumeTest, ReportsProgress) {
  std::vector<std::pair<Progress, Nanoseconds>> seen;
  const Channel<Task<void>> tasks(8);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(tasks.TrySend(NewTask([](Context& c) { return Sleep(c, 75ms); })));
  tasks.Close();
  const Job job = Consume(ctx_, 1, tasks, JobOptions().WithProgress([&](const Progress& progress) {
    seen.emplace_back(progress, Elapsed());
  }));
  EXPECT_FALSE(job.Wait());
  ASSERT_EQ(seen.size(), 4U);  // after 100, 200, 300 ms, and at the end
  EXPECT_EQ(seen[0].first.done, 1U);
  EXPECT_EQ(seen[0].first.running, 1U);
  EXPECT_EQ(seen[0].first.total, 0U);  // not known
  EXPECT_EQ(seen[3].first.done, 5U);
  EXPECT_EQ(seen[3].second, 375ms);
}

TEST(Consume, RunsOnTheDefaultRuntime) {
  std::vector<Task<int>> tasks{NewTask([] { return 1; })};
  EXPECT_FALSE(Consume(2, tasks).Wait());
  EXPECT_EQ(tasks[0].Outcome().Value(), 1);
}

// ---- stress ----

using StressConsume = ConsumeTest;
INSTANTIATE_TEST_SUITE_P(Widths, StressConsume, test::Widths(), test::WidthName);

// Whatever ends first: each task has run, or is cancelled, or lies in the channel.
TEST_P(StressConsume, CancelRacesWithSendAndClose) {
  Runtime runtime(GetParam());
  const Context ctx = runtime.Background();
  const auto until = std::chrono::steady_clock::now() + test::StressTime();
  for (unsigned round = 0; std::chrono::steady_clock::now() < until; ++round) {
    std::atomic<std::size_t> ran{0};
    const Tasks tasks(round % 2 == 0 ? 4 : 64);
    std::vector<Task<int>> handles;
    for (int i = 0; i < 40; ++i) handles.push_back(NewTask([&ran] { return static_cast<int>(++ran); }));
    std::vector<Task<int>> sent;
    const Job job = Consume(ctx, static_cast<int>(1 + round % 5), tasks);
    std::thread sender([&] {
      for (const auto& task : handles) {
        if (!tasks.TrySend(task)) sent.push_back(task);
      }
      if (round % 3 == 0) tasks.Close();
    });
    for (unsigned spin = 0; spin < round % 64; ++spin) std::this_thread::yield();
    job.Cancel();
    EXPECT_TRUE(job.Wait() == Errc::Cancelled || job.State() == TaskState::Completed);
    const std::size_t seen = ran;
    sender.join();
    EXPECT_EQ(ran, seen);
    const auto left = tasks.Drain();
    EXPECT_EQ(CountIn(left, TaskState::Created), left.size());
    EXPECT_EQ(CountIn(sent, TaskState::Created), left.size());
    EXPECT_EQ(CountIn(sent, TaskState::Running), 0U);
    EXPECT_LE(CountIn(sent, TaskState::Completed), seen);
    EXPECT_EQ(job.Done(), sent.size() - left.size());
  }
}

}  // namespace
}  // namespace orchestrate
