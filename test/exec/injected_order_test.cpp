#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>

namespace orchestrate::test {
namespace {

// Threads that run what they wait for leave stale entries behind and clear them away, among the work of
// others.
TEST(InjectedOrder, OfOneProducerIsKeptWhileOthersRunWhatTheyWaitFor) {
  constexpr int kItems = 20'000;
  Runtime runtime{RuntimeOptions(1)};
  const Context ctx = runtime.Background();
  std::atomic<bool> done{false};
  std::vector<std::thread> waiters;
  for (int i = 0; i < 2; ++i) {
    waiters.emplace_back([&] {
      while (!done) (void)Invoke(ctx, [] {}).Wait();
    });
  }
  std::vector<int> begun;  // one runs at a time
  begun.reserve(kItems);
  for (int i = 0; i < kItems; ++i) (void)Invoke(ctx, [&begun, i] { begun.push_back(i); });
  EXPECT_FALSE(Invoke(ctx, [] {}).Wait());
  done = true;
  for (auto& waiter : waiters) waiter.join();
  EXPECT_FALSE(runtime.Run());
  EXPECT_EQ(begun.size(), static_cast<std::size_t>(kItems));
  EXPECT_TRUE(std::is_sorted(begun.begin(), begun.end()));
}

}  // namespace
}  // namespace orchestrate::test
