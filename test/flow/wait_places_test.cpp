#include <gtest/gtest.h>

#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/waiting.hpp>
#include "task/wait_search.hpp"

// D23: cycles of waits through the places of a job, through what bodies return, and what finding them costs.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Has a thread for each piece of work; keeps back what comes after the first few until Release().
class ThreadEach final : public Executor {
 public:
  explicit ThreadEach(std::size_t first) : first_(first) {}
  ~ThreadEach() override {
    Detach();
    for (std::thread& thread : threads_) thread.join();
  }
  void Post(Work work) noexcept override {
    const std::lock_guard lock(mutex_);
    if (posted_++ >= first_ && !released_) {
      kept_.push_back(std::move(work));
    } else {
      Start(std::move(work));
    }
  }
  [[nodiscard]] Capabilities GetCapabilities() const noexcept override {
    return {.parallel = true, .blocking = true};
  }
  void Release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    for (; !kept_.empty(); kept_.pop_front()) Start(std::move(kept_.front()));
  }

 private:
  void Start(Work work) {
    threads_.emplace_back([work = std::move(work)]() mutable { work(); });
  }

  std::mutex mutex_;
  const std::size_t first_;
  std::size_t posted_ = 0;
  bool released_ = false;
  std::deque<Work> kept_;
  std::vector<std::thread> threads_;
};

// K60: what a member has returned keeps its place.
TEST(WaitPlaces, OfWhatAMemberReturnedForANextMemberIsTold) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  Error told;
  bool ran = false;
  const auto second = NewTask([&] { ran = true; });
  const auto first = NewTask([&] { return Invoke(ctx, [&] { told = second.Wait(); }); });
  EXPECT_FALSE(InvokeAll(ctx, 1, std::vector{first, second}).Wait());
  EXPECT_TRUE(told.Is(Errc::WouldDeadlock));
  EXPECT_TRUE(ran);
}

// The same when the job has another place.
TEST(WaitPlaces, OfWhatAMemberReturnedWaitsForAMemberThatHasAPlace) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  Error told;
  const auto second = NewTask([] {});
  const auto first = NewTask([&] { return Invoke(ctx, [&] { told = second.Wait(); }); });
  EXPECT_FALSE(InvokeAll(ctx, 2, std::vector{first, second}).Wait());
  EXPECT_FALSE(told);
}

// A body that another of its job runs for its own wait keeps no second place of the job: a wait for a third
// one, from outside the job, may end. `Second` makes the nested body, given the gate to open and that wait.
template <class Second>
void ExpectThirdHasAPlace(Second second_of) {
  const Watchdog watchdog;
  ThreadEach executor(2);  // the second member begins when it is released
  const Context ctx = executor.Background();
  Gate nested;
  Error told;
  const auto third = NewTask([] {});
  const auto outside = Invoke(ctx, [&] {
    nested.Wait();
    told = third.Wait();
  });
  const auto second = second_of(nested, outside);
  const auto first = NewTask([&] { return second.Wait(); });
  const auto job = InvokeAll(ctx, 2, std::vector{first, second, third});
  EXPECT_TRUE(Eventually([&] { return HasWaiters(third) || outside.IsDone(); }));
  executor.Release();
  EXPECT_FALSE(job.Wait()) << job.Wait().Message();
  EXPECT_FALSE(outside.Wait());
  EXPECT_FALSE(told) << "the second place was free";
}

TEST(WaitPlaces, OfABodyOnAnotherOfItsJobAreNone) {
  ExpectThirdHasAPlace([](Gate& nested, Task<void> outside) {
    return NewTask([&nested, outside] {
      nested.Open();
      return outside.Wait();
    });
  });
}

TEST(WaitPlaces, OfWhatABodyOnAnotherOfItsJobReturnedAreNone) {
  ExpectThirdHasAPlace([](Gate& nested, Task<void> outside) {
    return NewTask([&nested, outside] {
      nested.Open();
      return outside;
    });
  });
}

// What a member returned waits for the job: that wait is told, or the member.
TEST(WaitPlaces, OfWhatAMemberReturnedForItsJobIsTold) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  Gate set;
  Job job;
  Task<void> returned;
  const auto member = NewTask([&] {
    set.Wait();
    return returned = Invoke(ctx, [&] { return job.Wait(); });
  });
  job = InvokeAll(ctx, 2, std::vector{member});
  set.Open();
  EXPECT_TRUE(job.Wait().Is(Errc::WouldDeadlock));
  EXPECT_TRUE(returned.Wait().Is(Errc::WouldDeadlock));
}

// What a repeat follows waits for the repeat: that wait is told, or the repeat.
TEST(WaitPlaces, OfWhatARepeatFollowsForTheRepeatIsTold) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  Gate set;
  Job repeat;
  Task<void> returned;
  repeat = Repeat(ctx, 1h,
                  [&] {
                    set.Wait();
                    return returned = Invoke(ctx, [&] { return repeat.Wait(); });
                  },
                  {.immediately = true, .max_runs = 1});
  set.Open();
  EXPECT_FALSE(repeat.Wait());
  EXPECT_TRUE(repeat.LastError().Is(Errc::WouldDeadlock));
  (void)returned.Wait();
}

// The piece has the only spare worker, so the fork that joins it keeps its own.
TEST(WaitPlaces, OfAPieceIsToldAlsoWhenItsForkHasNoSpareWorker) {
  const Watchdog watchdog;
  RuntimeOptions options(2);
  options.spare_workers = 1;
  Runtime runtime(std::move(options));
  const Context ctx = runtime.Background();
  Strand strand(runtime.GetExecutor());
  Gate taken;
  Task<void> behind;
  Error told;
  const auto holder = Invoke(Where(ctx).On(strand), [&] {
    return ForkJoin(ctx,
                    [&](Fork& fork) {
                      fork.Join(
                          [&] {
                            // Hands the other one over, so that it runs on another thread.
                            (void)Invoke(ctx, [] {}).Wait();
                            taken.Wait();
                            EXPECT_TRUE(Eventually([&] { return HasWaiters(behind) || behind.IsDone(); }));
                          },
                          [&] {
                            behind = Invoke(Where(ctx).On(strand), [] {});
                            taken.Open();
                            told = behind.Wait();
                          });
                    })
        .Failure();
  });
  EXPECT_FALSE(holder.Wait());
  EXPECT_TRUE(told.Is(Errc::WouldDeadlock));
}

// Each of the bodies waits for the one before, which waits already: what they look at grows with their
// number, not with its square.
TEST(WaitPlaces, OfManyInARowCostEachTheSame) {
  const Watchdog watchdog;
  constexpr int kBodies = 200;
  CountsBlocked observer;
  RuntimeOptions options(1);
  options.observer = &observer;
  Runtime runtime(std::move(options));
  const Context ctx = runtime.Background();
  Promise<void> bottom;
  const auto before = detail::VisitedBySearches();
  std::vector<Task<void>> row{bottom.Task()};
  std::vector<Job> jobs;
  for (int i = 0; i < kBodies; ++i) {
    row.push_back(NewTask([below = row.back()] { return below.Wait(); }));
    jobs.push_back(InvokeAll(ctx, Concurrency::Unlimited(), std::vector{row.back()}));
    ASSERT_TRUE(Eventually([&] { return observer.blocked == i + 1; }));
  }
  bottom.TrySet();
  for (const Job& job : jobs) EXPECT_FALSE(job.Wait());
  EXPECT_LT(detail::VisitedBySearches() - before, std::uint64_t{100} * kBodies);
}

}  // namespace
}  // namespace orchestrate::test
