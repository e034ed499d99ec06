#include <orchestrate/task/after.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include <orchestrate/orchestrate.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class ContinueWithOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ContinueWithOnWorkers, Widths(), WidthName);

// K28
TEST_P(ContinueWithOnWorkers, ContinueWithReceivesTheError) {
  auto first = Invoke(ctx_, [] { return Error(Errc::Closed, "shut"); });
  auto second = ContinueWith(ctx_, first, [](const Result<void>& result) {
    EXPECT_TRUE(result.Failure().Is(Errc::Closed));
    return 9;
  });
  EXPECT_EQ(second.Outcome().Value(), 9);
}

TEST_P(ContinueWithOnWorkers, ContinueWithReceivesTheValue) {
  auto first = Invoke(ctx_, [] { return std::make_unique<int>(4); });
  EXPECT_EQ(ContinueWith(first, [](Context&, Result<std::unique_ptr<int>> result) { return **result; }).Get(),
            4);
}

TEST_P(ContinueWithOnWorkers, ContinueWithReceivesACancellation) {
  auto first = NewTask([] { return 1; });
  auto second = ContinueWith(ctx_, first,
                             [](const Result<int>& result) { return result.Failure().Is(Errc::Cancelled); });
  first.Cancel();
  EXPECT_TRUE(second.Get());
}

TEST_P(ContinueWithOnWorkers, CatchReplacesAnErrorAndLetsAValuePass) {
  EXPECT_EQ(Catch(Invoke(ctx_, [] { return 1; }), [](const Error&) { return 2; }).Get(), 1);
  EXPECT_EQ(Catch(Invoke(ctx_, []() -> int { throw 1; }), [](const Error&) { return 2; }).Get(), 2);
  EXPECT_EQ(Catch(ctx_, Failed<int>(Errc::Closed),
                  [](Context&, const Error& error) -> Result<int> {
                    EXPECT_TRUE(error.Is(Errc::Closed));
                    return Error(Errc::QueueFull);
                  })
                .Wait(),
            Errc::QueueFull);
  EXPECT_FALSE(Catch(ctx_, Failed<void>(Errc::Closed), [](const Error&) {}).Wait());
  EXPECT_EQ(
      *Catch(Invoke(ctx_, [] { return std::make_unique<int>(1); }), [](const Error&) { return nullptr; })
           .Get(),
      1);
}

TEST_P(ContinueWithOnWorkers, FinallyPassesTheOutcomeOn) {
  int calls = 0;
  EXPECT_EQ(Finally(Invoke(ctx_, [] { return 1; }), [&calls] { ++calls; }).Get(), 1);
  EXPECT_TRUE(Finally(ctx_, Failed<int>(Errc::Closed), [&calls] { ++calls; }).Wait().Is(Errc::Closed));
  EXPECT_EQ(calls, 2);
  auto cancelled = NewTask([] { return 1; });
  cancelled.Cancel();
  EXPECT_TRUE(Finally(ctx_, cancelled, [&calls] { ++calls; }).Wait().Is(Errc::Cancelled));
  EXPECT_EQ(calls, 3);
}

TEST_P(ContinueWithOnWorkers, FinallyFailsWithTheErrorOfItsOwnWork) {
  EXPECT_EQ(
      Finally(Invoke(ctx_, [] { return 1; }), [] { throw std::runtime_error("late"); }).Wait().Message(),
      "late");
  EXPECT_TRUE(
      Finally(Invoke(ctx_, [] { return 1; }), [] { return Error(Errc::Closed); }).Wait().Is(Errc::Closed));
}

// D17
TEST_P(ContinueWithOnWorkers, FinallyWaitsForTheTaskThatItsWorkReturns) {
  Promise<void> cleaned;
  auto task = Finally(Invoke(ctx_, [] { return 1; }), [&cleaned] { return cleaned.Task(); });
  EXPECT_FALSE(task.WaitFor(1ms));
  cleaned.TrySet();
  EXPECT_EQ(task.Get(), 1);
}

}  // namespace
}  // namespace orchestrate::test
