#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/exec/strand.hpp>
#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/wait.hpp>
#include <test/support/batches.hpp>
#include <test/support/gate.hpp>
#include <test/support/occupied.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using Ints = std::vector<int>;

class InvokeAllTest : public test::InvokeAllInVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Widths, InvokeAllTest, test::Widths(), test::WidthName);

std::vector<Task<void>> Many(int count) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < count; ++i) tasks.push_back(NewTask([] {}));
  return tasks;
}

// ---- admission ----

// K29
TEST_P(InvokeAllTest, StartsInOrderAtMostSoManyAtATime) {
  std::mutex mutex;
  std::vector<std::pair<int, Nanoseconds>> starts;
  std::atomic<int> running{0};
  std::atomic<int> most{0};
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 6; ++i) {
    tasks.push_back(NewTask([&, i](Context& c) -> Error {
      {
        const std::lock_guard lock(mutex);
        starts.emplace_back(i, Elapsed());
        most = std::max<int>(most, ++running);
      }
      Error error = Sleep(c, 10ms).Wait();
      --running;
      return error;
    }));
  }
  EXPECT_FALSE(InvokeAll(ctx_, 2, tasks).Wait());
  ASSERT_EQ(starts.size(), 6U);
  EXPECT_EQ(most, 2);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(starts[i].second, Nanoseconds(10ms) * (i / 2)) << i;
  // Two that start together may do so in either order.
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(starts[i].first / 2, static_cast<int>(i / 2)) << i;
}

TEST_P(InvokeAllTest, StartsOneAfterTheOtherInTheOrderOfTheRange) {
  Ints order;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(NewTask([&order, i] { order.push_back(i); }));
  EXPECT_FALSE(InvokeAll(ctx_, 1, tasks).Wait());
  Ints expected(100);
  for (int i = 0; i < 100; ++i) expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

// K30
TEST_P(InvokeAllTest, ReturnsAtOnceAndRunsAll) {
  test::Gate gate;
  const test::OpenAtEnd open(gate);
  std::atomic<int> ran{0};
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 6; ++i) {
    tasks.push_back(NewTask([&] {
      gate.Wait();
      ++ran;
    }));
  }
  const Job job = InvokeAll(ctx_, 0, tasks);
  EXPECT_FALSE(job.IsDone());
  EXPECT_EQ(job.State(), TaskState::Running);
  EXPECT_EQ(ran, 0);
  gate.Open();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(ran, 6);
  EXPECT_EQ(job.State(), TaskState::Completed);
}

TEST_P(InvokeAllTest, RunsAllAtOnceWithoutALimit) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 20; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 10ms).Wait(); }));
  EXPECT_FALSE(InvokeAll(ctx_, Concurrency::Unlimited(), tasks).Wait());
  EXPECT_EQ(Elapsed(), 10ms);
}

// D11
TEST_P(InvokeAllTest, TakesNegativeForTheNumberOfWorkers) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 16; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 10ms).Wait(); }));
  EXPECT_FALSE(InvokeAll(ctx_, -1, tasks).Wait());
  EXPECT_EQ(Elapsed(), Nanoseconds(10ms) * (16 / GetParam()));
}

TEST_P(InvokeAllTest, TakesAnyKindOfNumber) {
  const auto tasks = Numbers(3);
  EXPECT_FALSE(InvokeAll(ctx_, tasks.size(), tasks).Wait());
  EXPECT_FALSE(InvokeAll(ctx_, std::uint64_t{~0ULL}, Numbers(3)).Wait());
  EXPECT_EQ(Concurrency(-7), Concurrency::Workers());
  EXPECT_EQ(Concurrency(std::uint64_t{~0ULL}), Concurrency::Unlimited());
}

// A pending body (here: one that returned a task) keeps its admission.
TEST_P(InvokeAllTest, CountsAPendingTaskAsRunning) {
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 10ms); }));
  const Job job = InvokeAll(ctx_, 2, tasks);
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_EQ(job.Done(), 4U);
}

TEST_P(InvokeAllTest, OfNothingIsDoneAtOnce) {
  EXPECT_TRUE(InvokeAll(ctx_, 3, std::vector<Task<int>>{}).IsDone());
  EXPECT_FALSE(InvokeAll(ctx_, 3, std::vector<Task<int>>{}).Wait());
  EXPECT_FALSE(InvokeAll(ctx_, 0, std::vector<Task<int>>{}).Wait());
}

// K34
TEST_P(InvokeAllTest, SkipsEmptyHandles) {
  for (const int limit : {0, 1, 2}) {
    auto tasks = Numbers(3);
    tasks.insert(tasks.begin() + 1, 2, Task<int>());
    tasks.emplace_back();
    const Job job = InvokeAll(ctx_, limit, tasks);
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(job.Total(), 3U);
    EXPECT_EQ(job.Done(), 3U);
    EXPECT_EQ(tasks[3].Outcome().Value(), 1);
  }
}

TEST_P(InvokeAllTest, AwaitsWhatWasStartedOrHasEndedBefore) {
  for (const int limit : {0, 1}) {
    test::Gate gate;
    const test::OpenAtEnd open(gate);
    std::vector<Task<int>> tasks = Numbers(2);
    const auto elsewhere = Invoke(ctx_, [&] { return gate.Wait(), 7; });
    tasks.push_back(elsewhere);
    tasks.push_back(Completed(8));
    tasks.push_back(Failed<int>(Error(Errc::NotSupported, "old")));
    tasks.push_back(NewTask([] { return 9; }));
    const Job job = InvokeAll(ctx_, limit, tasks);
    if (GetParam() > 1) {  // the limit does not count what runs elsewhere
      EXPECT_EQ(tasks.back().Outcome().Value(), 9);
    }
    EXPECT_FALSE(job.IsDone());
    gate.Open();
    EXPECT_EQ(IndicesOf(job.Wait()), std::vector<std::size_t>{4});
    EXPECT_EQ(job.Done(), 6U);
    EXPECT_EQ(job.Failures(), 1U);
  }
}

TEST_P(InvokeAllTest, TakesOneTaskTwice) {
  std::atomic<int> runs{0};
  const auto task = NewTask([&] { ++runs; });
  for (const int limit : {0, 1, 2}) EXPECT_FALSE(InvokeAll(ctx_, limit, std::vector{task, task}).Wait());
  EXPECT_EQ(runs, 1);
}

TEST_P(InvokeAllTest, AwaitsAContinuationOfOneOfTheBatch) {
  const auto first = NewTask([] { return 1; });
  const auto second = first.Then([](int value) { return value + 1; });
  EXPECT_FALSE(InvokeAll(ctx_, 1, std::vector{second, first}).Wait());
  EXPECT_EQ(second.Outcome().Value(), 2);
}

TEST_P(InvokeAllTest, TakesHandlesThatTheRangeMakesUp) {
  struct Squares {
    struct Iterator {
      int at;
      Task<int> operator*() const {
        return NewTask([n = at] { return n * n; });
      }
      Iterator& operator++() { return ++at, *this; }
      bool operator!=(const Iterator& other) const { return at != other.at; }
    };
    [[nodiscard]] static Iterator begin() { return {0}; }
    [[nodiscard]] static Iterator end() { return {5}; }
  };
  const auto results = InvokeAllResults(ctx_, 2, Squares{}).Get();
  ASSERT_EQ(results.size(), 5U);
  EXPECT_EQ(results[4].Value(), 16);
}

TEST_P(InvokeAllTest, RunsAMillionTasks) {
  constexpr int kTasks = 1'000'000;
  std::atomic<std::int64_t> sum{0};
  {
    std::vector<Task<void>> tasks;
    tasks.reserve(kTasks);
    for (int i = 0; i < kTasks; ++i)
      tasks.push_back(NewTask([&sum, i] { sum.fetch_add(i, std::memory_order_relaxed); }));
    const Job job = InvokeAll(ctx_, 8, tasks);
    EXPECT_FALSE(job.Wait());
    EXPECT_EQ(job.Done(), static_cast<std::size_t>(kTasks));
  }
  EXPECT_EQ(sum, std::int64_t{kTasks} * (kTasks - 1) / 2);
}

// ---- life ----

TEST_P(InvokeAllTest, GoesOnWithoutHandles) {
  test::Gate done(50);
  {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 50; ++i) tasks.push_back(NewTask([&] { done.Open(); }));
    (void)InvokeAll(ctx_, 3, tasks);
  }
  done.Wait();
}

TEST_P(InvokeAllTest, ReportsAFailureThatNobodyReads) {
  (void)InvokeAll(ctx_, 3, std::vector{NewTask([] { return Error(Errc::NotSupported, "lost"); })});
  ASSERT_TRUE(test::Eventually([&] { return reports_.Size() == 1; }));
  EXPECT_EQ(reports_.Take()[0].error.Message(), "1 of 1 failed: #0: lost");
}

TEST_P(InvokeAllTest, CarriesItsName) {
  const Job job = InvokeAll(Where(ctx_).Named("digests"), 1, Numbers(1));
  EXPECT_EQ(job.Name(), "digests");
  EXPECT_FALSE(job.Wait());
}

TEST_P(InvokeAllTest, RunsOnAStrand) {
  Strand strand(runtime_.GetExecutor());
  int plain = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 1000; ++i) tasks.push_back(NewTask([&] { ++plain; }));
  EXPECT_FALSE(InvokeAll(Where(ctx_).On(strand), 4, tasks).Wait());
  EXPECT_EQ(plain, 1000);
}

TEST(InvokeAll, RunsOnTheDefaultRuntime) {
  std::vector<Task<int>> tasks{NewTask([] { return 1; })};
  EXPECT_FALSE(InvokeAll(2, tasks).Wait());
  EXPECT_EQ(InvokeAllResults(2, tasks).Get()[0].Value(), 1);
  EXPECT_EQ(std::get<0>(InvokeAll({}, [] { return 2; }).Get()), 2);
}

// Makes each handle when its turn comes and forgets it for the next, as std::views::join may.
class OnePass {
 public:
  OnePass(int count, Function<Task<void>()> make) : left_(count), make_(std::move(make)) { Next(); }

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Task<void>;
    using difference_type = std::ptrdiff_t;
    using pointer = const Task<void>*;
    using reference = const Task<void>&;
    Iterator(OnePass* range) : range_(range) {}  // NOLINT(google-explicit-constructor)
    reference operator*() const { return range_->shown_; }
    Iterator& operator++() {
      range_->Next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(const Iterator& other) const { return IsAtEnd() == other.IsAtEnd(); }

   private:
    [[nodiscard]] bool IsAtEnd() const { return range_ == nullptr || !range_->shown_; }
    OnePass* range_;
  };
  Iterator begin() { return this; }
  Iterator end() { return nullptr; }

 private:
  void Next() { shown_ = left_-- > 0 ? make_() : Task<void>(); }

  int left_;
  Function<Task<void>()> make_;
  Task<void> shown_;
};

TEST_P(InvokeAllTest, TakesHandlesThatAreGoneWhenTheNextIsShown) {
  std::atomic<int> ran{0};
  OnePass made(100, [&ran] { return NewTask([&ran] { ++ran; }); });
  EXPECT_FALSE(InvokeAll(ctx_, 3, made).Wait());
  EXPECT_EQ(ran, 100);
  OnePass started(100, [this, &ran] { return Invoke(ctx_, [&ran] { ++ran; }); });
  EXPECT_FALSE(WaitAll(started));
  EXPECT_EQ(ran, 200);
}

// A task that yields a task leaves its member while the inner one goes on; whoever ends that may be faster
// than the member, and the batch has the only reference.
TEST_P(InvokeAllTest, TasksThatYieldTasksMayEndWhileTheirMemberLeavesThem) {
  for (int round = 0; round < 30; ++round) {
    std::atomic<int> ran{0};
    OnePass made(50,
                 [this, &ran] { return NewTask([this, &ran] { return Invoke(ctx_, [&ran] { ++ran; }); }); });
    EXPECT_FALSE(InvokeAll(ctx_, 3, made).Wait());
    EXPECT_EQ(ran, 50);
  }
}

// D35: the workers need not come to it.
TEST_P(InvokeAllTest, EndsWithItsContextWhileAllWorkersAreBusy) {
  for (const int count : {0, 1, 100}) {
    Runtime runtime(GetParam());
    test::Occupied busy(runtime);
    busy.WaitUntilAllRun();
    const Context ctx = runtime.Background().WithCancel();
    const std::vector<Task<void>> tasks = Many(100);
    const Job job = InvokeAll(ctx, count, tasks);
    ASSERT_TRUE(ctx.Cancel());
    EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
    for (const auto& task : tasks) EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  }
}

// D35
TEST_P(InvokeAllTest, EndsWithItsRuntimeWhileAllWorkersAreBusy) {
  for (const int count : {0, 1, 100}) {
    Runtime runtime(GetParam());
    const std::vector<Task<void>> tasks = Many(100);
    Job job;
    std::thread stop;
    {
      test::Occupied busy(runtime);
      busy.WaitUntilAllRun();
      job = InvokeAll(runtime.Background(), count, tasks);
      stop = std::thread([&runtime] { (void)runtime.Shutdown(ShutdownMode::Cancel, 20s); });
      EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
      for (const auto& task : tasks) EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
    }
    stop.join();
  }
}

}  // namespace
}  // namespace orchestrate
