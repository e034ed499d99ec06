#include <dirent.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>
#include "base/sanitizers.hpp"

// Signals: who gets them, what they interrupt, and what they end.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;
using testing::KilledBySignal;

using Signals = InItsOwnProcess;
using WithSignal = Signals;

std::set<std::string> Threads() {
  std::set<std::string> found;
  DIR* const folder = opendir("/proc/self/task");
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') found.insert(entry->d_name);
  }
  closedir(folder);
  return found;
}

bool Blocks(const std::string& thread, int number) {
  std::ifstream file("/proc/self/task/" + thread + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("SigBlk:"))
      return ((std::stoull(line.substr(7), nullptr, 16) >> (number - 1)) & 1U) != 0;
  }
  return false;
}

// ---- whose they are ----

TEST_F(Signals, TheLibrarysOwnThreadsTakeNone) {
  std::thread([] {}).join();  // a sanitizer's own thread comes with the first
  const auto before = Threads();
  const Runtime runtime(1);  // the timers; workers come when there is work
  const auto context = Context::Background().WithSignal({SIGUSR1});
  std::size_t own = 0;
  for (const auto& thread : Threads()) {
    if (before.contains(thread)) continue;
    ++own;
    EXPECT_TRUE(Blocks(thread, SIGTERM));
    EXPECT_TRUE(Blocks(thread, SIGCHLD));
    EXPECT_TRUE(Eventually([&] { return !Blocks(thread, SIGSEGV); })) << "a crash stays one";
  }
  EXPECT_GE(own, 1U);
  EXPECT_FALSE(Blocks(std::to_string(getpid()), SIGTERM)) << "the maker's mask is as before";
}

// Bodies start programs and threads, which inherit the mask.
TEST_F(Signals, WorkersHaveTheMaskOfWhoeverMadeTheirRuntime) {
  const auto run = [] {
    const auto blocks = [](int number) {
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      return sigismember(&mask, number) == 1;
    };
    sigset_t usr2;
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &usr2, nullptr);
    // The first worker is made by the timer thread, which blocks everything.
    Gate checked;
    bool fine = false;
    auto slept = Sleep(1ms).Then([&] {
      fine = blocks(SIGUSR2) && !blocks(SIGTERM) && !blocks(SIGUSR1);
      checked.Open();
    });
    checked.Wait();
    _exit(fine && !slept.Wait() ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(Signals, AProgramThatWaitsForThemItselfGetsAllOfThem) {
  const auto run = [] {
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &usr1, nullptr);
    Runtime runtime(2);
    for (int round = 0; round < 100; ++round) {
      auto task = Invoke(runtime.Background(), [] { kill(getpid(), SIGUSR1); });
      int number = 0;
      if (sigwait(&usr1, &number) != 0 || number != SIGUSR1) _exit(kWrong);
      if (task.Wait()) _exit(kWrong);
    }
    _exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// ---- what they interrupt ----

TEST_F(Signals, InterruptNoWaitOfTheLibrary) {
  const auto run = [] {
    static std::atomic<int> handled{0};
    struct sigaction action {};
    action.sa_handler = [](int) { ++handled; };  // no SA_RESTART: system calls fail with EINTR
    sigaction(SIGUSR1, &action, nullptr);
    const pthread_t main_thread = pthread_self();
    std::atomic<bool> done{false};
    std::thread tormentor([&] {
      while (!done) {
        pthread_kill(main_thread, SIGUSR1);
        kill(getpid(), SIGUSR1);
        std::this_thread::yield();
      }
    });
    int wrong = 0;
    const auto expect = [&wrong](int number, bool holds) {
      if (!holds && wrong == 0) wrong = number;
    };
    const Channel<int> channel(1);
    for (int round = 0; round < 20; ++round) {
      const int seen = handled;
      auto task = Sleep(2ms).Then([channel, round] { return channel.Send(round); });
      expect(10, channel.Recv().Value() == round);
      expect(11, !task.Wait());
      const auto begin = Clock::now();
      expect(12, channel.Recv(Context::Background().WithTimeout(2ms)).Failure().Is(Errc::DeadlineExceeded));
      const Promise<int> never;
      expect(13, !never.Task().WaitFor(2ms));
      expect(14, Clock::now() - begin >= 4ms);
      const auto nap = Sleep(1ms);
      errno = EDOM;
      const Error woken = nap.Wait();
      expect(15, errno == EDOM);
      expect(16, !woken);
      expect(17, Eventually([seen] { return handled > seen; }));
      expect(18, !Runtime::Default().Run());
    }
    done = true;
    tormentor.join();
    _exit(wrong == 0 ? kFine : wrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// ---- WithSignal ----

TEST_F(WithSignal, EndsAProgramInOrder) {
  const auto run = [] {
    const auto ctx = Context::Background().WithSignal({SIGTERM, SIGINT});
    auto server = Invoke(ctx, [](Context& own) {
      kill(getpid(), SIGTERM);
      return Sleep(own, 1h);
    });
    const Error end = server.Wait();
    const bool fine = end.Is(Errc::Cancelled) && end.Message().find("signal 15") != std::string::npos;
    std::exit(fine ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(WithSignal, TheSecondOneHasItsOldEffect) {
  const auto run = [] {
    const auto ctx = Context::Background().WithSignal({SIGTERM});
    Gate ended;
    const auto call = ctx.OnDone([&ended] { ended.Open(); });
    kill(getpid(), SIGTERM);
    ended.Wait();
    kill(getpid(), SIGTERM);
    for (;;) pause();
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGTERM), "^$");
}

TEST_F(WithSignal, TwoAtOnceAreTwo) {
  const auto run = [] {
    const auto ctx = Context::Background().WithSignal({SIGTERM});
    // Both handlers run before this thread does anything else: raise() returns after the handler.
    std::raise(SIGTERM);
    std::raise(SIGTERM);
    for (;;) pause();
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGTERM), "^$");
}

TEST_F(WithSignal, WorksInsideATaskAndWhileAllWorkersAreBusy) {
  const auto run = [] {
    Runtime runtime(1);
    const auto ctx = runtime.Background().WithSignal({SIGUSR1});
    auto task = Invoke(ctx, [](Context& own) {
      std::raise(SIGUSR1);
      while (!own.IsDone()) std::this_thread::yield();
      return 1;
    });
    _exit(task.Wait().Is(Errc::Cancelled) ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(WithSignal, GivesTheOldHandlersBackWhenNobodyListensAnyMore) {
  const auto run = [] {
    static std::atomic<int> handled{0};
    (void)std::signal(SIGUSR1, [](int) { ++handled; });
    {
      const auto one = Context::Background().WithSignal({SIGUSR1});
      const auto two = Context::Background().WithSignal({SIGUSR1, SIGUSR2});
      std::raise(SIGUSR1);
      while (!one.IsDone() || !two.IsDone()) std::this_thread::yield();
    }
    if (handled != 0) _exit(kWrong);
    if (!Eventually([] { return std::raise(SIGUSR1), handled > 0; })) _exit(kWrong);
    std::raise(SIGUSR2);  // by default deadly
  };
  EXPECT_EXIT(run(), KilledBySignal(SIGUSR2), "^$");
}

// D32
TEST_F(WithSignal, InTheChildOfAForkSignalsHaveTheirOldEffect) {
  const auto run = [] {
    const auto ctx = Context::Background().WithSignal({SIGTERM});
    const pid_t child = fork();
    if (child == 0) {
      alarm(static_cast<unsigned>(kPatience.count()));
      for (;;) pause();
    }
    kill(child, SIGTERM);
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM)
      _exit(kWrong);
    if (ctx.IsDone()) _exit(kWrong);
    std::raise(SIGTERM);
    while (!ctx.IsDone()) std::this_thread::yield();
    _exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// D32
TEST_F(WithSignal, CanBeUsedAnewInTheChildOfAFork) {
#ifdef ORCHESTRATE_TSAN
  GTEST_SKIP() << "ThreadSanitizer allows no threads in the child of a process with several";
#endif
  const auto use = [] {
    const auto ctx = Context::Background().WithSignal({SIGTERM});
    std::raise(SIGTERM);
    while (!ctx.IsDone()) std::this_thread::yield();
  };
  const auto run = [use] {
    // All threads have started by then: AddressSanitizer does not keep its locks from a fork.
    (void)Sleep(1ms).Wait();
    use();
    const pid_t child = fork();
    if (child == 0) {
      alarm(static_cast<unsigned>(kPatience.count()));
      use();
      _exit(kFine);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child) _exit(kWrong);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

}  // namespace
}  // namespace orchestrate::test
