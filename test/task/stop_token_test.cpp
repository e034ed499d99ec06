#include <gtest/gtest.h>

#include <functional>
#include <stop_token>
#include <utility>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// The call-backs of a std::stop_token run where the context is ended, and may wait for whatever else hears of
// that end.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

using StopCallback = std::stop_callback<std::function<void()>>;

class StopCallbacks : public WithRuntime {
 protected:
  const Watchdog watchdog_;
};
INSTANTIATE_TEST_SUITE_P(Over, StopCallbacks, Widths(), WidthName);

TEST_P(StopCallbacks, MayWaitForACallBackOfOnDone) {
  const Context context = ctx_.WithCancel();
  Gate told;
  const auto before = context.OnDone([&told] { told.Open(); });
  const StopCallback waits(context.StopToken(), [&told] { told.Wait(); });
  EXPECT_TRUE(context.Cancel());
  EXPECT_TRUE(told.IsOpen());
}

TEST_P(StopCallbacks, MayWaitForCallBacksOfContextsBelow) {
  const Context context = ctx_.WithCancel();
  const Context below = context.WithCancel();
  Gate told{2};
  const auto before = context.OnDone([&told] { told.Open(); });
  const StopCallback waits(context.StopToken(), [&told] { told.Wait(); });
  const auto last = below.OnDone([&told] { told.Open(); });
  EXPECT_TRUE(context.Cancel());
  EXPECT_TRUE(told.IsOpen());
}

TEST_P(StopCallbacks, MayWaitForWhatACancelledCallableOwns) {
  const Context context = ctx_.WithCancel();
  Promise<int> never(ctx_);
  Promise<int> owned(ctx_);
  const auto end = owned.Task();
  const auto cancelled = After(context, never.Task(), [owned = std::move(owned)](int) {});
  (void)context.OnDone([] {});
  Error seen;
  const StopCallback waits(context.StopToken(), [&] { seen = end.Wait(); });
  EXPECT_TRUE(context.Cancel());
  EXPECT_TRUE(seen.Is(Errc::Cancelled)) << seen.Message();
}

TEST_P(StopCallbacks, OfTimedWorkMayWaitForTheTimeout) {
  // Again with more time when that was over before the body began.
  bool began = false;
  for (auto time = 5ms; !began; time *= 4) {
    Gate stopped;
    Gate known;
    Task<void> timed;
    const auto body = NewTask([&](Context& own) {
      began = true;
      known.Wait();
      const StopCallback waits(own.StopToken(), [&] {
        EXPECT_TRUE(timed.Wait().Is(Errc::DeadlineExceeded));
        stopped.Open();
      });
      stopped.Wait();
    });
    timed = Timeout(ctx_, body, time);
    known.Open();
    (void)body.Wait();
    EXPECT_TRUE(timed.Wait().Is(Errc::DeadlineExceeded));
  }
}

}  // namespace
}  // namespace orchestrate::test
