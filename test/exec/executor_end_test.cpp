#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>

// An executor of the program's own may be destroyed while other threads are inside it.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Is slow where it says so: a thread stays inside until it is let go.
class SlowExecutor final : public Executor {
 public:
  enum class Place : std::uint8_t { Post, Now, Timers };
  SlowExecutor(Place slow, Gate& inside, Gate& leave) : slow_(slow), inside_(inside), leave_(leave) {}
  ~SlowExecutor() override {
    Detach();
    EXPECT_EQ(threads_, 0) << "a thread is still inside";
  }
  void Post(Work work) noexcept override {
    const Work dropped = std::move(work);
    Pass(Place::Post);
  }
  [[nodiscard]] TimePoint Now() noexcept override { return Pass(Place::Now), Clock::now(); }
  [[nodiscard]] TimerService& Timers() noexcept override { return Pass(Place::Timers), Executor::Timers(); }

 private:
  void Pass(Place place) noexcept {
    if (place != slow_ || left_) return;
    ++threads_;
    inside_.Open();
    leave_.Wait();
    left_ = true;
    --threads_;
  }
  const Place slow_;
  Gate& inside_;
  Gate& leave_;
  std::atomic<int> threads_{0};
  std::atomic<bool> left_{false};
};

// Destroys an executor while `call`, on another thread, is inside it.
template <class Call>
void DestroyWhileInside(SlowExecutor::Place slow, Call call) {
  Gate inside;
  Gate leave;
  auto executor = std::make_unique<SlowExecutor>(slow, inside, leave);
  const Context root = executor->Background();
  std::thread calls([&] { call(root); });
  inside.Wait();
  std::atomic<bool> gone{false};
  std::thread destroys([&] {
    executor.reset();
    gone = true;
  });
  // Time enough to return too early.
  for (const auto end = Clock::now() + 50ms; !gone && Clock::now() < end;) std::this_thread::yield();
  EXPECT_FALSE(gone);
  leave.Open();
  destroys.join();
  calls.join();
}

TEST(Executor, WaitsForThreadsThatPostToIt) {
  DestroyWhileInside(SlowExecutor::Place::Post, [](const Context& root) {
    const auto context = root.WithCancel();
    const auto registration = context.OnDone([] {});
    context.Cancel();
  });
}

TEST(Executor, WaitsForThreadsThatAskForItsTime) {
  DestroyWhileInside(SlowExecutor::Place::Now,
                     [](const Context& root) { (void)root.WithDeadline(Clock::now() + 1h).IsDone(); });
}

TEST(Executor, WaitsForThreadsThatUseItsTimers) {
  DestroyWhileInside(SlowExecutor::Place::Timers, [](const Context& root) {
    const auto context = root.WithDeadline(Clock::now() + 1h);
    const auto registration = context.OnDone([] {});
  });
}

}  // namespace
}  // namespace orchestrate::test
