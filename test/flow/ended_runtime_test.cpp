#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/with_runtime.hpp>

// What a context of a runtime that is gone is still good for: refusing at once.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class EndedRuntime : public WithRuntime {
 protected:
  EndedRuntime() : ended_(std::in_place, Lunch()), context_(ended_->Background()) { ended_.reset(); }

  static RuntimeOptions Lunch() {
    RuntimeOptions options(GetParam());
    options.name = "lunch";
    return options;
  }

  std::optional<Runtime> ended_;
  Context context_;
};
INSTANTIATE_TEST_SUITE_P(Over, EndedRuntime, Widths(), WidthName);

// D39
TEST_P(EndedRuntime, FailsEveryVerbInItsOwnName) {
  const auto expect = [](const Error& error, const std::string& verb) {
    EXPECT_EQ(error.Code(), Errc::ShutDown) << verb;
    EXPECT_EQ(error.Message(), verb + ": runtime lunch was shut down");
  };
  const auto fails = [&expect](const auto& task, const std::string& verb) {
    expect(task.Wait(), verb);
    EXPECT_EQ(task.State(), TaskState::Failed) << verb;
  };
  const auto done = Completed(1);
  const auto never = [] { ADD_FAILURE() << "ran"; };
  const auto takes = [](int) { ADD_FAILURE() << "ran"; };
  fails(Invoke(context_, never), "Invoke");
  fails(NewTask(never).Run(context_), "Task::Run");
  fails(After(context_, done, takes), "After");
  fails(ContinueWith(context_, done, [](const Result<int>&) {}), "ContinueWith");
  fails(Catch(context_, done, [](const Error&) { return 1; }), "Catch");
  fails(Finally(context_, done, never), "Finally");
  fails(Sleep(context_, 1ms), "Sleep");
  fails(SleepUntil(context_, TimePoint::min()), "SleepUntil");
  fails(Timeout(context_, 1h, never), "Timeout");
  fails(Timeout(context_, done, 1h), "Timeout");
  fails(Repeat(context_, 1ms, never), "Repeat");
  fails(Retry(context_, RetryOptions(), never), "Retry");
  for (const Concurrency count : {Concurrency(0), Concurrency(2)}) {
    const std::vector tasks{NewTask(never), NewTask(never)};
    fails(InvokeAll(context_, count, tasks), "InvokeAll");
    for (const auto& task : tasks) fails(task, "InvokeAll");
    fails(InvokeAllResults(context_, count, std::vector{NewTask(never)}), "InvokeAllResults");
  }
  fails(InvokeAll(context_, never, never), "InvokeAll");
  fails(Consume(context_, 1, std::vector{NewTask(never)}), "Consume");
  fails(Consume(context_, 1, Channel<Task<void>>(1)), "Consume");
  expect(ForkJoin(context_, never, never).Failure(), "ForkJoin");
  expect(ParallelFor(context_, 0, 9, takes), "ParallelFor");
  expect(ParallelReduce(
             context_, 0, 9, 0, [](int i) { return i; }, std::plus<>())
             .Failure(),
         "ParallelReduce");
  RateLimiter limiter({1, 1h}, 1);
  expect(limiter.Acquire(context_), "RateLimiter::Acquire");
  const Channel<int> channel(1);
  expect(channel.Send(context_, 1), "Channel::Send");
  expect(channel.Recv(context_).Failure(), "Channel::Recv");
}

// D39
TEST_P(EndedRuntime, RefusesWhatFollowsItsTasks) {
  std::optional<Runtime> own(std::in_place, GetParam());
  const auto done = Invoke(own->Background(), [] { return 1; });
  EXPECT_EQ(done.Get(), 1);
  own.reset();
  const auto after = done.Then([](int) { ADD_FAILURE() << "ran"; });
  EXPECT_EQ(after.Wait().Message(), "After: runtime orchestrate was shut down");
  EXPECT_EQ(after.State(), TaskState::Failed);
}

// D6
TEST_P(EndedRuntime, LeavesAnEarlierEndOfTheContextTheOutcome) {
  std::optional<Runtime> own(std::in_place, GetParam());
  const Context mine = own->Background().WithCancel();
  mine.Cancel({Errc::Cancelled, "enough"});
  own.reset();
  EXPECT_EQ(Invoke(mine, [] {}).Wait().Message(), "enough");
  EXPECT_EQ(Sleep(mine, 1h).Wait().Message(), "enough");
  EXPECT_EQ(InvokeAll(mine, 1, std::vector{NewTask([] {})}).Wait().Code(), Errc::Cancelled);
  EXPECT_EQ(Repeat(mine, 1h, [] {}).Wait().Message(), "enough");
}

// D35
TEST_P(EndedRuntime, SaysOnceWhatItHasCancelled) {
  std::optional<Runtime> own(std::in_place, GetParam());
  const Context ctx = own->Background();
  const std::vector<Task<void>> tasks{
      Sleep(ctx, 1h), Repeat(ctx, 1h, [] {}), Invoke(ctx, [](Context& inner) { Sleep(inner, 1h).Get(); }),
      Retry(ctx, {.first_delay = 1h}, []() -> Error { return Errc::Closed; })};
  own.reset();
  for (const auto& task : tasks) {
    const std::string text = task.Wait().Message();
    const auto first = text.find("shut down");
    EXPECT_NE(first, std::string::npos) << text;
    EXPECT_EQ(text.find("shut down", first + 1), std::string::npos) << text;
  }
}

// D19
TEST_P(EndedRuntime, RefusesAJobWithAProgressReport) {
  const std::vector tasks{NewTask([] {}), NewTask([] {})};
  const Job job = InvokeAll(context_, 1, tasks, JobOptions().WithProgress([](const Progress&) {}));
  EXPECT_TRUE(job.Wait());
}

TEST_P(EndedRuntime, RefusesAWaitForARateLimiter) {
  RateLimiter limiter({1, 1h}, 1);
  EXPECT_FALSE(limiter.Acquire(context_.Shield()));
  EXPECT_TRUE(limiter.Acquire(context_.Shield())) << "the second permit comes in an hour";
  EXPECT_TRUE(limiter.Acquire(ctx_.WithDeadline(Clock::now() + 1ms))) << "nobody is left in the queue";
}

TEST_P(EndedRuntime, RefusesTheContinuationThatHeldItLast) {
  Promise<void> promise;
  {
    auto brief = std::make_unique<Runtime>(GetParam());
    (void)ContinueWith(Where(brief->Background()), promise.Task(), [](const Result<void>&) {});
  }
  EXPECT_FALSE(Invoke(ctx_, [] {}).Wait());  // now this thread keeps the root of another runtime at hand
  EXPECT_TRUE(promise.TrySet());
}

}  // namespace
}  // namespace orchestrate::test
