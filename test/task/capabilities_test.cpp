#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/waiting.hpp>
#include "task/root_node.hpp"
#include "task/wait_table.hpp"

// What an executor can do is asked of code of the user.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Waits itself when it is asked, so many times.
class Waiting final : public Executor {
 public:
  explicit Waiting(int times) : left_(times) {}
  ~Waiting() override { Detach(); }
  void Post(Work work) noexcept override {
    EXPECT_TRUE(queue_.empty());
    queue_.push_back(std::move(work));
  }
  [[nodiscard]] Capabilities GetCapabilities() const noexcept override {
    if (left_ > 0 && left_-- > 0) (void)Sleep(Context::Background(), 1ms).Wait();
    return {};
  }
  void Run() { queue_.front()(); }
  [[nodiscard]] int Left() const { return left_; }

 private:
  mutable int left_;
  std::vector<Work> queue_;
};

TEST(AskedForItsCapabilities, AnExecutorMayWait) {
  const Watchdog watchdog;
  for (const int times : {1, 1'000'000}) {
    Waiting executor(times);
    const Context root = executor.Background();
    // Set when the body waits for it, so that it does.
    Promise<void> promise;
    const auto awaited = promise.Task();
    const auto task = Invoke(root, [&awaited] { return awaited.Wait().Code(); });
    std::thread sets([&promise, &awaited] {
      EXPECT_TRUE(Eventually([&awaited] { return HasWaiters(awaited); }));
      promise.TrySet();
    });
    executor.Run();
    sets.join();
    EXPECT_LT(executor.Left(), times) << "it was asked";
    EXPECT_EQ(task.Get(), Error().Code());
    int left_behind = 0;
    const detail::ContextNode& key = detail::RootOf(executor);
    detail::ForEachLink(&key, [&left_behind](detail::WaitLink&) { ++left_behind; });
    EXPECT_EQ(left_behind, 0);
  }
}

}  // namespace
}  // namespace orchestrate::test
