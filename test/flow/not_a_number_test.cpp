#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/with_runtime.hpp>

// Durations in floating point that are no number, or endless.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

constexpr Seconds kNoNumber{std::numeric_limits<double>::quiet_NaN()};
constexpr Seconds kForEver{std::numeric_limits<double>::infinity()};

using NotANumber = WithRuntime;
INSTANTIATE_TEST_SUITE_P(Over, NotANumber, Widths(), WidthName);

void ExpectRefusal(const Error& error, const char* sentence) {
  EXPECT_TRUE(error.Is(Errc::InvalidArgument));
  EXPECT_EQ(error.Message(), sentence);
}

// D27
TEST_P(NotANumber, IsRefusedByEveryVerbInItsName) {
  const auto task = Invoke(ctx_, [] {});
  ExpectRefusal(Sleep(ctx_, kNoNumber).Wait(), "Sleep: duration is not a number");
  ExpectRefusal(Timeout(ctx_, task, kNoNumber).Wait(), "Timeout: timeout is not a number");
  ExpectRefusal(Timeout(ctx_, kNoNumber, [] {}).Wait(), "Timeout: timeout is not a number");
  ExpectRefusal(Repeat(ctx_, kNoNumber, [] {}).Wait(), "Repeat: interval is not a number");
  ExpectRefusal(WaitAllFor(std::vector{task}, kNoNumber), "WaitAllFor: timeout is not a number");
  const auto job =
      InvokeAll(ctx_, 1, std::vector{NewTask([] {})}, JobOptions().WithProgress([](auto) {}, kNoNumber));
  ExpectRefusal(job.Wait(), "InvokeAll: progress interval is not a finite number, must be > 0");
  ExpectRefusal(runtime_.Shutdown(ShutdownMode::Cancel, kNoNumber).Failure(),
                "Runtime::Shutdown: grace is not a number");
  EXPECT_TRUE(runtime_.IsRunning());
  EXPECT_FALSE(task.Wait());
}

TEST(NotANumberOfTheTestkit, IsThrown) {
  ManualExecutor executor;
  EXPECT_THROW(executor.Advance(kNoNumber), ErrorException);
  EXPECT_THROW(executor.GetClock().Advance(kNoNumber), ErrorException);
  executor.GetClock().Advance(Seconds(0.5));
  EXPECT_EQ(executor.GetClock().Elapsed(), 500ms);
}

// D27
TEST_P(NotANumber, IsThrownWhereThereIsNoHandle) {
  const auto task = Invoke(ctx_, [] {});
  EXPECT_THROW((void)ctx_.WithTimeout(kNoNumber), ErrorException);
  EXPECT_THROW((void)task.WaitFor(kNoNumber), ErrorException);
  EXPECT_THROW((void)task.WaitFor(std::chrono::duration<float>(std::numeric_limits<float>::signaling_NaN())),
               ErrorException);
  constexpr std::chrono::seconds kWhole(1);
  static_assert(noexcept(task.WaitFor(kWhole)), "whole numbers are numbers");
  EXPECT_FALSE(task.Wait());
}

TEST_P(NotANumber, IsWhatInfinityIsNot) {
  const auto task = Invoke(ctx_, [] { return 1; });
  EXPECT_TRUE(task.WaitFor(kForEver));
  EXPECT_EQ(Timeout(ctx_, kForEver, [] { return 1; }).Get(), 1);
  EXPECT_FALSE(ctx_.WithTimeout(kForEver).IsDone());
  EXPECT_TRUE(ctx_.WithTimeout(-kForEver).IsDone());
  EXPECT_TRUE(Sleep(ctx_, -kForEver).Wait().Is(Errc::InvalidArgument));
  const auto sleep = Sleep(ctx_, kForEver);
  EXPECT_FALSE(sleep.WaitFor(0s));
  EXPECT_TRUE(sleep.Cancel());
}

static_assert(IsNotANumber(kNoNumber) && IsNotANumber(-kNoNumber));
static_assert(!IsNotANumber(kForEver) && !IsNotANumber(-kForEver) && !IsNotANumber(Seconds(0)) &&
              !IsNotANumber(1s));

}  // namespace
}  // namespace orchestrate::test
