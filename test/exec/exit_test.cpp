#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>

// The ways in which a process can end while the library works. Each is tried in a process of its own.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;
using testing::KilledBySignal;

using ProcessEnd = InItsOwnProcess;

const auto kSilent = testing::MatchesRegex("^$");

[[noreturn]] void WaitForTheEnd() {
  for (;;) pause();
}

// Something in each state: running and blocked outside of the library, queued, asleep, repeated, promised.
void StartOneOfEach() {
  static Gate started;
  static Promise<int> promise;
  static std::vector<Task<void>> tasks;
  (void)Invoke([] {
    started.Open();
    pause();
  });
  started.Wait();
  for (int i = 0; i < 20; ++i) tasks.push_back(Invoke([] { pause(); }));
  tasks.push_back(Sleep(1h));
  tasks.push_back(Invoke([] { (void)Sleep(1h).Wait(); }));
  tasks.push_back(promise.Task().Then([](int) {}));
}

// ---- at once ----

// D31
TEST_F(ProcessEnd, QuickExitAndItsRelativesEndAtOnceAndSilently) {
  const Watchdog watchdog;
  EXPECT_EXIT((StartOneOfEach(), std::quick_exit(kFine)), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT((StartOneOfEach(), std::_Exit(kFine)), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT((StartOneOfEach(), _exit(kFine)), ExitedWithCode(kFine), kSilent);
}

// D31
TEST_F(ProcessEnd, AbortAndDeadlySignalsEndAtOnce) {
  const Watchdog watchdog;
  EXPECT_EXIT((StartOneOfEach(), std::abort()), KilledBySignal(SIGABRT), kSilent);
  EXPECT_EXIT((StartOneOfEach(), kill(getpid(), SIGTERM), WaitForTheEnd()), KilledBySignal(SIGTERM), kSilent);
}

// D31
TEST_F(ProcessEnd, TheSameInsideATask) {
  const Watchdog watchdog;
  EXPECT_EXIT(((void)Invoke([] { std::quick_exit(kFine); }), WaitForTheEnd()), ExitedWithCode(kFine),
              kSilent);
  EXPECT_EXIT(((void)Invoke([] { _exit(kFine); }), WaitForTheEnd()), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT(((void)Invoke([] { std::abort(); }), WaitForTheEnd()), KilledBySignal(SIGABRT), kSilent);
}

// D31
TEST_F(ProcessEnd, AHandlerOfQuickExitMayUseTheLibrary) {
  const auto handler = [] {
    const bool works = Invoke([] { return 1; }).Get() == 1 && !Sleep(1ms).Wait() &&
                       Invoke([] { return Invoke([] { return 2; }).Get(); }).Get() == 2;
    _exit(works ? kFine : kWrong);
  };
  const auto from_main = [&] {
    (void)std::at_quick_exit(handler);
    Invoke([] {}).Get();
    std::quick_exit(kWrong);
  };
  const auto from_a_task = [&] {
    (void)std::at_quick_exit(handler);
    (void)Invoke([] { std::quick_exit(kWrong); });
    WaitForTheEnd();
  };
  EXPECT_EXIT(from_main(), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT(from_a_task(), ExitedWithCode(kFine), kSilent);
}

// ---- std::exit inside a task ----

// D31
TEST_F(ProcessEnd, ExitInsideATaskGivesItsStatus) {
  EXPECT_EXIT(((void)Invoke([] { std::exit(kFine); }), WaitForTheEnd()), ExitedWithCode(kFine), kSilent);
}

// D31
TEST_F(ProcessEnd, ExitInsideATaskThatSomebodyWaitsForGivesItsStatus) {
  EXPECT_EXIT((void)Invoke([] { std::exit(kFine); }).Wait(), ExitedWithCode(kFine), kSilent);
  // When another worker runs the inner one, the outer waits for what will not end, and is named after a
  // while.
  EXPECT_EXIT((void)Invoke([] { (void)Invoke([] { std::exit(kFine); }).Wait(); }).Wait(),
              ExitedWithCode(kFine), "");
}

// D31
TEST_F(ProcessEnd, ExitInsideATaskOfARuntimeGivesItsStatus) {
  const auto in_main = [] {
    Runtime runtime(2);
    (void)Invoke(runtime.Background(), [] { std::exit(kFine); });
    WaitForTheEnd();
  };
  const auto in_a_static = [] {
    static Runtime runtime(2);
    (void)Invoke(runtime.Background(), [] { std::exit(kFine); });
    WaitForTheEnd();
  };
  const auto in_a_wait = [] {
    static Runtime runtime(2);
    (void)Invoke(runtime.Background(), [] { std::exit(kFine); }).Wait();
  };
  const auto on_a_strand = [] {
    static Runtime runtime(2);
    static Strand strand(runtime.GetExecutor());
    (void)Invoke(Context::Background().WithExecutor(strand), [] { std::exit(kFine); });
    WaitForTheEnd();
  };
  EXPECT_EXIT(in_main(), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT(in_a_static(), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT(in_a_wait(), ExitedWithCode(kFine), kSilent);
  EXPECT_EXIT(on_a_strand(), ExitedWithCode(kFine), kSilent);
}

// D31
TEST_F(ProcessEnd, ExitInsideATaskEndsTheOthersThatListenAndWhatIsQueued) {
  const auto run = [] {
    static std::atomic<int> listening{0};
    struct AtDestruction {
      ~AtDestruction() {
        if (listening != 0) _exit(kWrong);
      }
    };
    static const AtDestruction after_the_runtime;
    static Runtime runtime(4);
    const Context ctx = runtime.Background();
    for (int i = 0; i < 2; ++i) {
      (void)Invoke(ctx, [](Context& own) {
        Gate ended;
        const auto call = own.OnDone([&ended] { ended.Open(); });
        ++listening;
        ended.Wait();
        --listening;
      });
    }
    (void)Invoke(ctx, [](Context& own) { return Sleep(own, 1h); });
    (void)Repeat(ctx, 1h, [] {});
    if (!Eventually([] { return listening == 2; })) std::abort();
    (void)Invoke(ctx, [](Context& own) {
      for (int i = 0; i < 50; ++i) (void)Invoke(own, [] {});
      std::exit(kFine);
    });
    WaitForTheEnd();
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), kSilent);
}

// D31
TEST_F(ProcessEnd, ExitInsideATaskRunsHandlersAndStaticsAndFlushes) {
  const auto run = [] {
    struct AtDestruction {
      ~AtDestruction() { std::fputs("static ", stderr); }
    };
    static const AtDestruction check;
    std::atexit([] { std::fputs("handler ", stderr); });
    std::ios::sync_with_stdio(false);
    static char buffer[64];
    (void)std::setvbuf(stderr, buffer, _IOFBF, sizeof(buffer));
    (void)Invoke([] { std::exit(kFine); });
    WaitForTheEnd();
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^handler static $");
}

// D31
TEST_F(ProcessEnd, AfterExitInsideATaskNewWorkFailsWithShutDown) {
  const auto run = [] {
    struct AtDestruction {
      ~AtDestruction() {
        const bool refused =
            Invoke([] { return 1; }).Wait().Is(Errc::ShutDown) && Sleep(1ms).Wait().Is(Errc::ShutDown);
        _exit(refused ? kFine : kWrong);
      }
    };
    static const AtDestruction check;
    (void)Invoke([] { std::exit(kWrong); });
    WaitForTheEnd();
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), kSilent);
}

// D31
TEST_F(ProcessEnd, ExitInsideATaskNamesBodiesThatDoNotListen) {
  const auto run = [] {
    static Runtime runtime([] {
      RuntimeOptions options(2);
      options.grace = 1ms;
      return options;
    }());
    static Gate started;
    (void)Invoke(runtime.Background(), [] {
      started.Open();
      pause();
    });
    started.Wait();
    (void)Invoke(runtime.Background(), [] { std::exit(kFine); });
    WaitForTheEnd();
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "1 body still runs after the grace period");
}

}  // namespace
}  // namespace orchestrate::test
