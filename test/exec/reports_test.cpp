#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// What a runtime reports, when, and what not.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class Reports : public testing::TestWithParam<std::size_t> {
 protected:
  Reports() {
    RuntimeOptions options(GetParam());
    options.clock = &clock_;
    options.on_report = log_.Sink();
    runtime_.emplace(std::move(options));
  }

  // Each call fails at the same place.
  void FailOnce(const std::string& text = "boom") {
    (void)ContinueWith(Invoke(runtime_->Background(), [text] { throw std::runtime_error(text); }),
                       [](const Result<void>& outcome) { return outcome; });
    ASSERT_FALSE(runtime_->Run());
  }

  ReportLog log_;
  ManualClock clock_;
  std::optional<Runtime> runtime_;
};
INSTANTIATE_TEST_SUITE_P(Over, Reports, Widths(), WidthName);

TEST_P(Reports, OfOnePlaceComeOnceASecondWithTheirCount) {
  for (int i = 0; i < 5; ++i) FailOnce();
  auto told = log_.Take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 1U);
  clock_.Advance(999ms);
  FailOnce();
  EXPECT_EQ(log_.Size(), 0U);
  clock_.Advance(1ms);
  FailOnce();
  told = log_.Take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 6U) << "five that were counted, and this one";
}

TEST_P(Reports, ThatWereCountedAreToldWhenTheRuntimeEnds) {
  for (int i = 0; i < 4; ++i) FailOnce();
  EXPECT_EQ(log_.Take().size(), 1U);
  runtime_.reset();
  const auto told = log_.Take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 3U);
  EXPECT_EQ(told[0].error.Message(), "boom");
  EXPECT_TRUE(told[0].file.ends_with("reports_test.cpp"));
}

TEST_P(Reports, ThatWereCountedComeWithAnotherOneAfterASecond) {
  FailOnce();
  FailOnce();
  (void)log_.Take();
  clock_.Advance(1s);
  (void)Failed(Errc::Closed);  // without a runtime: of no concern here
  (void)Sleep(runtime_->Background(), -1s);
  const auto told = log_.Take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].count, 1U);
  EXPECT_EQ(told[0].error.Message(), "boom");
  EXPECT_TRUE(told[1].error.Is(Errc::InvalidArgument));
}

TEST_P(Reports, OfDifferentCodesAreDifferent) {
  for (const Errc code : {Errc::Closed, Errc::QueueFull, Errc::Closed}) {
    (void)Invoke(runtime_->Background(), [code]() -> Error { return code; });
    ASSERT_FALSE(runtime_->Run());
  }
  const auto told = log_.Take();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].error, Error(Errc::Closed));
  EXPECT_EQ(told[1].error, Error(Errc::QueueFull));
}

TEST_P(Reports, OfArgumentsGoToTheRuntimeThatWasNamed) {
  const Context ctx = runtime_->Background();
  (void)Sleep(ctx, -1s);
  (void)Repeat(Where(ctx).Named("beat"), 0s, [] {});
  (void)Invoke(ctx, Function<void()>());
  (void)Invoke(Where().On(runtime_->GetExecutor()), Function<void()>());
  (void)Retry(ctx, {.attempts = 0}, [] {});
  (void)Timeout(ctx, -1s, [] {});
  (void)InvokeAll(ctx, 1, std::vector<Task<void>>(), JobOptions().WithProgress([](const Progress&) {}, 0s));
  (void)Consume(ctx, 1, std::vector<Task<void>>(), JobOptions().WithProgress([](const Progress&) {}, 0s));
  const auto told = log_.Take();
  ASSERT_EQ(told.size(), 8U);
  for (const auto& entry : told) EXPECT_TRUE(entry.error.Is(Errc::InvalidArgument)) << entry.error.Message();
  EXPECT_EQ(told[1].task, "beat");
}

// A body that is told of the end of its runtime passes that on; the program wanted it.
TEST_P(Reports, LeaveOutWhatTheProgramHasEnded) {
  for (const ShutdownMode mode : {ShutdownMode::Drain, ShutdownMode::Cancel}) {
    RuntimeOptions options(GetParam());
    options.on_report = log_.Sink();
    Runtime runtime(std::move(options));
    const Context ctx = runtime.Background();
    const Context mine = ctx.WithCancel();
    Gate asleep;
    for (int i = 0; i < 100; ++i) {
      (void)Sleep(ctx, 1h);
      (void)Invoke(ctx, [](Context& own) { return Sleep(own, 1h); });
      (void)InvokeAll(ctx, 1, std::vector{NewTask([](Context& own) { return Sleep(own, 1h); })});
      (void)Repeat(ctx, 1h, [] {});
    }
    (void)Invoke(ctx, [&asleep, mode](Context& own) {
      const auto sleep = Sleep(own.Shield(), 1h);
      asleep.Open();
      if (mode == ShutdownMode::Cancel) sleep.Get();
    });
    (void)Invoke(mine, [](Context& own) { Sleep(own, 1h).Get(); });
    asleep.Wait();
    mine.Cancel();
    EXPECT_EQ(*runtime.Shutdown(mode, 20s), 0U);
    (void)Invoke(ctx, [] {});
    (void)InvokeAll(ctx, 1, std::vector{NewTask([] {})});
  }
  for (const auto& entry : log_.Take()) ADD_FAILURE() << entry.error.Message();
}

TEST_P(Reports, LeaveOutWhatTheDestructorHasEnded) {
  testing::internal::CaptureStderr();
  for (const bool has_sink : {true, false}) {
    Gate asleep;
    RuntimeOptions options(GetParam());
    if (has_sink) options.on_report = log_.Sink();
    Runtime runtime(std::move(options));
    const Context ctx = runtime.Background();
    for (int i = 0; i < 100; ++i) {
      (void)Sleep(ctx, 1h);
      (void)Invoke(ctx, [](Context& own) { return Sleep(own, 1h); });
      (void)InvokeAll(ctx, 1, std::vector{NewTask([](Context& own) { return Sleep(own, 1h); })});
      (void)Repeat(ctx, 1h, [] {});
    }
    (void)Invoke(ctx, [&asleep](Context& own) {
      const auto sleep = Sleep(own, 1h);
      asleep.Open();
      sleep.Get();
    });
    asleep.Wait();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  for (const auto& entry : log_.Take()) ADD_FAILURE() << entry.error.Message();
}

TEST_P(Reports, OfTheLatestOfManyPlacesComeOnceASecondToo) {
  const auto fail = [this](int code) {
    (void)Invoke(runtime_->Background(), [code] { return Error({code, std::generic_category()}); });
    ASSERT_FALSE(runtime_->Run());
  };
  constexpr int kMany = 300;
  for (int code = 1; code <= kMany; ++code) {
    fail(code);
    clock_.Advance(1ms);
  }
  EXPECT_EQ(log_.Take().size(), std::size_t{kMany});
  for (int i = 0; i < 3; ++i) fail(kMany);
  EXPECT_EQ(log_.Size(), 0U);
  runtime_.reset();
  const auto told = log_.Take();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].count, 3U);
}

}  // namespace
}  // namespace orchestrate::test
