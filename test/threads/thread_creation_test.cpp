#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>
#include <test/support/with_runtime.hpp>
#include "threads/thread_faults.hpp"

// What happens where the system makes no more threads: each in a process of its own, as oneTBB does not
// forget.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;
using testing::HasSubstr;

using ThreadFaults = InItsOwnProcess;

// Exits with the number of the first that does not hold, from 10.
[[noreturn]] void Conclude(std::initializer_list<bool> checks) {
  int at = 10;
  for (const bool holds : checks) {
    if (!holds) _exit(at);
    ++at;
  }
  _exit(kFine);
}

bool NamesTheThread(const Error& error) {
  return error.Is(Errc::OutOfResources) && error.Message().find("thread") != std::string::npos;
}

template <class Body>
Error Thrown(Body body) {
  try {
    body();
  } catch (const ErrorException& exception) {
    return exception.Failure();
  }
  return {};
}

TEST_F(ThreadFaults, ARuntimeWithoutAThreadForItsTimersIsRefused) {
  const auto run = [] {
    FailThreads(0);
    const Error refused = Thrown([] { const Runtime runtime(2); });
    const Error refused_default = Thrown([] { (void)Runtime::Default(); });
    const Error refused_work = Thrown([] { (void)Invoke([] {}).Wait(); });
    StopFailingThreads();
    Runtime runtime(2);
    Conclude({NamesTheThread(refused), NamesTheThread(refused_default), NamesTheThread(refused_work),
              Invoke(runtime.Background(), [] { return 1; }).Get() == 1,
              Invoke([] { return 2; }).Get() == 2});
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// D39
TEST_F(ThreadFaults, AnExecutorOfTheProgramWithoutTimersOfItsOwnRefusesWhatNeedsSome) {
  const auto run = [] {
    class Loop final : public Executor {
     public:
      ~Loop() override { Detach(); }
      void Post(Work work) noexcept override { work(); }
    };
    static Loop loop;
    const Context ctx = loop.Background();
    FailThreads(0);
    const Error limit = Thrown([&ctx] { (void)ctx.WithTimeout(1h); });
    const Error sleep = Sleep(ctx, 1h).Wait();
    const Error repeat = Repeat(ctx, 1h, [] {}).Wait();
    const Error retry = Retry(ctx, {.first_delay = 1h}, [] { return Error(Errc::Closed); }).Wait();
    Promise<int> promise{Where(ctx)};
    const Error timeout = Timeout(ctx, promise.Task(), 1h).Wait();
    StopFailingThreads();
    Conclude({NamesTheThread(limit), NamesTheThread(sleep), NamesTheThread(repeat), NamesTheThread(retry),
              NamesTheThread(timeout)});
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(ThreadFaults, WithSignalWithoutAThreadIsRefusedAndChangesNothing) {
  const auto run = [] {
    static std::atomic<int> handled{0};
    (void)std::signal(SIGUSR1, [](int) { ++handled; });
    const auto ctx = Context::Background().WithCancel();
    FailThreads(0);
    const Error refused = Thrown([&] { (void)ctx.WithSignal({SIGUSR1}); });
    StopFailingThreads();
    std::raise(SIGUSR1);
    const bool old_handler = handled == 1;
    const auto listens = ctx.WithSignal({SIGUSR1});
    std::raise(SIGUSR1);
    while (!listens.IsDone()) std::this_thread::yield();
    Conclude({NamesTheThread(refused), old_handler, handled == 1});
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// With one worker, then two ... of which oneTBB can make none.
TEST_F(ThreadFaults, WithoutWorkersAWaitFromOutsideRunsWhatItWaitsFor) {
  const auto run = [] {
    ReportLog reports;
    RuntimeOptions options(2);
    options.on_report = reports.Sink();
    Runtime runtime(std::move(options));
    const Context ctx = runtime.Background();
    FailThreads(0);
    const bool alone = Invoke(ctx, [] { return 1; }).Get() == 1;
    const bool nested = Invoke(ctx, [ctx] { return 1 + Invoke(ctx, [] { return 1; }).Get(); }).Get() == 2;
    auto queued = Invoke(ctx, [] { return 3; });
    const bool in_time = !queued.WaitFor(1ms);
    const auto reported = reports.Take();
    StopFailingThreads();
    Conclude({alone, nested, in_time, reported.size() == 1,
              reported[0].what.find("no thread for a worker") != std::string::npos, queued.Get() == 3,
              !runtime.Run()});
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(ThreadFaults, WhatIsQueuedRunsAsSoonAsAThreadCanBeMade) {
  for (int more = 0; more < 4; ++more) {
    const auto run = [more] {
      ReportLog reports;
      RuntimeOptions options(4);
      options.on_report = reports.Sink();
      auto runtime = std::make_unique<Runtime>(std::move(options));
      const Context ctx = runtime->Background();
      FailThreads(more);
      std::vector<Task<int>> tasks;
      for (int i = 0; i < 200; ++i) tasks.push_back(NewTask([i] { return i; }));
      auto job = InvokeAll(ctx, 3, tasks);
      auto later = tasks[100].Then([](int value) { return value; });
      auto slept = Sleep(ctx, 2ms).Then([] { return 5; });
      const auto waiting = Invoke(ctx, [&] { return Invoke(ctx, [] { return 1; }).Get(); });
      (void)job.WaitFor(20ms);
      StopFailingThreads();
      const bool fine = !job.Wait() && later.Get() == 100 && slept.Get() == 5 && waiting.Get() == 1;
      const bool ran = !runtime->Run();
      runtime.reset();
      Runtime another(2);
      const bool works =
          Invoke(another.Background(), [] { return 1; }).Then([](int n) { return n; }).Get() == 1;
      Conclude({fine, ran, works, !another.Run()});
    };
    EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$") << "after " << more << " threads";
  }
}

TEST_F(ThreadFaults, ARuntimeThatNeverGotAWorkerStillEnds) {
  const auto run = [] {
    std::vector<Task<void>> tasks;
    std::size_t left = 1;
    {
      ReportLog reports;
      RuntimeOptions options(2);
      options.on_report = reports.Sink();
      options.grace = 1ms;
      Runtime runtime(std::move(options));
      FailThreads(0);
      for (int i = 0; i < 50; ++i) tasks.push_back(Invoke(runtime.Background(), [] {}));
      tasks.push_back(tasks.back().Then([] {}));
      tasks.push_back(Sleep(runtime.Background(), 1h));
      left = runtime.Shutdown(ShutdownMode::Cancel, 1ms).Value();
    }
    bool all_ended = true;
    for (const auto& task : tasks) all_ended = all_ended && task.IsDone() && task.Wait().Is(Errc::Cancelled);
    Conclude({left == 0, all_ended, StopFailingThreads() > 0});
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(ThreadFaults, ManyTimesInARow) {
  const auto run = [] {
    ReportLog reports;
    RuntimeOptions options(1);
    options.spare_workers = 0;
    options.on_report = reports.Sink();
    Runtime runtime(std::move(options));
    bool fine = true;
    for (int round = 0; round < 20; ++round) {
      FailThreads(0);
      std::vector<Task<int>> tasks;
      for (int i = 0; i < 10; ++i) tasks.push_back(Invoke(runtime.Background(), [i] { return i; }));
      (void)tasks[9].WaitFor(1ms);
      StopFailingThreads();
      for (int i = 0; i < 10; ++i) fine = fine && tasks[static_cast<std::size_t>(i)].Get() == i;
      fine = fine && !runtime.Run();
    }
    Conclude({fine});
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(ThreadFaults, ExitWithoutWorkersIsInOrder) {
  const auto run = [] {
    (void)Runtime::Default();
    FailThreads(0);
    static const auto task = Invoke([] {});
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "no thread for a worker");
}

}  // namespace
}  // namespace orchestrate::test
