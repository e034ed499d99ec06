#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <memory>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/allocation_faults.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// Each allocation of each call fails once. The call throws std::bad_alloc and has done nothing, or does all
// the same what it should; nothing leaks and the runtime goes on.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// A callable that lies in no small buffer.
struct Large {
  std::atomic<int>* ran;
  std::array<char, 300> rest{};
  int operator()() const { return ++*ran; }
};

class AllocationFaults : public WithRuntime {
 protected:
  // Fails each allocation of `call`: what throws has started nothing, what does not has got by without.
  template <class Call>
  void ExpectStrong(Call call) {
    int before = 0;
    const std::size_t failed = FailEachAllocation(
        [&] {
          (void)runtime_.Run();
          before = ran_;
          call();
        },
        [&] {
          EXPECT_FALSE(runtime_.Run());
          EXPECT_EQ(ran_, before) << "thrown, but something was started";
        });
    EXPECT_GT(failed, 0U);
    EXPECT_FALSE(runtime_.Run());
  }
  Large Work() { return {&ran_}; }

  std::atomic<int> ran_{0};
};
INSTANTIATE_TEST_SUITE_P(Over, AllocationFaults, Widths(), WidthName);

TEST_P(AllocationFaults, NewTask) {
  Task<int> task;
  ExpectStrong([&] { task = NewTask(Work()); });
  EXPECT_EQ(task.Run(ctx_).Get(), ran_);
}

TEST_P(AllocationFaults, InvokeWithAName) {
  Task<int> task;
  ExpectStrong(
      [&] { task = Invoke(Where(ctx_).Named("a name that is longer than any small string"), Work()); });
  EXPECT_EQ(task.Get(), ran_);
}

TEST_P(AllocationFaults, InvokeOnAStrand) {
  Task<int> task;
  Strand strand(runtime_.GetExecutor());
  ExpectStrong([&] { task = Invoke(Where(ctx_).On(strand), Work()); });
  EXPECT_EQ(task.Get(), ran_);
}

TEST_P(AllocationFaults, AfterAndThen) {
  auto before = Completed(1);
  Task<int> task;
  ExpectStrong([&] { task = After(Where(ctx_), before, [work = Work()](int) { return work(); }); });
  EXPECT_EQ(task.Get(), ran_);
  EXPECT_EQ(before.Get(), 1);
}

TEST_P(AllocationFaults, ContinueWithOfATaskThatRunsLater) {
  auto before = NewTask([] { return 1; });
  Task<int> task;
  ExpectStrong([&] {
    task = ContinueWith(Where(ctx_), before, [work = Work()](const Result<int>&) { return work(); });
  });
  (void)before.Run(ctx_);
  EXPECT_GE(task.Get(), 1);  // those of the attempts that got by without memory run beside it
}

TEST_P(AllocationFaults, InvokeAllLeavesItsTasksToTheNextCall) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(NewTask(Work()));
  Job job;
  ExpectStrong([&] { job = InvokeAll(ctx_, 2, tasks); });
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran_, 5);
}

TEST_P(AllocationFaults, InvokeAllWithProgress) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(NewTask(Work()));
  Job job;
  std::atomic<int> told{0};
  ExpectStrong([&] {
    job = InvokeAll(ctx_, 2, tasks, JobOptions().WithProgress([&told, rest = Large{}](const Progress&) {
      told += rest.ran == nullptr ? 1 : 0;
    }));
  });
  EXPECT_FALSE(job.Wait());
  EXPECT_GE(told, 1);
}

TEST_P(AllocationFaults, InvokeAllResults) {
  std::vector<Task<int>> tasks;
  for (int i = 0; i < 5; ++i) tasks.push_back(NewTask(Work()));
  Task<std::vector<Result<int>>> all;
  ExpectStrong([&] { all = InvokeAllResults(ctx_, 2, tasks); });
  EXPECT_EQ(all.Get().size(), 5U);
}

TEST_P(AllocationFaults, ConsumeTakesNothingOutOfItsChannel) {
  Channel<Task<int>> tasks(8);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(tasks.TrySend(NewTask(Work())));
  Job job;
  ExpectStrong([&] { job = Consume(ctx_, 2, tasks); });
  tasks.Close();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran_, 3);
}

TEST_P(AllocationFaults, SleepAndTimeout) {
  Task<void> nap;
  (void)FailEachAllocation([&] { nap = Sleep(ctx_.WithCancel(), 1ms); }, [] {});
  EXPECT_FALSE(nap.Wait());
  Task<int> limited;
  auto slow = NewTask(Work());
  ExpectStrong([&] { limited = Timeout(ctx_, slow, 1h); });
  EXPECT_EQ(limited.Get(), ran_);
}

TEST_P(AllocationFaults, TimeoutElsewhereAndOfAFunction) {
  Strand strand(runtime_.GetExecutor());
  const Where on_strand = Where(ctx_).On(strand).Named("a name that is longer than any small string");
  Task<int> limited;
  auto slow = NewTask(Work());
  ExpectStrong([&] { limited = Timeout(on_strand, slow, 1h); });
  EXPECT_EQ(limited.Get(), ran_);
  ExpectStrong([&] { limited = Timeout(on_strand, 1h, Work()); });
  EXPECT_EQ(limited.Get(), ran_);
}

TEST_P(AllocationFaults, Repeat) {
  Job beats;
  ExpectStrong([&] {
    beats = Repeat(ctx_.WithCancel(), 1h, [work = Work()] { (void)work(); });
    beats.Cancel();
  });
  EXPECT_TRUE(beats.Wait());
  (void)runtime_.Shutdown(ShutdownMode::Cancel,
                          std::chrono::seconds(20));  // tells what was counted of equal ones
  (void)reports_.Take();                              // of attempts that gave a job which failed
}

TEST_P(AllocationFaults, PromiseAndContexts) {
  (void)FailEachAllocation(
      [&] {
        const Context below = ctx_.WithCancel().WithTimeout(1h);
        const auto registration = below.OnDone([work = Work()] { (void)work(); });
        Promise<int> promise((Where(below)));
        (void)promise.TrySet(1);
      },
      [] {});
  EXPECT_FALSE(runtime_.Run());
  EXPECT_EQ(ran_, 0);
}

TEST_P(AllocationFaults, AStopTokenThatCannotBeMadeIsMadeByTheNextCall) {
  for (int number = 0;; ++number) {
    const Context below = ctx_.WithCancel().WithTimeout(1h);
    FailAllocation(static_cast<std::size_t>(number));
    try {
      (void)below.StopToken();
    } catch (const std::bad_alloc&) {  // tried again below
    }
    const bool failed = StopFailing();
    const auto token = below.StopToken();
    EXPECT_FALSE(token.stop_requested());
    EXPECT_TRUE(below.Cancel());
    EXPECT_TRUE(token.stop_requested()) << "allocation " << number;
    if (!failed) return;
  }
}

TEST_P(AllocationFaults, AContextThatCannotBeMadeKeepsNoTask) {
  const auto task = Invoke(ctx_, [this](Context& own) {
    (void)FailEachAllocation(
        [&] {
          Strand strand(runtime_.GetExecutor());
          (void)own.WithExecutor(strand);
        },
        [] {});
    (void)FailEachAllocation([&] { (void)own.WithSignal({SIGUSR2}); }, [] {});
  });
  EXPECT_FALSE(task.Wait());
}

TEST_P(AllocationFaults, ForkJoinAndParallelFor) {
  Strand strand(runtime_.GetExecutor());
  const Where on_strand = Where(ctx_).On(strand).Named("a name that is longer than any small string");
  (void)FailEachAllocation([&] { (void)ForkJoin(ctx_, Work(), Work()); }, [] {});
  (void)FailEachAllocation([&] { (void)ForkJoin(on_strand, Work(), Work()); }, [] {});
  int complete = 0;
  (void)FailEachAllocation(
      [&] {
        int sum = 0;
        if (ParallelFor(ctx_, 0, 100, [&](int) { std::atomic_ref(sum).fetch_add(1); }))
          throw std::bad_alloc();
        complete += sum == 100 ? 1 : -1000;
      },
      [] {});
  EXPECT_GE(complete, 1) << "no error, but not all items were done";
  EXPECT_FALSE(runtime_.Run());
}

// A destructor that has no memory for its report ends the runtime all the same.
TEST_P(AllocationFaults, ADestructorWithABodyThatStays) {
  const auto leave = std::make_shared<Gate>();  // a body may come to it when the test is over
  const OpenAtEnd open(*leave);
  std::atomic<int> told{0};
  for (std::size_t number = 0;; ++number) {
    Gate started;
    RuntimeOptions options(GetParam());
    options.name = "a name that is longer than any small string";
    options.grace = 0ms;
    options.spare_workers = 0;  // none of these runtimes ever gives its threads back
    options.on_report = [&told](const Report&) { ++told; };
    auto runtime = std::make_unique<Runtime>(std::move(options));
    (void)Invoke(runtime->Background(), [&started, leave] {
      started.Open();
      leave->Wait();
    });
    started.Wait();
    told = 0;
    FailAllocation(number);
    runtime.reset();
    if (!StopFailing()) break;
  }
  EXPECT_EQ(told, 1);
}

// Calls that never throw say so instead.
TEST_P(AllocationFaults, ASentenceBecomesOutOfResources) {
  RateLimiter limiter(10, 3);
  const auto unstarted = NewTask(Work());
  const auto said = [this, &limiter, &unstarted]() -> std::array<Error, 6> {
    return {Error(Errc::Closed, "a sentence that is longer than any small string"),
            Error(Errc::Closed).WithContext("a sentence that is longer than any small string"),
            limiter.Acquire(ctx_, 4),
            Task<int>().Wait(),
            unstarted.Wait(),
            detail::BackwardRange("ParallelFor", 1)};
  };
  const auto expected = said();
  for (std::size_t number = 0, failed = 1; failed == 1; ++number) {
    FailAllocation(number);
    const auto found = said();
    failed = StopFailing() ? 1 : 0;
    std::size_t lost = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool same = found[i].Message() == expected[i].Message();
      EXPECT_TRUE(same || found[i] == Errc::OutOfResources) << found[i].Message();
      lost += same ? 0 : 1;
    }
    EXPECT_EQ(lost, failed);
  }
}

}  // namespace
}  // namespace orchestrate::test
