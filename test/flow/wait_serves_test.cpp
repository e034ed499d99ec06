#include <gtest/gtest.h>

#include <mutex>

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

}  // namespace
}  // namespace orchestrate::test
