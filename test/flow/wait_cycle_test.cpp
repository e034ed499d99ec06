#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/waiting.hpp>
#include <test/support/with_strand.hpp>
#include "base/sanitizers.hpp"

// D23: waits that can never end because of others, and waits that serve themselves.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class WaitCycle : public WithStrand {};
INSTANTIATE_TEST_SUITE_P(Over, WaitCycle, Widths(), WidthName);

// Two bodies on two threads, `make` given a handle of the first: what the second waits for.
template <class Make>
std::pair<Error, Error> InACycleThrough(Make make) {
  Runtime runtime(2);
  Gate set;
  Gate both(2);
  Task<void> waits_for;
  Task<void> second;
  Error told_first;
  Error told_second;
  auto first = Invoke(runtime.Background(), [&] {
    set.Wait();
    both.Open();
    both.Wait();
    told_first = second.Wait();
  });
  second = NewTask([&] {
    both.Open();
    both.Wait();
    told_second = waits_for.Wait();
  });
  waits_for = make(runtime.Background(), first);
  second.Run(runtime.Background());
  set.Open();
  (void)first.Wait();
  (void)second.Wait();
  (void)waits_for.Wait();
  return {told_first, told_second};
}

void ExpectOneTold(const std::pair<Error, Error>& told) {
  EXPECT_NE(told.first.Is(Errc::WouldDeadlock), told.second.Is(Errc::WouldDeadlock));
}

// K60
TEST(WaitCycles, ThroughSeveralContinuationsIsTold) {
  const Watchdog watchdog;
  ExpectOneTold(InACycleThrough(
      [](const Context&, Task<void> first) { return first.Then([] {}).Then([] {}).Then([] {}); }));
}

// K60
TEST(WaitCycles, ThroughATaskThatABodyReturnedIsTold) {
  const Watchdog watchdog;
  ExpectOneTold(InACycleThrough(
      [](const Context& ctx, Task<void> first) { return Invoke(ctx, [first] { return first; }); }));
}

TEST(WaitCycles, ThroughARetryIsTold) {
  const Watchdog watchdog;
  ExpectOneTold(InACycleThrough(
      [](const Context& ctx, Task<void> first) { return Retry(ctx, {}, [first] { return first; }); }));
}

TEST(WaitCycles, ThroughAJobOfTasksThatRanBeforeIsTold) {
  const Watchdog watchdog;
  for (const int at_a_time : {0, 1}) {
    ExpectOneTold(InACycleThrough([at_a_time](const Context& ctx, Task<void> first) {
      return InvokeAll(ctx, at_a_time, std::vector{first.Then([] {})});
    }));
  }
}

TEST(WaitCycles, ThroughAConsumerOfATaskThatRanBeforeIsTold) {
  const Watchdog watchdog;
  for (int round = 0; round < 20; ++round) {
    ExpectOneTold(InACycleThrough([](const Context& ctx, const Task<void>& first) {
      Channel<Task<void>> channel(1);
      (void)channel.Send(first);
      channel.Close();
      return Consume(ctx, 2, channel);
    }));
  }
}

TEST(WaitCycles, ThroughATimeoutEndsWithIt) {
  const Watchdog watchdog;
  const auto told = InACycleThrough(
      [](const Context& ctx, Task<void> first) { return Timeout(ctx, first.Then([] {}), 50ms); });
  EXPECT_FALSE(told.first);
  EXPECT_TRUE(told.second.Is(Errc::DeadlineExceeded));
}

// K60: each of four strands keeps the next one's task from its end.
TEST(WaitCycles, ThroughFourStrandsIsToldOnce) {
  const Watchdog watchdog;
  constexpr std::size_t kStrands = 4;
  Runtime runtime(kStrands);
  std::deque<Strand> strands;
  for (std::size_t i = 0; i < kStrands; ++i) strands.emplace_back(runtime.GetExecutor());
  Gate started(kStrands);
  Gate queued;
  std::vector<Task<void>> behind;
  std::atomic<int> told{0};
  std::vector<Task<void>> holders;
  for (std::size_t i = 0; i < kStrands; ++i) {
    holders.push_back(Invoke(Where(runtime.Background()).On(strands[i]), [&, i] {
      started.Open();
      queued.Wait();
      if (behind[(i + 1) % kStrands].Wait().Is(Errc::WouldDeadlock)) ++told;
    }));
  }
  started.Wait();
  for (Strand& strand : strands) behind.push_back(Invoke(Where(runtime.Background()).On(strand), [] {}));
  queued.Open();
  for (const auto& holder : holders) EXPECT_FALSE(holder.Wait());
  EXPECT_EQ(told, 1);
}

// K60: another member of the job waits for what ends; waits of other runtimes go on meanwhile.
TEST(WaitCycles, ThroughOneOfTwoMembersOfAJobIsTold) {
  const Watchdog watchdog;
  Runtime runtime(4);
  Runtime unrelated(1);
  const Context ctx = runtime.Background();
  Strand strand(runtime.GetExecutor());
  Gate other_waits;
  Gate queued;
  Promise<void> ends;
  Error told_member;
  Error told_holder;
  Task<void> job;
  auto holder = Invoke(Where(ctx).On(strand), [&] {
    job = InvokeAll(ctx, 2,
                    NewTasks(
                        [&] {
                          other_waits.Open();
                          (void)ends.Task().Wait();
                        },
                        [&] {
                          other_waits.Wait();
                          auto behind = Invoke(Where(ctx).On(strand), [] {});
                          queued.Open();
                          told_member = behind.Wait();
                        }));
    queued.Wait();
    told_holder = job.Wait();
  });
  EXPECT_TRUE(Eventually([&] { return queued.IsOpen(); }));
  auto elsewhere = Invoke(unrelated.Background(), [](Context& own) { return Invoke(own, [] {}).Wait(); });
  EXPECT_FALSE(elsewhere.Wait());
  ends.TrySet();
  EXPECT_FALSE(holder.Wait());
  EXPECT_FALSE(job.Wait());  // it may outlast the holder
  EXPECT_NE(told_member.Is(Errc::WouldDeadlock), told_holder.Is(Errc::WouldDeadlock));
}

TEST(WaitCycles, OfAPieceOfAForkForTheStrandOfItsRegionIsTold) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  Strand strand(runtime.GetExecutor());
  Error told;
  auto holder = Invoke(Where(ctx).On(strand), [&] {
    Gate taken;
    return ForkJoin(ctx,
                    [&](Fork& fork) {
                      fork.Join(
                          [&] {
                            // Hands the other one over, so that it runs on another thread.
                            (void)Invoke(ctx, [] {}).Wait();
                            taken.Wait();
                          },
                          [&] {
                            taken.Open();
                            told = Invoke(Where(ctx).On(strand), [] {}).Wait();
                          });
                    })
        .Failure();
  });
  EXPECT_FALSE(holder.Wait());
  EXPECT_TRUE(told.Is(Errc::WouldDeadlock));
}

TEST_P(WaitCycle, OfVerbsOnTheStrandOfTheBodyThatWaitsIsToldOrServed) {
  const Watchdog watchdog;
  auto all = Invoke(on_strand_, [](Context& own) {
    RetryOptions twice;
    twice.attempts = 2;
    twice.first_delay = 0ms;
    const auto fails = [] { return Error(Errc::Closed); };
    const auto retry = Retry(own, twice, fails);
    EXPECT_TRUE(retry.Wait().Is(Errc::WouldDeadlock));
    (void)retry.Cancel();
    const Job repeat = Repeat(own, 1ms, [] {});
    EXPECT_TRUE(repeat.Wait().Is(Errc::WouldDeadlock));
    repeat.Cancel();
    EXPECT_FALSE(Timeout(own, 1h, [] {}).Wait());
    EXPECT_FALSE(Timeout(own, Invoke(own, [] {}), 1h).Wait());
    EXPECT_FALSE(Invoke(own, [own] { return Invoke(own, [] {}); }).Wait());
    EXPECT_FALSE(Invoke(own, [] {}).Then([] {}).Then([] {}).Wait());
    const auto first = Invoke(own, [] {});
    const auto second = Invoke(own, [] {});
    EXPECT_TRUE(WaitAny(first, second).Failure().Is(Errc::WouldDeadlock));
  });
  EXPECT_FALSE(all.Wait());
}

TEST_P(WaitCycle, OnAStrandOnAStrandIsToldOrServed) {
  const Watchdog watchdog;
  Strand upper(static_cast<Executor&>(strand_));
  auto served = Invoke(Where(ctx_).On(upper), [this] { return Invoke(on_strand_, [] {}).Wait(); });
  EXPECT_FALSE(served.Wait());
  auto told = Invoke(on_strand_, [&] { return Invoke(Where(ctx_).On(upper), [] {}).Wait(); });
  EXPECT_TRUE(told.Wait().Is(Errc::WouldDeadlock));
}

TEST_P(WaitCycle, OfBodiesThatReturnEachOthersTaskIsTold) {
  const Watchdog watchdog;
  Gate set;
  Task<void> first;
  Task<void> second;
  first = Invoke(ctx_, [&] { return set.Wait(), second; });
  second = NewTask([&] { return first; });
  second.Run(ctx_);
  set.Open();
  EXPECT_TRUE(first.Wait().Is(Errc::WouldDeadlock));
  EXPECT_TRUE(second.Wait().Is(Errc::WouldDeadlock)) << "it takes over the outcome of the other";
}

// ---- waits that serve themselves ----

#if defined(ORCHESTRATE_TSAN) || defined(ORCHESTRATE_ASAN)
constexpr int kDeep = 2'000;
#else
constexpr int kDeep = 100'000;
#endif

struct NestedThen {
  int depth;
  int operator()(Context& context) const {
    if (depth == 0) return 0;
    return Invoke(context, NestedThen{depth - 1}).Then([](int below) { return below + 1; }).Get();
  }
};

struct NestedReturned {
  int depth;
  int operator()(Context& context) const {
    if (depth == 0) return 0;
    return 1 + Invoke(context, [below = depth - 1](Context& own) {
                 return Invoke(own, NestedReturned{below});
               }).Get();
  }
};

struct NestedTimeout {
  int depth;
  int operator()(Context& context) const {
    return depth == 0 ? 0 : 1 + Timeout(context, 1h, NestedTimeout{depth - 1}).Get();
  }
};

template <class Nested>
void ExpectServedOnOneThread() {
  const Watchdog watchdog(100s);
  RuntimeOptions options(1);
  options.spare_workers = 0;  // a wait that blocked would fail
  Runtime runtime(std::move(options));
  const auto root = Invoke(runtime.Background(), Nested{kDeep});
  EXPECT_TRUE(Eventually([&root] { return root.IsDone(); }));
  EXPECT_EQ(root.Get(), kDeep);
}

// D23
TEST(WaitServes, AContinuationAtAnyDepthOnOneWorker) { ExpectServedOnOneThread<NestedThen>(); }
TEST(WaitServes, ATaskThatABodyReturnedAtAnyDepthOnOneWorker) { ExpectServedOnOneThread<NestedReturned>(); }
TEST(WaitServes, ATimeoutAtAnyDepthOnOneWorker) { ExpectServedOnOneThread<NestedTimeout>(); }

// D23: what the only worker queued is run under its lock, and nothing else that wants the lock.
// D23: more sleep at once than there are spare workers.
TEST(WaitServes, SleepsBeyondTheSpareWorkersEndAllTheSame) {
  const Watchdog watchdog;
  for (const std::size_t width : {1U, 2U}) {
    RuntimeOptions options(width);
    options.spare_workers = 4;
    Runtime runtime(std::move(options));
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 100; ++i) {
      tasks.push_back(Invoke(runtime.Background(), [](Context& own) { return Sleep(own, 1ms).Wait(); }));
    }
    for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  }
}

TEST(WaitServes, AnErrorForWantOfSpareWorkersNamesTheRemedy) {
  const Watchdog watchdog;
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  Promise<void> promise;
  const auto refused = Invoke(runtime.Background(), [task = promise.Task()] { return task.Wait(); });
  const Error error = refused.Wait();
  EXPECT_TRUE(error.Is(Errc::OutOfResources));
  EXPECT_NE(error.Message().find("spare_workers"), std::string::npos) << error.Message();
  promise.TrySet();
}

// ---- waits for no time ----

// K52
TEST(WaitForNoTime, NeverBlocks) {
  const Watchdog watchdog;
  CountsBlocked observer;
  RuntimeOptions options(1);
  options.observer = &observer;
  Runtime runtime(std::move(options));
  Promise<void> promise;
  const auto looks = Invoke(runtime.Background(), [task = promise.Task()] {
    int ended = 0;
    for (int i = 0; i < 1'000'000; ++i) ended += task.WaitFor(0s) ? 1 : 0;
    ended += task.WaitFor(-1s) ? 1 : 0;
    ended += task.WaitUntil(Clock::now()) ? 1 : 0;
    return ended;
  });
  EXPECT_EQ(looks.Get(), 0);
  EXPECT_EQ(observer.blocked, 0);
  promise.TrySet();
  EXPECT_TRUE(promise.Task().WaitFor(0s));
}

// ---- chains on a strand ----

// Each end of a link looks at what is next to it only: a hundred thousand take no longer than the watchdog,
// of which the square would be hours.
TEST_P(WaitCycle, LongChainsOnAStrandCostEachLinkTheSame) {
  const Watchdog watchdog;
  Promise<int> promise(on_strand_);
  auto last = promise.Task();
  for (int i = 0; i < kDeep; ++i) last = last.Then([](int before) { return before + 1; });
  promise.TrySet(0);
  EXPECT_EQ(last.Get(), kDeep);
}

}  // namespace
}  // namespace orchestrate::test
