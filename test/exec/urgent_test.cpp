#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/occupied.hpp>
#include <test/support/with_runtime.hpp>

// Call-backs of contexts, which start also while all workers are busy.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class UrgentWork : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, UrgentWork, Widths(), WidthName);

TEST_P(UrgentWork, StartsWhileAllWorkersAreBusy) {
  Occupied busy(runtime_);
  busy.WaitUntilAllRun();
  for (int round = 0; round < 20; ++round) {
    const Context child = ctx_.WithCancel();
    Gate called;
    const auto call = child.OnDone([&called] { called.Open(); });
    child.Cancel();
    called.Wait();
  }
}

TEST_P(UrgentWork, TakesOneThreadBeyondTheWorkersAtMost) {
  constexpr int kCalls = 50;
  Occupied busy(runtime_);  // so that only threads beyond the workers are left
  busy.WaitUntilAllRun();
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  Gate all_posted;
  Gate all(kCalls);
  const Context child = ctx_.WithCancel();
  std::vector<Registration> calls;
  for (int i = 0; i < kCalls; ++i) {
    calls.push_back(child.OnDone([&] {
      const int now = ++running;
      int before = most;
      while (now > before && !most.compare_exchange_weak(before, now)) continue;
      all_posted.Wait();
      // Long enough for each further thread to come and be seen.
      const auto until = std::chrono::steady_clock::now() + 1ms;
      while (std::chrono::steady_clock::now() < until) std::this_thread::yield();
      --running;
      all.Open();
    }));
  }
  child.Cancel();
  all_posted.Open();
  all.Wait();
  EXPECT_EQ(most, 1);
}

TEST_P(UrgentWork, GoesOnBesideAPieceOfItThatBlocksInAWait) {
  Occupied busy(runtime_);
  busy.WaitUntilAllRun();
  constexpr int kBlocked = 10;
  Promise<int> promise;
  Gate all(kBlocked);
  const Context child = ctx_.WithCancel();
  std::vector<Registration> calls;
  for (int i = 0; i < kBlocked; ++i) {
    calls.push_back(child.OnDone([&all, task = promise.Task()] {
      EXPECT_EQ(task.Get(), 1);
      all.Open();
    }));
  }
  calls.push_back(child.OnDone([&promise] { promise.Set(1); }));  // the last of them
  child.Cancel();
  all.Wait();
}

TEST_P(UrgentWork, IsCountedUntilAllOfItHasLeft) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> called{0};
    const Context child = ctx_.WithCancel();
    std::vector<Registration> calls;
    for (int i = 0; i < 20; ++i) calls.push_back(child.OnDone([&called] { ++called; }));
    std::thread other([&child] { child.Cancel(); });
    child.Cancel();
    other.join();
    EXPECT_FALSE(runtime_.Run());
    ASSERT_EQ(called, 20);
  }
}

}  // namespace
}  // namespace orchestrate::test
