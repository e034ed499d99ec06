#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>
#include <test/support/with_runtime.hpp>
#include "base/sanitizers.hpp"

// D32: what a child of fork() can do, and that the parent does not notice.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;

// Gives the exit code of a forked child that runs `body`, or minus the signal that killed it.
template <class Body>
int InChild(Body body) {
  (void)std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alarm(static_cast<unsigned>(kPatience.count()));  // a child that hangs is killed
    try {
      _exit(body());
    } catch (...) {
      _exit(kWrong * 10);
    }
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// 0 when all hold, else which is the first that does not, from 1.
int FirstWrong(std::initializer_list<bool> checks) {
  int at = 0;
  for (const bool holds : checks) {
    ++at;
    if (!holds) return at;
  }
  return 0;
}

bool IsRefused(const Error& error) {
  return error.Is(Errc::NotSupported) && error.Message().find("fork") != std::string::npos;
}

using ForkInItsOwnProcess = InItsOwnProcess;

class ForkOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ForkOnWorkers, Widths(), WidthName);

// D32
TEST_P(ForkOnWorkers, InTheChildSomebodyMayWantToHearOfADeadline) {
  EXPECT_EQ(InChild([&] {
              const auto limited = Context::Background().WithTimeout(1h);
              return limited.StopToken().stop_requested() ? kWrong : kFine;
            }),
            kFine);
}

// D32
TEST_P(ForkOnWorkers, InTheChildNewWorkIsNotSupported) {
  auto created = NewTask([] { return 1; });
  const int wrong = InChild([&] {
    const auto background = Context::Background().WithTimeout(1h);
    std::vector<Task<int>> many = NewTasks([] { return 1; }, [] { return 2; });
    return FirstWrong({IsRefused(Invoke(ctx_, [] {}).Wait()), IsRefused(Invoke([] {}).Wait()),
                       IsRefused(Invoke(background, [] {}).Wait()), !background.IsDone(),
                       IsRefused(created.Run(ctx_).Wait()), IsRefused(Sleep(ctx_, 1ms).Wait()),
                       IsRefused(Repeat(ctx_, 1ms, [] {}).Wait()),
                       IsRefused(InvokeAll(ctx_, 1, many).Wait())});
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(created.Run(ctx_).Get(), 1) << "the parent does not notice";
}

// D32
TEST_P(ForkOnWorkers, InTheChildWaitsForTheParentsTasksReturn) {
  Gate leave;
  Gate started;
  auto done = Invoke(ctx_, [] { return 5; });
  EXPECT_EQ(done.Get(), 5);
  auto running = Invoke(ctx_, [&] {
    started.Open();
    leave.Wait();
    return 1;
  });
  started.Wait();
  auto later = running.Then([](int value) { return value; });
  const Promise<int> promise;
  const Channel<int> channel(1);
  const int wrong = InChild([&] {
    return FirstWrong({done.Get() == 5, IsRefused(running.Wait()), IsRefused(later.Wait()),
                       !running.WaitFor(1h), IsRefused(promise.Task().Wait()),
                       IsRefused(channel.Recv().Failure()), !channel.TryRecv().has_value()});
  });
  leave.Open();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(later.Get(), 1);
}

// D32
TEST_P(ForkOnWorkers, InTheChildRuntimesAreNotSupportedButCanBeDestroyed) {
  auto runtime = std::make_unique<Runtime>(GetParam());
  auto task = Invoke(runtime->Background(), [] { return 1; });
  const int wrong = InChild([&] {
    Error made;
    try {
      const Runtime another(1);
    } catch (const ErrorException& exception) {
      made = exception.Failure();
    }
    const Error ran = runtime->Run();
    const auto stopped = runtime->Shutdown(ShutdownMode::Cancel, 1s);
    task = {};
    runtime.reset();
    return FirstWrong({IsRefused(made), IsRefused(ran), IsRefused(stopped.Failure())});
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(task.Get(), 1);
  EXPECT_FALSE(runtime->Run());
}

// D32
TEST_P(ForkOnWorkers, AGrandchildIsRefusedToo) {
  EXPECT_EQ(
      InChild([this] { return InChild([this] { return IsRefused(Invoke(ctx_, [] {}).Wait()) ? 0 : 1; }); }),
      0);
}

// D32
TEST_P(ForkOnWorkers, WhileOtherThreadsMakeAndDropTasksNeitherSideHangs) {
#ifdef ORCHESTRATE_ASAN
  GTEST_SKIP() << "AddressSanitizer's own allocator is not safe across a fork beside other threads";
#endif
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < 3; ++i) {
    busy.emplace_back([this, &stop] {
      while (!stop) (void)Invoke(ctx_, [] { return NewTask([] {}); });
    });
  }
  for (int round = 0; round < 10; ++round) {
    EXPECT_EQ(InChild([this] {
                std::vector<Task<void>> tasks;
                for (int i = 0; i < 500; ++i) tasks.push_back(NewTask([] {}));
                tasks.clear();
                return IsRefused(Invoke(ctx_, [] {}).Wait()) ? 0 : 1;
              }),
              0);
  }
  stop = true;
  for (auto& thread : busy) thread.join();
  EXPECT_FALSE(runtime_.Run());
}

// D32
TEST_P(ForkOnWorkers, WhileOtherThreadsHoldEveryLockTheChildDoesNotHang) {
#ifdef ORCHESTRATE_ASAN
  GTEST_SKIP() << "AddressSanitizer's own allocator is not safe across a fork beside other threads";
#endif
  const Channel<int> channel(4);
  const auto shared = ctx_.WithCancel();
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < 2; ++i) {
    busy.emplace_back([&] {
      while (!stop) {
        (void)channel.TrySend(1);
        (void)channel.TryRecv();
        (void)Sleep(ctx_, 1h);
        const auto child = shared.WithTimeout(1h);
        const auto call = child.OnDone([] {});
        Promise<int> promise;
        auto later = promise.Task().Then([](int value) { return value; });
        promise.Set(1);
      }
    });
  }
  for (int round = 0; round < 30; ++round) {
    EXPECT_EQ(
        InChild([&] {
          const auto child = shared.WithTimeout(1h);
          std::optional call = child.OnDone([] {});
          (void)child.StopToken().stop_requested();
          call.reset();
          (void)channel.TrySend(1);
          (void)channel.TryRecv();
          Promise<int> promise;
          auto later = promise.Task().Then([](int value) { return value; });
          (void)promise.TrySet(1);
          (void)NewTask([] {});
          const auto done = Completed(3);
          return FirstWrong({IsRefused(later.Wait()), IsRefused(Sleep(ctx_, 1ms).Wait()),
                             IsRefused(Invoke(ctx_, [] {}).Wait()), done.Get() == 3,
                             promise.Task().Get() == 1, !shared.IsDone(), child.Cancel(), child.IsDone()});
        }),
        0);
  }
  stop = true;
  for (auto& thread : busy) thread.join();
  EXPECT_FALSE(shared.IsDone());
}

// D32
TEST_P(ForkOnWorkers, InsideATaskTheChildIsRefusedAndTheParentGoesOn) {
  auto task = Invoke(ctx_, [this] {
    const int wrong = InChild([this] {
      return FirstWrong({IsRefused(Invoke(ctx_, [] {}).Wait()), IsRefused(Sleep(ctx_, 1ms).Wait()),
                         IsRefused(Invoke([] {}).Wait())});
    });
    return wrong + Invoke(ctx_, [] { return 100; }).Get();
  });
  EXPECT_EQ(task.Get(), 100);
}

// D32
TEST_P(ForkOnWorkers, ProgramsAreStartedAsEver) {
  auto task = Invoke(ctx_, [] {
    std::string name = "true";
    char* arguments[] = {name.data(), nullptr};
    pid_t child = 0;
    if (posix_spawnp(&child, name.c_str(), nullptr, nullptr, arguments, environ) != 0) return -1;
    int status = -1;
    waitpid(child, &status, 0);
    return status;
  });
  EXPECT_EQ(task.Get(), 0);
  EXPECT_EQ(std::system("exit 0"), 0);  // NOLINT(cert-env33-c): the shell is what is tried
  EXPECT_EQ(InChild([]() -> int { return execl("/bin/true", "true", nullptr); }), 0);
  EXPECT_EQ(Invoke(ctx_, [] { return 1; }).Get(), 1);
}

// D32
TEST_F(ForkInItsOwnProcess, WhileAnotherThreadMakesTheDefaultRuntimeOneOfBothHolds) {
  const auto run = [] {
    (void)NewTask([] {});
    const Runtime first(1);  // whoever forks is watched from the first runtime on
    for (int round = 0; round < 2; ++round) {
      std::thread maker([] { Invoke([] {}).Get(); });
      const int wrong = InChild([] { return IsRefused(Invoke([] {}).Wait()) ? 0 : 1; });
      maker.join();
      if (wrong != 0) _exit(kWrong);
    }
    _exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// D32
TEST_F(ForkInItsOwnProcess, RuntimesThatComeAndGoLeaveTheChildWithAnAnswer) {
#if defined(ORCHESTRATE_TSAN) || defined(ORCHESTRATE_ASAN)
  GTEST_SKIP() << "the sanitizers do not support threads in the child of a process with several";
#endif
  const auto run = [] {
    { const Runtime first(1); }
    std::atomic<bool> stop{false};
    std::thread maker([&stop] {
      while (!stop) {
        Runtime runtime(1);
        Invoke(runtime.Background(), [] {}).Get();
      }
    });
    for (int round = 0; round < 30; ++round) {
      const int wrong = InChild([] {
        try {
          Runtime runtime(1);
          return Invoke(runtime.Background(), [] { return 1; }).Get() == 1 ? 0 : 1;
        } catch (const ErrorException& refused) {
          return IsRefused(refused.Failure()) ? 0 : 2;
        }
      });
      if (wrong != 0) _exit(wrong == -SIGALRM ? kWrong : wrong + 10);
    }
    stop = true;
    maker.join();
    _exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// D32
TEST_P(ForkOnWorkers, AnExecutorOfTheProgramWithoutTimersOfItsOwnRefusesWhatNeedsSome) {
  class Loop final : public Executor {
   public:
    ~Loop() override { Detach(); }
    void Post(Work work) noexcept override { const Work refused = std::move(work); }
  };
  Loop loop;
  const Context ctx = loop.Background();
  Invoke(ctx_, [] {}).Get();
  const int wrong = InChild([&] {
    const Context limited = ctx.WithTimeout(1h);
    return FirstWrong({IsRefused(Sleep(ctx, 1h).Wait()), IsRefused(Repeat(ctx, 1h, [] {}).Wait()),
                       IsRefused(Retry(ctx, {}, [] { return Error(Errc::Closed); }).Wait()),
                       IsRefused(Timeout(ctx, 1h, [] {}).Wait()), IsRefused(Invoke(limited, [] {}).Wait())});
  });
  EXPECT_EQ(wrong, 0);
}

// D32
TEST_F(ForkInItsOwnProcess, ExitInAForkedChildIsQuiet) {
#ifdef ORCHESTRATE_ASAN
  GTEST_SKIP() << "LeakSanitizer looks for the parent's threads at the exit of the child";
#endif
  const auto run = [] {
    (void)Invoke([] { pause(); });
    (void)Sleep(1h);
    const int code = InChild([]() -> int { std::exit(kFine); });
    std::quick_exit(code);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D32
TEST_F(ForkInItsOwnProcess, WithoutARuntimeAtTheForkBothSidesWork) {
  const auto run = [] {
    const auto works = [] {
      Runtime runtime(2);
      return Invoke(runtime.Background(), [] { return 1; }).Get() == 1 && !runtime.Run() ? 0 : 1;
    };
    const int before_any = InChild(works);
    int wrong = works();
    const int after_one = InChild(works);
    wrong += works();
    std::exit(before_any == 0 && after_one == 0 && wrong == 0 ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "");
}

}  // namespace
}  // namespace orchestrate::test
