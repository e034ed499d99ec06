#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// Parallel loops.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class ParallelTest : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ParallelTest, Widths(), WidthName);

TEST_P(ParallelTest, ForCallsEachItemOnce) {
  for (const std::size_t count : {0U, 1U, 2U, 3U, 1000U, 100000U}) {
    std::vector<std::atomic<int>> calls(count);
    EXPECT_FALSE(ParallelFor(ctx_, 0, count, [&calls](std::size_t i) { ++calls[i]; }));
    for (const auto& each : calls) ASSERT_EQ(each, 1);
  }
}

TEST_P(ParallelTest, ForTakesARange) {
  std::vector<int> numbers(5000, 1);
  EXPECT_FALSE(ParallelFor(ctx_, numbers, [](int& number) { number *= 2; }));
  EXPECT_EQ(std::accumulate(numbers.begin(), numbers.end(), 0), 10000);
}

TEST_P(ParallelTest, ForTakesNegativeNumbers) {
  std::atomic<long> sum{0};
  EXPECT_FALSE(ParallelFor(ctx_, -100, 50, [&sum](int i) { sum += i; }));
  EXPECT_EQ(sum, -3825);
}

TEST_P(ParallelTest, ReduceKeepsTheOrder) {
  const auto outcome = ParallelReduce(
      ctx_, 0, 3000, std::string(), [](int i) { return std::to_string(i % 10); }, std::plus<>());
  ASSERT_TRUE(outcome);
  ASSERT_EQ(outcome->size(), 3000U);
  for (std::size_t i = 0; i < 3000; ++i) ASSERT_EQ((*outcome)[i], static_cast<char>('0' + i % 10));
}

TEST_P(ParallelTest, ReduceOfNothingIsTheIdentity) {
  const std::vector<int> none;
  EXPECT_EQ(*ParallelReduce(
                ctx_, none, 7, [](int i) { return i; }, std::plus<>()),
            7);
}

long Leaves(Fork& fork, long from, long count) {
  if (count == 1) return from;
  return ParallelReduce(
      fork, 0, 10L, 0L, [=](Fork& own, long i) { return Leaves(own, from + i * count / 10, count / 10); },
      std::plus<>());
}

TEST_P(ParallelTest, LoopsNestWithinARegion) {
  EXPECT_EQ(*ForkJoin(ctx_, [](Fork& fork) { return Leaves(fork, 0, 100000); }), 4999950000);
}

// All items wait for each other: each worker has taken a part of its own.
TEST(Parallel, ForHandsOutItemsToAllWorkers) {
  Runtime runtime(4);
  const Watchdog watchdog;
  Gate all(4);
  EXPECT_FALSE(ParallelFor(runtime.Background(), 0, 4, [&all](int) {
    all.Open();
    Blocking([&all] { all.Wait(); });
  }));
}

TEST_P(ParallelTest, PassesOnWhatAnItemThrows) {
  std::atomic<int> calls{0};
  const Error error = ParallelFor(ctx_, 0, 100000, [&calls](int i) {
    ++calls;
    if (i == 70000) throw std::runtime_error("boom");
  });
  EXPECT_TRUE(error.Is(Errc::Exception));
  EXPECT_NE(error.Message().find("boom"), std::string::npos);
}

// Whatever parts have yielded when one fails is destroyed before the loop returns.
TEST_P(ParallelTest, DropsWhatPartsYieldedWhenAnItemFails) {
  for (int round = 0; round < 50; ++round) {
    auto counted = std::make_shared<int>(0);
    using Parts = std::vector<std::shared_ptr<int>>;
    const auto map = [&counted](int i) -> Parts {
      if (i == 900) throw std::runtime_error("boom");
      return {counted};
    };
    const auto join = [](Parts left, Parts right) {
      left.insert(left.end(), right.begin(), right.end());
      return left;
    };
    EXPECT_FALSE(ParallelReduce(ctx_, 0, 1000, Parts(), map, join));
    ASSERT_EQ(counted.use_count(), 1);
  }
}

TEST_P(ParallelTest, PassesOnAnErrorThatAnItemReturns) {
  const Error error =
      ParallelFor(ctx_, 0, 1000, [](int i) -> Error { return i == 999 ? Error(Errc::QueueFull) : Error(); });
  EXPECT_TRUE(error.Is(Errc::QueueFull));
  const auto sum = ParallelReduce(
      ctx_, 0, 1000, 0,
      [](int i) -> Result<int> { return i == 3 ? Result<int>(Errc::Closed) : Result<int>(i); },
      std::plus<>());
  ASSERT_FALSE(sum);
  EXPECT_TRUE(sum.Failure().Is(Errc::Closed));
}

TEST_P(ParallelTest, StopsWhenItsContextEnds) {
  const Watchdog watchdog;
  const Context context = ctx_.WithCancel();
  std::atomic<long> calls{0};
  const Error error = ParallelFor(context, 0L, 1L << 60, [&](long) {
    if (++calls == 1000) context.Cancel();
  });
  EXPECT_TRUE(error.Is(Errc::Cancelled)) << error.Message();
}

TEST_P(ParallelTest, ForCallsAllOfASmallType) {
  std::vector<std::atomic<int>> calls(256);
  EXPECT_FALSE(ParallelFor(ctx_, std::int8_t{-128}, std::int8_t{127},
                           [&calls](std::int8_t i) { ++calls[static_cast<std::size_t>(i + 128)]; }));
  for (std::size_t i = 0; i < 255; ++i) ASSERT_EQ(calls[i], 1) << i;
  EXPECT_EQ(calls[255], 0);
}

TEST_P(ParallelTest, ForStaysInsideARangeLongerThanItsType) {
  const Watchdog watchdog;
  const auto check = [this]<class I>(I first, I last) {
    std::atomic<int> calls{0};
    const Error error = ParallelFor(ctx_, first, last, [&](I i) -> Error {
      if (i < first || i >= last) return Errc::InvalidArgument;
      return ++calls < 100'000 ? Error() : Error(Errc::Closed);
    });
    EXPECT_EQ(error.Code(), Errc::Closed) << error.Message();
  };
  check(std::numeric_limits<int>::min(), std::numeric_limits<int>::max());
  check(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max());
  check(std::uint64_t{0}, std::numeric_limits<std::uint64_t>::max());
}

TEST(ParallelLoops, CountAndFindTheItemsOfAnyRange) {
  using Int = std::numeric_limits<int>;
  EXPECT_EQ(*detail::CountOf("f", Int::min(), Int::max()), 0xffffffffU);
  EXPECT_EQ(detail::ItemAt(Int::min(), 0xfffffffeU), Int::max() - 1);
  using Long = std::numeric_limits<std::int64_t>;
  EXPECT_EQ(*detail::CountOf("f", Long::min(), Long::max()), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(detail::ItemAt(Long::min(), std::numeric_limits<std::uint64_t>::max() - 1), Long::max() - 1);
  EXPECT_EQ(*detail::CountOf("f", std::int16_t{-32768}, std::int16_t{32767}), 65535U);
  EXPECT_EQ(*detail::CountOf("f", false, true), 1U);
  EXPECT_EQ(detail::CountOf("f", Int::max(), Int::min()).Failure().Message(),
            "f: -4294967295 items, must be >= 0");
  EXPECT_EQ(
      detail::CountOf("f", std::numeric_limits<std::uint64_t>::max(), std::uint64_t{0}).Failure().Message(),
      "f: -18446744073709551615 items, must be >= 0");
}

// D27
TEST_P(ParallelTest, RefusesARangeThatGoesBackward) {
  const Error error = ParallelFor(ctx_, 5, 3, [](int) {});
  EXPECT_TRUE(error.Is(Errc::InvalidArgument));
  EXPECT_EQ(error.Message(), "ParallelFor: -2 items, must be >= 0");
  EXPECT_TRUE(ParallelReduce(
                  ctx_, 5, 3, 0, [](int i) { return i; }, std::plus<>())
                  .Failure()
                  .Is(Errc::InvalidArgument));
}

// D27
TEST_P(ParallelTest, RefusesAnEmptyFunction) {
  EXPECT_TRUE(ParallelFor(ctx_, 0, 3, std::function<void(int)>()).Is(Errc::InvalidArgument));
  EXPECT_TRUE(ParallelReduce(ctx_, 0, 3, 0, std::function<int(int)>(), std::plus<>())
                  .Failure()
                  .Is(Errc::InvalidArgument));
}

}  // namespace
}  // namespace orchestrate::test
