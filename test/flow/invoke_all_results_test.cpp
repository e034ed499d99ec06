#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/task/promise.hpp>
#include <test/support/batches.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class InvokeAllResultsTest : public test::InvokeAllInVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Widths, InvokeAllResultsTest, test::Widths(), test::WidthName);

// ---- results ----

TEST_P(InvokeAllResultsTest, ResultsKeepTheOrderAndTheErrors) {
  std::vector<Task<int>> tasks = Numbers(5);
  tasks[1] = NewTask([]() -> int { throw std::runtime_error("boom"); });
  tasks[3] = {};
  const auto results = InvokeAllResults(ctx_, 2, tasks).Get();
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(results[0].Value(), 0);
  EXPECT_EQ(results[1].Failure().Message(), "boom");
  EXPECT_EQ(results[2].Value(), 2);
  EXPECT_EQ(results[3].Failure(), Errc::InvalidArgument);
  EXPECT_EQ(results[4].Value(), 4);
  EXPECT_EQ(tasks[4].Outcome().Value(), 4);  // still there
}

TEST_P(InvokeAllResultsTest, ResultsMoveWhatCannotBeCopied) {
  std::vector<Task<std::unique_ptr<int>>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(NewTask([i] { return std::make_unique<int>(i); }));
  auto results = InvokeAllResults(ctx_, 2, tasks).Take();
  EXPECT_EQ(*results[2].Value(), 2);
  EXPECT_EQ(tasks[2].Outcome().Failure(), Errc::AlreadyTaken);
  const auto again = InvokeAllResults(ctx_, 2, tasks).Take();
  EXPECT_EQ(again[2].Failure(), Errc::AlreadyTaken);
}

TEST_P(InvokeAllResultsTest, ResultsOfVoid) {
  const auto results =
      InvokeAllResults(ctx_, 0, std::vector{NewTask([] {}), NewTask([] { return Error(Errc::Closed); })})
          .Get();
  EXPECT_TRUE(results[0].HasValue());
  EXPECT_EQ(results[1].Failure(), Errc::Closed);
}

TEST_P(InvokeAllResultsTest, ResultsEndWithTheContext) {
  const auto task = InvokeAllResults(ctx_.WithTimeout(10ms), 1,
                                     std::vector{NewTask([](Context& c) { return Sleep(c, 1h).Wait(); })});
  EXPECT_EQ(task.Wait(), Errc::DeadlineExceeded);
}

// ---- functions ----

TEST_P(InvokeAllResultsTest, ResultsTellWhatAFailureHasStopped) {
  const auto fails = NewTask([] { return Error(Errc::NotSupported, "no luck"); });
  const auto results = InvokeAllResults(ctx_, 1, std::vector{fails, NewTask([] {})}, OnError::Stop).Get();
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0].Failure().Message(), "no luck");
  EXPECT_EQ(results[1].Failure(), Errc::Cancelled);
}

TEST_P(InvokeAllResultsTest, ResultsDoNotWaitForOthersAfterAFailureThatStops) {
  const test::Watchdog watchdog;
  Promise<void> others(ctx_);
  const auto fails = NewTask([] { return Error(Errc::NotSupported, "no luck"); });
  const auto all = InvokeAllResults(ctx_, 2, std::vector{others.Task(), fails}, OnError::Stop);
  EXPECT_EQ(all.Wait(), Errc::Cancelled);
  EXPECT_EQ(fails.Wait().Message(), "no luck");
}

TEST_P(InvokeAllResultsTest, OfFunctionsYieldsATuple) {
  auto task = InvokeAll(
      ctx_, [] { return 1; }, [](Context& c) { return Sleep(c, 5ms).Wait(); },
      [](Context&) { return std::make_unique<std::string>("two"); }, [] { return Result<double>(3.0); });
  static_assert(std::is_same_v<decltype(task),
                               Task<std::tuple<int, std::monostate, std::unique_ptr<std::string>, double>>>);
  const auto [one, nothing, two, three] = task.Take();
  EXPECT_EQ(one, 1);
  EXPECT_EQ(*two, "two");
  EXPECT_EQ(three, 3.0);
}

TEST_P(InvokeAllResultsTest, OfFunctionsListsTheErrors) {
  std::function<int()> empty;
  const auto task = InvokeAll(
      ctx_, [] { return 1; }, []() -> int { throw std::runtime_error("boom"); }, empty);
  const Error error = task.Wait();
  EXPECT_EQ(error.Message(), "2 of 3 failed: #1: boom; #2: InvokeAll: the function is empty");
  EXPECT_EQ(task.State(), TaskState::Failed);
}

TEST_P(InvokeAllResultsTest, OfFunctionsNests) {
  const std::function<int(Context&, int)> fib = [&](Context& c, int n) -> int {
    if (n < 2) return n;
    const auto [a, b] =
        InvokeAll(
            c, [&](Context& x) { return fib(x, n - 1); }, [&](Context& x) { return fib(x, n - 2); })
            .Get();
    return a + b;
  };
  EXPECT_EQ(Invoke(ctx_, [&](Context& c) { return fib(c, 12); }).Get(), 144);
}

TEST_P(InvokeAllResultsTest, AThrowingMoveOfAValueBecomesTheError) {
  struct Mine {
    Mine() = default;
    Mine(Mine&& other) : moves(other.moves + 1) {
      if (moves == 1) throw std::runtime_error("moved");
    }
    int moves = 0;
  };
  const auto task = InvokeAll(ctx_, [] { return Mine(); });
  EXPECT_EQ(task.Wait().Message(), "moved");
}

}  // namespace
}  // namespace orchestrate
