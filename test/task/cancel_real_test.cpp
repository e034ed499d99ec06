#include <gtest/gtest.h>

#include <atomic>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/in_time.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// K07
TEST(RealCancel, ReachesWorkThatListensWithin50Milliseconds) {
  EXPECT_TRUE(InTimeOnce([] {
    Runtime runtime(2);
    Gate started;
    std::atomic<bool> told{false};
    auto task = Invoke(runtime.Background(), [&](Context& context) {
      started.Open();
      Promise<void> stopped;
      const auto registration = context.OnDone([&stopped] { stopped.TrySet(); });
      told = stopped.Task().WaitFor(5s);
    });
    started.Wait();
    Promise<void>().Task().WaitFor(10ms);
    const auto begin = Clock::now();
    EXPECT_TRUE(task.Cancel());
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
    EXPECT_TRUE(told);
    return Clock::now() - begin < 50ms;
  }));
}

}  // namespace
}  // namespace orchestrate::test
