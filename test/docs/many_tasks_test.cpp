// The snippets of docs/tour.md about many tasks.
#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <orchestrate/flow/consume.hpp>
#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/progress_bar.hpp>
#include <orchestrate/flow/wait.hpp>
#include <orchestrate/orchestrate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;

// [half]
Result<int> Half(int number) {
  if (number % 2 != 0) return Error(Errc::InvalidArgument, std::to_string(number) + " is odd");
  return number / 2;
}
// [/half]

// [fork_join]
long Sum(Fork& fork, const std::vector<int>& numbers, std::size_t begin, std::size_t end) {
  if (end - begin == 1) return numbers[begin];
  const std::size_t middle = begin + (end - begin) / 2;
  const auto [left, right] = fork.Join([&](Fork& own) { return Sum(own, numbers, begin, middle); },
                                       [&](Fork& own) { return Sum(own, numbers, middle, end); });
  return left + right;
}
// [/fork_join]

class TourManyTasks : public testing::Test {
 protected:
  Runtime runtime_{2};
  Context ctx_ = runtime_.Background();
};

TEST_F(TourManyTasks, ForksAndJoins) {
  const Context ctx = ctx_;
  // [fork_join_call]
  const std::vector<int> numbers = {1, 2, 3, 4, 5};
  const Result<long> sum = ForkJoin(ctx, [&](Fork& fork) { return Sum(fork, numbers, 0, numbers.size()); });
  EXPECT_EQ(sum.Value(), 15);

  // Loops need no recursion and no choice of a grain.
  const auto square = [](int number) { return number * number; };
  EXPECT_EQ(ParallelReduce(ctx, numbers, 0, square, std::plus<>()).Value(), 55);
  // [/fork_join_call]
}

TEST_F(TourManyTasks, RunsSoManyAtATime) {
  const Context ctx = ctx_;
  // [invoke_all]
  std::vector<Task<int>> squares;
  for (int i = 1; i <= 10; ++i) squares.push_back(NewTask([i] { return i * i; }));
  const Error error = InvokeAll(ctx, 4, squares).Wait();  // at most 4 at a time
  EXPECT_FALSE(error);
  EXPECT_EQ(squares[9].Get(), 100);
  // [/invoke_all]
}

TEST_F(TourManyTasks, ListsAllErrors) {
  const Context ctx = ctx_;
  // [joined]
  std::vector<Task<int>> halves;
  for (int number : {2, 3, 4, 5}) halves.push_back(NewTask([number] { return Half(number); }));
  const Error error = InvokeAll(ctx, 2, halves).Wait();
  EXPECT_EQ(error.Message(), "2 of 4 failed: #1: 3 is odd; #3: 5 is odd");
  EXPECT_EQ(error.Parts()[1].index, 3U);
  // [/joined]
}

TEST_F(TourManyTasks, StopsAtTheFirstErrorWhenTold) {
  const Context ctx = ctx_;
  // [stop]
  std::vector<Task<int>> halves;
  for (int number : {2, 3, 4, 6}) halves.push_back(NewTask([number] { return Half(number); }));
  const Job job = InvokeAll(ctx, 1, halves, OnError::Stop);
  EXPECT_TRUE(job.Wait().Is(Errc::InvalidArgument));
  EXPECT_EQ(halves[0].Get(), 1);
  EXPECT_EQ(halves[3].State(), TaskState::Cancelled);  // was not started any more
  EXPECT_EQ(job.Done(), 4U);
  EXPECT_EQ(job.Failures(), 1U);  // the others were only stopped
  // [/stop]
}

TEST_F(TourManyTasks, YieldsAllOutcomes) {
  const Context ctx = ctx_;
  // [results]
  std::vector<Task<int>> halves;
  for (int number : {2, 3}) halves.push_back(NewTask([number] { return Half(number); }));
  const std::vector<Result<int>> outcomes = InvokeAllResults(ctx, Concurrency::Workers(), halves).Get();
  EXPECT_EQ(outcomes[0].Value(), 1);
  EXPECT_EQ(outcomes[1].Failure().Message(), "3 is odd");
  // [/results]
}

TEST_F(TourManyTasks, TakesFunctionsOfSeveralTypes) {
  const Context ctx = ctx_;
  // [tuple]
  const auto name = [] { return std::string("ada"); };
  const auto orders = [] { return 3; };
  const std::tuple<std::string, int> both = InvokeAll(ctx, name, orders).Get();
  EXPECT_EQ(both, std::tuple("ada", 3));
  // [/tuple]
}

TEST_F(TourManyTasks, ReportsProgress) {
  const Context ctx = ctx_;
  std::vector<Task<int>> squares;
  for (int i = 1; i <= 10; ++i) squares.push_back(NewTask([i] { return i * i; }));
  std::size_t seen = 0;
  const auto show = [&seen](const Progress& progress) { seen = progress.done; };
  const Job job = InvokeAll(ctx, 4, squares, InvokeAllOptions().WithProgress(show));
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(seen, 10U);  // the last call comes before the job is done
}

TEST_F(TourManyTasks, AreShownByAProgressBar) {
  const Context ctx = ctx_;
  std::vector<Task<int>> squares;
  for (int i = 1; i <= 10; ++i) squares.push_back(NewTask([i] { return i * i; }));
  std::string shown;
  const auto sink = [&shown](std::string_view text) { shown += text; };
  // [progress_bar]
  ProgressBar bar("squares", sink);  // without a sink: on standard error
  const auto show = [&bar](const Progress& progress) { bar.Update(progress); };
  EXPECT_FALSE(InvokeAll(ctx, 4, squares, InvokeAllOptions().WithProgress(show)).Wait());
  bar.Finish();
  // [/progress_bar]
  EXPECT_NE(shown.find("squares"), std::string::npos);
  EXPECT_NE(shown.find("10/10"), std::string::npos) << shown;
}

TEST_F(TourManyTasks, AreWaitedForTogether) {
  const Context ctx = ctx_;
  // [wait]
  auto name = Invoke(ctx, [] { return std::string("ada"); });
  auto orders = Invoke(ctx, [] { return 3; });
  EXPECT_FALSE(WaitAll(name, orders));  // of any types

  Promise<int> never;
  std::vector<Task<int>> tasks{never.Task(), orders};
  EXPECT_EQ(WaitAny(tasks).Value(), 1U);  // the index of the first that has ended
  EXPECT_TRUE(WaitAllFor(tasks, 1ms).Is(Errc::DeadlineExceeded));
  EXPECT_TRUE(WaitAll(ctx.WithTimeout(1ms), tasks).Is(Errc::DeadlineExceeded));  // the tasks go on
  EXPECT_EQ(CancelAll(tasks), 1U);                                               // how many of the calls won
  // [/wait]
}

TEST_F(TourManyTasks, PassItemsThroughAChannel) {
  const Context ctx = ctx_;
  // [channel]
  Channel<std::string> lines(16);  // holds up to 16 items; Channel<T>::Unbounded() has no limit
  auto reader = Invoke(ctx, [lines](Context& c) -> Error {
    for (const char* line : {"many", "small", "steps"}) {
      if (Error error = lines.Send(c, line)) return error;  // waits while the channel is full
    }
    lines.Close();
    return {};
  });
  std::size_t letters = 0;
  for (const std::string& line : lines.Items(ctx)) letters += line.size();  // until it is closed and empty
  EXPECT_EQ(letters, 14U);
  EXPECT_FALSE(reader.Wait());
  EXPECT_TRUE(lines.Recv(ctx).Failure().Is(Errc::Closed));
  // [/channel]
}

TEST_F(TourManyTasks, AreConsumedFromAChannel) {
  const Context ctx = ctx_;
  // [consume]
  std::atomic<int> sum = 0;
  Channel<Task<void>> queue(8);
  const Job job = Consume(ctx, 2, queue);  // at most 2 at a time, until the channel is closed and empty
  for (int i = 1; i <= 100; ++i) {
    EXPECT_FALSE(queue.Send(ctx, NewTask([&sum, i] { sum += i; })));
  }
  queue.Close();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(sum, 5050);
  EXPECT_EQ(job.Done(), 100U);
  // [/consume]
}

TEST_F(TourManyTasks, AreConsumedFromAFunction) {
  const Context ctx = ctx_;
  // [generate]
  std::atomic<int> sum = 0;
  const auto next = [&sum, i = 0]() mutable -> std::optional<Task<void>> {
    if (i == 100) return std::nullopt;
    ++i;
    return NewTask([&sum, i] { sum += i; });  // made when there is room for it
  };
  EXPECT_FALSE(Consume(ctx, Concurrency::Workers(), next).Wait());
  EXPECT_EQ(sum, 5050);
  // [/generate]
}

}  // namespace
}  // namespace orchestrate
