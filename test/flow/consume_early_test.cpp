#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>

#include <orchestrate/flow/consume.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <test/support/consuming.hpp>
#include <test/support/gate.hpp>

// A Consume that ends before its channel is closed and empty.
namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::Tasks;

class ConsumeEarly : public test::Consuming {};
INSTANTIATE_TEST_SUITE_P(Widths, ConsumeEarly, test::Widths(), test::WidthName);

// K55, D41
TEST_P(ConsumeEarly, CountsWhatTheFirstCauseStoppedAsStopped) {
  const Tasks tasks(8);
  EXPECT_FALSE(tasks.TrySend(NewTask([](Context& c) -> Result<int> {
    return Error(Errc::Closed, "could not sleep").WithCause(Sleep(c, 1h).Wait());
  })));
  EXPECT_FALSE(tasks.TrySend(NewTask([](Context& c) -> int {
    (void)Sleep(c, 10ms).Wait();
    throw std::runtime_error("boom");
  })));
  const Job job = Consume(ctx_, 2, tasks, OnError::Stop);
  EXPECT_EQ(job.Wait().Message(), "1 of 2 failed: #1: boom");
  EXPECT_EQ(job.Failures(), 1U);
}

// K56, D42
TEST_P(ConsumeEarly, TakesNothingThatIsSentAfterItsEnd) {
  for (int round = 0; round < 50; ++round) {
    const Tasks tasks(2);
    const Job job = Consume(ctx_, 2, tasks);
    ASSERT_TRUE(test::Eventually([&] { return detail::ChannelAccess::Core(tasks).Waiting() > 0; }));
    job.Cancel();
    EXPECT_FALSE(tasks.TrySend(Counting()));
    ASSERT_EQ(tasks.Size(), 1U) << "no member has it, not even for a moment";
    EXPECT_EQ(job.Wait(), Errc::Cancelled);
    ASSERT_EQ(tasks.Size(), 1U);
  }
  EXPECT_EQ(ran_, 0);
}

// D45
TEST_P(ConsumeEarly, LeavesItsChannelOpen) {
  const Tasks tasks(1);
  const Job job = Consume(ctx_, 1, tasks);
  job.Cancel();
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
  EXPECT_FALSE(tasks.IsClosed());
}

// D45
TEST_P(ConsumeEarly, ClosesItsChannelWhenAsked) {
  const Tasks tasks(1);
  const Job cancelled = Consume(ctx_, 1, tasks, EarlyEnd::Closes);
  cancelled.Cancel();
  EXPECT_EQ(cancelled.Wait(), Errc::Cancelled);
  EXPECT_TRUE(tasks.IsClosed());

  const Tasks others(2);
  EXPECT_FALSE(others.TrySend(NewTask([]() -> int { throw std::runtime_error("boom"); })));
  EXPECT_FALSE(others.TrySend(Counting()));
  EXPECT_TRUE(Consume(ctx_, 1, others, {OnError::Stop, EarlyEnd::Closes}).Wait());
  EXPECT_TRUE(others.IsClosed());
  EXPECT_EQ(others.Size(), 1U) << "what is inside can still be received";

  const Tasks ended(1);
  const Context context = ctx_.WithCancel();
  context.Cancel();
  EXPECT_TRUE(Consume(context, 1, ended, EarlyEnd::Closes).Wait());
  EXPECT_TRUE(ended.IsClosed());
}

// D45: a task of the job sends to its own channel, which is full.
TEST_P(ConsumeEarly, EndsAProducerWhichItRunsByClosingItsChannel) {
  const test::Watchdog watchdog;
  const Tasks tasks(1);
  EXPECT_FALSE(tasks.TrySend(NewTask([&]() -> Result<int> {
    EXPECT_FALSE(tasks.TrySend(Counting()));
    return tasks.Send(Context::Background(), Counting());  // does not listen to the job's end
  })));
  const Job job = Consume(ctx_, 1, tasks, EarlyEnd::Closes);
  ASSERT_TRUE(test::Eventually([&] { return detail::ChannelAccess::Core(tasks).Waiting() == 1; }));
  EXPECT_TRUE(job.Cancel());
  EXPECT_EQ(job.Wait(), Errc::Cancelled);
}

}  // namespace
}  // namespace orchestrate
