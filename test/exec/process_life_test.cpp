#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>
#include <test/support/with_runtime.hpp>

// Before and after main, exit, and the ends of threads. What ends a process runs in one of its own.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;

using ProcessLife = InItsOwnProcess;
using RealProcessLife = ProcessLife;

// Calls `check` when the statics are destroyed and gives its answer as the exit code.
class AtDestruction {
 public:
  explicit AtDestruction(bool (*check)()) : check_(check) {}
  AtDestruction(const AtDestruction&) = delete;
  AtDestruction& operator=(const AtDestruction&) = delete;
  ~AtDestruction() {
    const bool fine = check_();
    (void)std::fflush(nullptr);
    _exit(fine ? kFine : kWrong);
  }

 private:
  bool (*check_)();
};

// ---- exit ----

// D31
TEST_F(ProcessLife, ExitWithNothingRunningIsSilent) {
  const auto run = [] {
    Invoke([] {}).Get();
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, ExitEndsBodiesThatListenAndWhatIsQueued) {
  const auto run = [] {
    for (int i = 0; i < 50; ++i) {
      (void)Invoke([](Context& own) {
        Gate ended;
        const auto call = own.OnDone([&ended] { ended.Open(); });
        ended.Wait();
      });
    }
    (void)Sleep(1h);
    (void)Repeat(1h, [] {});
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(RealProcessLife, ExitDoesNotWaitForEverForABodyThatDoesNotListen) {
  const auto run = [] {
    static Gate started;
    static Gate never;
    static const Watchdog watchdog;
    (void)Invoke([] {
      started.Open();
      pause();
    });
    started.Wait();
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "1 body of the default runtime still runs at exit");
}

// D31
TEST_F(ProcessLife, QuickExitDoesNotWait) {
  const auto run = [] {
    (void)Invoke([] { pause(); });
    std::quick_exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "");
}

// D31
TEST_F(ProcessLife, ARuntimeInAStaticEndsWithTheProcess) {
  const auto run = [] {
    static Runtime runtime(2);
    static auto nap = Sleep(runtime.Background(), 1h);
    for (int i = 0; i < 50; ++i) (void)Invoke(runtime.Background(), [] {});
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// ---- after main ----

// D31
TEST_F(ProcessLife, AfterExitNewWorkFailsWithShutDown) {
  const auto run = [] {
    static const AtDestruction check([] {
      const auto created = NewTask([] { return 1; });
      return Invoke([] { return 1; }).Wait().Is(Errc::ShutDown) && created.Run().Wait().Is(Errc::ShutDown) &&
             Sleep(1ms).Wait().Is(Errc::ShutDown) && Repeat(1ms, [] {}).Wait().Is(Errc::ShutDown) &&
             Runtime::Default().Shutdown(ShutdownMode::Cancel, 0s).Value() == 0;
    });
    Invoke([] {}).Get();  // the default runtime begins after the static above, so it ends before
    std::exit(kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, TheDefaultRuntimeMayBeUsedFirstAfterMain) {
  const auto run = [] {
    static const AtDestruction check([] { return Invoke([] { return 1; }).Get() == 1; });
    std::exit(kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, StaticsMayHoldTasksContextsAndPromises) {
  const auto run = [] {
    static Promise<int> promise;
    static auto waits = promise.Task().Then([](int value) { return value; });
    static auto done = Invoke([] { return std::string("kept"); });
    static auto created = NewTask([] { return 1; });
    static auto nap = Sleep(1h);
    static auto context = Context::Background().WithTimeout(1h);
    static auto call = context.OnDone([] {});
    static auto token = context.StopToken();
    static const Channel<int> channel(4);
    static auto receives = Invoke([mine = channel](Context& own) { return mine.Recv(own); });
    done.Get();
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, AnEarlierStaticSeesWhatRanBeforeExit) {
  const auto run = [] {
    static Task<int> done;
    static Task<int> cut_off;
    static const AtDestruction check(
        [] { return done.Get() == 1 && cut_off.IsDone() && cut_off.Wait().Is(Errc::Cancelled); });
    done = Invoke([] { return 1; });
    (void)done.Wait();
    cut_off = Invoke([](Context& own) { return Sleep(own, 1h).Then([] { return 2; }); });
    std::exit(kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, AThreadLocalOfAWorkerMayHoldTasks) {
  const auto run = [] {
    for (int i = 0; i < 50; ++i) {
      (void)Invoke([] {
        static thread_local std::vector<Task<int>> held;
        held.assign(1, NewTask([] { return 1; }));
        held.push_back(Invoke([] { return 2; }));
      });
    }
    (void)Runtime::Default().Run();
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, StaticsOfEveryKindMayBeMadeBeforeOrAfterTheFirstUse) {
  const auto run = [](bool (*first_use)()) {
    struct Holder {
      Runtime runtime{2};
      Strand strand{runtime.GetExecutor()};
      Context context = runtime.Background().WithTimeout(1h);
      Channel<int> channel{4};
      Promise<int> promise;
      std::vector<Task<int>> tasks;
      Job job;
      std::stop_token token = context.StopToken();
      void Fill() {
        tasks.push_back(Invoke(context, [own = channel](Context& ctx) { return own.Recv(ctx); }));
        tasks.push_back(promise.Task().Then([](int value) { return value; }));
        tasks.push_back(Invoke(context.WithExecutor(strand), [] { return 1; }));
        tasks.push_back(NewTask([] { return 1; }));
        tasks.push_back(Sleep(context, 1h).Then([] { return 1; }));
        job = Consume(context, 2, Channel<Task<int>>(1));
      }
    };
    const bool used = first_use();
    static Holder before;
    if (!used) Invoke([] {}).Get();
    static Holder after;
    before.Fill();
    after.Fill();
    std::exit(kFine);
  };
  EXPECT_EXIT(run([] { return false; }), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
  EXPECT_EXIT(run([] { return Invoke([] { return true; }).Get(); }), ExitedWithCode(kFine),
              testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, AThreadLocalOfTheMainThreadMayHoldThem) {
  const auto run = [](void (*end)()) {
    struct Holder {
      // Clang 16 takes no default initialisers with a source_location here.
      Holder()
          : running(Invoke(runtime.Background(), [] { return 1; })),
            nap(Sleep(1h)),
            context(Context::Background().WithTimeout(1h)),
            later(promise.Task().Then([](int value) { return value; })) {}
      Runtime runtime{1};
      Task<int> running;
      Task<void> nap;
      Context context;
      Promise<int> promise;
      Task<int> later;
    };
    static thread_local const Holder held;
    if (!held.context.IsDone()) end();
  };
  EXPECT_EXIT(run([] { std::exit(kFine); }), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
  EXPECT_EXIT(run([] { (void)Invoke([] { std::exit(kFine); }).Wait(); }), ExitedWithCode(kFine),
              testing::MatchesRegex("^$"));
}

// D31
TEST_F(ProcessLife, DetachedThreadsMayGoOnCallingUntilTheProcessHasEnded) {
  const auto run = [](void (*end)()) {
    static Gate all_call(6);
    const Channel<int> channel(2);
    for (int i = 0; i < 6; ++i) {
      std::thread([i, channel] {
        for (long round = 0;; ++round) {
          if (round == 10) all_call.Open();
          (void)Invoke([] { return 1; }).Then([](int value) { return value; }).Wait();
          (void)Sleep(1h).WaitFor(0s);
          (void)channel.TrySend(1);
          (void)channel.TryRecv();
          if (i % 2 == 0) (void)Context::Background().WithTimeout(1h).StopToken();
        }
      }).detach();
    }
    all_call.Wait();
    end();
  };
  EXPECT_EXIT(run([] { std::exit(kFine); }), ExitedWithCode(kFine), "");
  EXPECT_EXIT(run([] { std::quick_exit(kFine); }), ExitedWithCode(kFine), "");
  EXPECT_EXIT(run([] { (void)Invoke([] { std::exit(kFine); }).Wait(); }), ExitedWithCode(kFine), "");
}

// ---- threads that end ----

class ThreadLife : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ThreadLife, Widths(), WidthName);

TEST_P(ThreadLife, TasksGoOnWhenTheThreadThatMadeThemHasEnded) {
  std::vector<Task<int>> tasks;
  Gate leave;
  for (int round = 0; round < 20; ++round) {
    std::thread([&, round] {
      tasks.push_back(Invoke(ctx_, [&leave, round] {
        leave.Wait();
        return round;
      }));
      tasks.push_back(tasks.back().Then([](int value) { return value; }));
    }).join();
  }
  leave.Open();
  for (std::size_t i = 0; i < tasks.size(); ++i) EXPECT_EQ(tasks[i].Get(), static_cast<int>(i / 2));
}

TEST_P(ThreadLife, BlocksOfAThreadThatHasEndedAreFreedByOthers) {
  for (int round = 0; round < 50; ++round) {
    std::vector<Task<int>> tasks;
    std::thread([&tasks] {
      for (int i = 0; i < 100; ++i) tasks.push_back(NewTask([i] { return i; }));
    }).join();
    std::thread([&tasks] { tasks.resize(50); }).join();
    for (const auto& task : tasks) task.Run(ctx_);
    for (std::size_t i = 0; i < tasks.size(); ++i) ASSERT_EQ(tasks[i].Get(), static_cast<int>(i));
  }
}

TEST_P(ThreadLife, AThreadLocalMayHoldTheLastHandle) {
  struct Holder {
    Task<int> running;
    Task<int> created;
    std::optional<Context> context;
  };
  Gate leave;
  Task<bool> follower;
  std::thread([&] {
    static thread_local Holder holder;
    holder.context = ctx_.WithCancel();
    holder.running = Invoke(*holder.context, [&leave] {
      leave.Wait();
      return 1;
    });
    holder.created = NewTask([] { return 1; });
    follower = ContinueWith(ctx_, holder.created,
                            [](const Result<int>& result) { return result.Failure().Is(Errc::Cancelled); });
  }).join();
  leave.Open();  // a single worker is busy until then
  EXPECT_TRUE(follower.Get()) << "a task that nobody will run is cancelled";
  EXPECT_FALSE(runtime_.Run());
}

TEST_P(ThreadLife, AThreadMayEndWhileOthersWaitForItsPromise) {
  Task<int> task;
  std::thread([&task] {
    Promise<int> promise;
    task = promise.Task();
  }).join();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

}  // namespace
}  // namespace orchestrate::test
