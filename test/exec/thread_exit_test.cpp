#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <optional>
#include <thread>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>

// A thread that ends inside the library's call of user code takes the process with it, with a sentence.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class ThreadExit : public InItsOwnProcess {
 protected:
  static constexpr const char* kSentence = "pthread_exit or pthread_cancel ended a thread inside a task";
};

[[noreturn]] void Leave() { pthread_exit(nullptr); }

TEST_F(ThreadExit, InABodyEndsTheProcessWithASentence) {
  EXPECT_EXIT((void)Invoke([] { Leave(); }).Wait(), testing::KilledBySignal(SIGABRT), kSentence);
}

TEST_F(ThreadExit, InOtherCallsEndsTheProcessWithASentence) {
  const auto killed = testing::KilledBySignal(SIGABRT);
  EXPECT_EXIT((void)ForkJoin(
                  Context::Background(), [] { Leave(); }, [] {}),
              killed, kSentence);
  EXPECT_EXIT((void)ParallelFor(Context::Background(), 0, 1000, [](int) { Leave(); }), killed, kSentence);
  EXPECT_EXIT((void)Repeat(1ms, [] { Leave(); }).Wait(), killed, kSentence);
  EXPECT_EXIT((void)Retry(RetryOptions(), [] { Leave(); }).Wait(), killed, kSentence);
  EXPECT_EXIT((void)Completed().Then([] { Leave(); }).Wait(), killed, kSentence);
  EXPECT_EXIT((void)Consume(1, []() -> std::optional<Task<void>> { Leave(); }).Wait(), killed, kSentence);
}

TEST_F(ThreadExit, InACallBackEndsTheProcessWithASentence) {
  const auto killed = testing::KilledBySignal(SIGABRT);
  const auto cancel = [] {
    const Context ctx = Context::Background().WithCancel();
    const Registration registration = ctx.OnDone([] { Leave(); });
    ctx.Cancel();
    Gate().Wait();
  };
  EXPECT_EXIT(cancel(), killed, kSentence);
  const auto report = [] {
    RuntimeOptions options(1);
    options.on_report = [](const Report&) { Leave(); };
    Runtime runtime(std::move(options));
    (void)Sleep(runtime.Background(), -1s);
  };
  EXPECT_EXIT(report(), killed, kSentence);
}

TEST_F(ThreadExit, ByCancellationEndsTheProcessWithASentence) {
  const auto cancel = [] {
    static std::atomic<pthread_t> body{0};
    const auto task = Invoke([] {
      body = pthread_self();
      for (;;) pause();
    });
    while (body == 0) std::this_thread::yield();
    pthread_cancel(body);
    task.Wait();
  };
  EXPECT_EXIT(cancel(), testing::KilledBySignal(SIGABRT), kSentence);
}

}  // namespace
}  // namespace orchestrate::test
