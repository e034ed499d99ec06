#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <source_location>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>
#include <test/support/with_runtime.hpp>

// The destructor of a runtime inside one of its own bodies, and on the thread of its timers.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;
using testing::HasSubstr;

class RuntimeEndsInside : public testing::TestWithParam<std::size_t> {
 protected:
  std::unique_ptr<Runtime> Make(std::chrono::milliseconds grace = 60s) {
    RuntimeOptions options(GetParam());
    options.name = "inner";
    options.grace = grace;
    options.on_report = reports_.Sink();
    return std::make_unique<Runtime>(std::move(options));
  }

  ReportLog reports_;
};
INSTANTIATE_TEST_SUITE_P(Over, RuntimeEndsInside, Widths(), WidthName);

// D43
TEST_P(RuntimeEndsInside, DoesNotWaitForTheBodyAndTellsWhereThatWasSpawned) {
  const Watchdog watchdog(30s);  // less than the grace
  auto runtime = Make();
  const Context ctx = runtime->Background();
  const auto line = std::source_location::current().line() + 1;
  auto task = Invoke(Where(ctx).Named("suicidal"), [&runtime](Context& own) {
    runtime.reset();
    return own.IsDone() && Invoke(own, [] {}).Wait().Is(Errc::ShutDown);
  });
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled)) << task.Wait().Message();
  const auto reports = reports_.Take();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].what, "runtime inner is destroyed by one of its own bodies, which goes on");
  EXPECT_EQ(reports[0].task, "suicidal");
  EXPECT_THAT(reports[0].file, HasSubstr("inside_end_test.cpp"));
  EXPECT_EQ(reports[0].line, line);
}

// D43
TEST_P(RuntimeEndsInside, WaitsForTheOtherBodiesAndEndsWhatIsQueued) {
  const Watchdog watchdog(30s);
  auto runtime = Make();
  const Context ctx = runtime->Background();
  std::atomic<bool> other_left{GetParam() == 1};
  Gate started(GetParam() == 1 ? 0 : 1);
  if (GetParam() != 1) {
    (void)Invoke(ctx, [&](Context& own) {
      started.Open();
      EXPECT_TRUE(Eventually([&own] { return own.IsDone(); }));
      other_left = true;
    });
  }
  Task<void> queued;
  auto task = Invoke(ctx, [&](Context& own) {
    started.Wait();
    queued = Invoke(own, [] {});
    runtime.reset();
    EXPECT_TRUE(other_left);
    EXPECT_TRUE(queued.IsDone());
  });
  (void)task.Wait();
  EXPECT_EQ(reports_.Take().size(), 1U);
}

// D43
TEST_P(RuntimeEndsInside, AlsoBelowAWaitAndInACallBack) {
  const Watchdog watchdog(30s);
  auto runtime = Make();
  auto nested = Invoke(runtime->Background(), [&runtime](Context& own) {
    (void)Invoke(own, [&runtime] { runtime.reset(); }).Wait();
  });
  (void)nested.Wait();
  EXPECT_EQ(reports_.Take().size(), 1U);

  runtime = Make();
  Gate called;
  const Context child = runtime->Background().WithCancel();
  const auto call = child.OnDone([&] {
    runtime.reset();
    called.Open();
  });
  child.Cancel();
  called.Wait();
  EXPECT_EQ(reports_.Take().size(), 1U);
}

// D43
TEST_P(RuntimeEndsInside, LeavesOtherRuntimesAsTheyAre) {
  const Watchdog watchdog(30s);
  Runtime other(GetParam());
  for (int round = 0; round < 20; ++round) {
    auto runtime = Make();
    (void)Invoke(runtime->Background(), [&runtime] { runtime.reset(); }).Wait();
    EXPECT_EQ(Invoke(other.Background(), [] { return 1; }).Get(), 1);
  }
}

using RuntimeEndsInsideInItsOwnProcess = InItsOwnProcess;

// D43
TEST_F(RuntimeEndsInsideInItsOwnProcess, AsTheLastOneBeforeExit) {
  const auto run = [] {
    static const Watchdog watchdog(30s);
    static ReportLog reports;
    RuntimeOptions options(2);
    options.on_report = reports.Sink();
    auto runtime = std::make_unique<Runtime>(std::move(options));
    (void)Invoke(runtime->Background(), [&runtime] { runtime.reset(); }).Wait();
    std::exit(reports.Size() == 1 ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// What a callable keeps may be destroyed by any thread that ends its task, the one of the timers included.
TEST_F(RuntimeEndsInsideInItsOwnProcess, OnTheThreadOfItsTimers) {
  const auto run = [] {
    static const Watchdog watchdog(30s);
    struct Armed : detail::Timer {
      Armed() {
        fire = [](detail::Timer& timer, detail::TimerEvent) noexcept {
          auto& self = static_cast<Armed&>(timer);
          self.runtime.reset();
          self.fired.Open();
        };
      }
      std::unique_ptr<Runtime> runtime = std::make_unique<Runtime>(1);
      Gate fired;
    };
    static Armed armed;
    const Context ctx = armed.runtime->Background();
    Invoke(ctx, [] {}).Get();
    const auto nap = Sleep(ctx, 1h);
    armed.runtime->GetExecutor().Timers().Schedule(armed, TimePoint::min());
    armed.fired.Wait();
    if (!nap.Wait().Is(Errc::Cancelled)) std::exit(kWrong);
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

}  // namespace
}  // namespace orchestrate::test
