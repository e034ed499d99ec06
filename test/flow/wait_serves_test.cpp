#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>

// What a wait depends on goes before what else is queued.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// A body waits for what `start` gives, under a lock that a task wants which it has spawned before.
template <class Start>
void ExpectServedUnderALock(Start start) {
  const Watchdog watchdog;
  Runtime runtime(1);
  std::mutex mutex;
  Task<void> wants;
  auto holder = Invoke(runtime.Background(), [&mutex, &wants, start](Context& own) {
    const std::lock_guard lock(mutex);
    wants = Invoke(own, [&mutex] { const std::lock_guard waits(mutex); });
    return start(own).Get();
  });
  (void)holder.WaitFor(kPatience);  // which runs nothing itself
  EXPECT_EQ(holder.Get(), 2);
  EXPECT_FALSE(wants.Wait());
}

TEST(WaitServes, AContinuationUnderALockOfTheUser) {
  ExpectServedUnderALock(
      [](Context& own) { return Invoke(own, [] { return 1; }).Then([](int one) { return one + 1; }); });
}

TEST(WaitServes, AFlattenedTaskUnderALockOfTheUser) {
  ExpectServedUnderALock([](Context& own) {
    return Invoke(own, [](Context& inner) { return Invoke(inner, [] { return 2; }); });
  });
}

TEST(WaitServes, ATimeoutUnderALockOfTheUser) {
  ExpectServedUnderALock([](Context& own) { return Timeout(own, 1h, [] { return 2; }); });
}

TEST(WaitServes, ATimeoutUnderALockOfTheUserThatIsNotTheLastQueued) {
  ExpectServedUnderALock([](Context& own) {
    auto timed = Timeout(own, 1h, [] { return 2; });
    (void)Invoke(own, [] {});
    return timed;
  });
}

// D23: more bodies than spare workers wait for what time ends.
template <class Wait>
void ExpectServedBeyondSpareWorkers(Wait wait) {
  const Watchdog watchdog;
  for (const std::size_t width : {1U, 2U}) {
    RuntimeOptions options(width);
    options.spare_workers = 2;
    Runtime runtime(std::move(options));
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 20; ++i) tasks.push_back(Invoke(runtime.Background(), wait));
    for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  }
}

TEST(WaitServes, AcquiresBeyondTheSpareWorkersEndAllTheSame) {
  RateLimiter limiter(1000, 1);
  ExpectServedBeyondSpareWorkers([&limiter](Context& own) { return limiter.Acquire(own); });
}

TEST(WaitServes, TimedWaitsBeyondTheSpareWorkersEndAllTheSame) {
  Promise<void> never;
  ExpectServedBeyondSpareWorkers([task = never.Task()](Context&) { EXPECT_FALSE(task.WaitFor(1ms)); });
}

TEST(WaitServes, ATimeoutBeyondTheSpareWorkersEndsWithItsWork) {
  const Watchdog watchdog;
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const auto waits =
      Invoke(runtime.Background(), [](Context& own) { return Timeout(own, 1h, [] { return 2; }).Get(); });
  (void)waits.WaitFor(kPatience);  // which runs nothing itself
  EXPECT_EQ(waits.Get(), 2);
}

// D23: what others have to end cannot be told to end by itself.
TEST(WaitServes, ChannelsBeyondTheSpareWorkersNameTheRemedy) {
  const Watchdog watchdog;
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const Channel<int> full(1);
  ASSERT_FALSE(full.Send(1));
  const Channel<int> empty(1);
  const auto sends =
      Invoke(runtime.Background(), [&full](Context& own) -> Error { return full.Send(own, 2); });
  const auto receives =
      Invoke(runtime.Background(), [&empty](Context& own) { return empty.Recv(own).Failure(); });
  for (const Error& error : {sends.Wait(), receives.Wait()}) {
    EXPECT_TRUE(error.Is(Errc::OutOfResources)) << error.Message();
    EXPECT_NE(error.Message().find("spare_workers"), std::string::npos) << error.Message();
  }
}

// D23: with as many spare workers as there are by default.
TEST(RealWaitServes, AThousandSleepsEndAllTheSame) {
  Runtime runtime(2);
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 1000; ++i)
    tasks.push_back(Invoke(runtime.Background(), [](Context& own) { return Sleep(own, 20ms).Wait(); }));
  EXPECT_FALSE(WaitAll(tasks));
}

}  // namespace
}  // namespace orchestrate::test
