#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include <orchestrate/flow/consume.hpp>
#include <test/support/consuming.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::Tasks;

class ConsumeSourcesTest : public test::Consuming {};
INSTANTIATE_TEST_SUITE_P(Widths, ConsumeSourcesTest, test::Widths(), test::WidthName);

// ---- ranges ----

TEST_P(ConsumeSourcesTest, WalksAnyRangeOnce) {
  std::list<Task<int>> list;
  for (int i = 0; i < 100; ++i) list.push_back(Counting());
  EXPECT_FALSE(Consume(ctx_, 4, list).Wait());
  EXPECT_EQ(ran_, 100);
}

TEST_P(ConsumeSourcesTest, LeavesTheHandlesThatAViewShows) {
  const std::vector<Task<int>> vector(3, Counting());
  EXPECT_FALSE(Consume(ctx_, 0, std::span(vector)).Wait());
  for (const auto& task : vector) EXPECT_TRUE(task);
  EXPECT_EQ(ran_, 1);
}

TEST_P(ConsumeSourcesTest, KnowsHowManyAContainerHolds) {
  std::vector<Task<int>> given;
  for (int i = 0; i < 50; ++i) given.push_back(Counting());
  const Job job = Consume(ctx_, Concurrency::Unlimited(), std::move(given));
  EXPECT_EQ(job.Total(), 50U);
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran_, 50);
}

// ---- functions ----

TEST_P(ConsumeSourcesTest, CallsAFunctionOneAtATimeUntilItsEnd) {
  std::atomic<int> inside{0};
  int made = 0;  // not atomic: one call at a time
  const Job job = Consume(ctx_, 8, [&]() -> std::optional<Task<int>> {
    EXPECT_EQ(++inside, 1);
    --inside;
    if (made == 1000) return std::nullopt;
    ++made;
    return Counting();
  });
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran_, 1000);
}

TEST_P(ConsumeSourcesTest, NeverCallsTheFunctionAgainAfterItsEnd) {
  std::atomic<int> calls{0};
  EXPECT_FALSE(Consume(ctx_, 8, [&]() -> std::optional<Task<int>> {
                 return ++calls <= 20 ? std::optional(Counting()) : std::nullopt;
               }).Wait());
  EXPECT_EQ(calls, 21);
}

TEST_P(ConsumeSourcesTest, AFunctionThatBlocksKeepsNobodyElse) {
  test::Gate gate;
  const test::OpenAtEnd open(gate);
  int calls = 0;
  const Job job = Consume(ctx_, 4, [&]() -> std::optional<Task<int>> {
    if (++calls == 3) gate.Wait();
    return calls < 6 ? std::optional(Counting()) : std::nullopt;
  });
  if (GetParam() > 1) {  // the function has one worker, the tasks before the other
    ASSERT_TRUE(test::Eventually([&] { return job.Done() == 2; }));
  }
  gate.Open();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran_, 5);
}

TEST_P(ConsumeSourcesTest, GivesTheFunctionItsContext) {
  const Channel<int> numbers(1);
  const Job job = Consume(ctx_, 2, [&](Context& c) -> std::optional<Task<int>> {
    const auto number = numbers.Recv(c);  // ends with the job
    if (!number) return std::nullopt;
    return Counting();
  });
  EXPECT_FALSE(numbers.Send(ctx_, 1));
  ASSERT_TRUE(test::Eventually([&] { return ran_ == 1; }));
  job.Cancel();
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
}

TEST_P(ConsumeSourcesTest, EndsWithTheExceptionOfTheFunction) {
  int calls = 0;
  const Job job = Consume(ctx_, 3, [&]() -> std::optional<Task<int>> {
    if (++calls == 5) throw std::runtime_error("no more");
    return Counting();
  });
  EXPECT_EQ(job.Wait().Message(), "no more");
  EXPECT_EQ(job.State(), TaskState::Failed);
  EXPECT_EQ(ran_, 4);
  EXPECT_EQ(calls, 5);
}

TEST_P(ConsumeSourcesTest, DestroysTheFunctionBeforeItEnds) {
  auto alive = std::make_shared<int>(0);
  const Job job = Consume(ctx_, 2, [alive]() -> std::optional<Task<int>> { return std::nullopt; });
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(alive.use_count(), 1);
}

// D27
TEST_P(ConsumeSourcesTest, RefusesBadArguments) {
  const std::function<std::optional<Task<int>>()> empty;
  EXPECT_EQ(Consume(ctx_, 1, empty).Wait().Message(), "Consume: the function is empty");
  EXPECT_EQ(Consume(ctx_, 65537, Tasks(1)).Wait().Message(), "Consume: concurrency 65537, must be <= 65536");
  EXPECT_EQ(Consume(ctx_, 1, Tasks(1), JobOptions().WithProgress([](const Progress&) {}, -1ms)).Wait(),
            Errc::InvalidArgument);
}

}  // namespace
}  // namespace orchestrate
