#include <gtest/gtest.h>

#include <chrono>
#include <utility>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>
#include <test/support/little_stack.hpp>
#include "base/sanitizers.hpp"

// Chains of anything end in a loop: their length costs memory, and no stack.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Ten million where tests may take their time.
int Links() {
#if defined(ORCHESTRATE_TSAN) || defined(ORCHESTRATE_ASAN)
  return 50'000;
#else
  return StressTime() > 1s ? 10'000'000 : 500'000;
#endif
}

class StressChains : public testing::Test {
 protected:
  Runtime runtime_{RuntimeOptions(2)};
  Context ctx_ = runtime_.Background();
};

// The last of a chain of promises: the body of a continuation of each sets the next.
Task<int> SetLinkByLink(const Context& context, const Promise<int>& head) {
  Task<int> last = head.Task();
  for (int i = 0; i < Links(); ++i) {
    Promise<int> next(context);
    Task<int> next_task = next.Task();
    static_cast<void>(last.Then([owned = std::move(next)](int value) mutable { owned.Set(value + 1); }));
    last = std::move(next_task);
  }
  return last;
}

TEST_F(StressChains, OfPromisesThatContinuationsOwnEnd) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    const Task<int> last = SetLinkByLink(ctx_, head);
    { const Promise<int> dropped = std::move(head); }
    EXPECT_TRUE(last.Wait().Is(Errc::Cancelled));
  });
}

TEST_F(StressChains, OfPromisesThatContinuationsSetRun) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    const Task<int> last = SetLinkByLink(ctx_, head);
    head.Set(0);
    EXPECT_EQ(last.Get(), Links());
  });
}

// Where the bodies run on the little stack, too.
TEST_F(StressChains, OfPromisesThatContinuationsSetRunOnALittleStack) {
  WithLittleStack([] {
    ManualExecutor executor;
    Promise<int> head(executor.Background());
    const Task<int> last = SetLinkByLink(executor.Background(), head);
    head.Set(0);
    executor.RunUntilIdle();
    EXPECT_EQ(last.Get(), Links());
  });
}

TEST_F(StressChains, OfContinuationsRun) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    Task<int> last = head.Task();
    for (int i = 0; i < Links(); ++i) last = last.Then([](int value) { return value + 1; });
    head.Set(0);
    EXPECT_EQ(last.Get(), Links());
  });
}

TEST_F(StressChains, OfContinuationsAreCancelled) {
  WithLittleStack([this] {
    const Context context = ctx_.WithCancel();
    Promise<int> head{Where(context)};
    Task<int> last = head.Task();
    for (int i = 0; i < Links(); ++i) last = last.Then([](int value) { return value + 1; });
    context.Cancel();
    EXPECT_TRUE(last.Wait().Is(Errc::Cancelled));
  });
}

TEST_F(StressChains, OfTasksThatReturnOneAnotherEnd) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    Task<int> last = head.Task();
    for (int i = 0; i < Links(); ++i) last = Invoke(ctx_, [before = std::move(last)] { return before; });
    head.Set(7);
    EXPECT_EQ(last.Get(), 7);
  });
}

TEST_F(StressChains, OfTimeoutsEnd) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    Task<int> last = head.Task();
    for (int i = 0; i < Links() / 4; ++i) last = Timeout(ctx_, last, 1h);
    head.Set(7);
    EXPECT_EQ(last.Get(), 7);
  });
}

TEST_F(StressChains, OfContextsEnd) {
  WithLittleStack([this] {
    const Context top = ctx_.WithCancel();
    Context last = top;
    for (int i = 0; i < Links(); ++i) last = last.WithCancel();
    const auto token = last.StopToken();
    top.Cancel();
    EXPECT_TRUE(token.stop_requested());
    EXPECT_TRUE(last.IsDone());
  });
}

TEST_F(StressChains, OfErrorsEnd) {
  WithLittleStack([] {
    Error error(std::make_error_code(std::errc::io_error), "disk is gone");
    for (int i = 0; i < Links(); ++i) error = Error(Errc::Cancelled, "next").WithCause(std::move(error));
    EXPECT_TRUE(error.Is(std::errc::io_error));
    error = {};
  });
}

struct Holder {
  Task<Holder> held;
};

TEST_F(StressChains, OfValuesEnd) {
  WithLittleStack([] {
    Task<Holder> last;
    for (int i = 0; i < Links(); ++i) last = Completed(Holder{std::move(last)});
    last = {};
  });
}

}  // namespace
}  // namespace orchestrate::test
