#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/virtual_time.hpp>
#include <test/support/with_runtime.hpp>

// D37: a wait that a context bounds ends with it, and leaves alone what it waited for.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class WaitUnderContext : public InVirtualTime {
 protected:
  Promise<int> promise_{Where(ctx_)};
  Task<int> pending_ = promise_.Task();
};
INSTANTIATE_TEST_SUITE_P(Over, WaitUnderContext, Widths(), WidthName);

// D37
TEST_P(WaitUnderContext, EndsAtItsDeadline) {
  const Watchdog watchdog;
  EXPECT_EQ(pending_.Wait(ctx_.WithTimeout(20ms)), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_EQ(pending_.Outcome(ctx_.WithTimeout(20ms)).Failure(), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 40ms);
}

// D37
TEST_P(WaitUnderContext, LeavesTheTaskAsItIs) {
  const Watchdog watchdog;
  EXPECT_EQ(pending_.Wait(ctx_.WithTimeout(20ms)), Errc::DeadlineExceeded);
  EXPECT_FALSE(pending_.IsDone());
  EXPECT_TRUE(promise_.TrySet(3));
  EXPECT_EQ(*pending_.Outcome(ctx_), 3);
}

// D37
TEST_P(WaitUnderContext, EndsWhenAnotherThreadCancelsIt) {
  const Watchdog watchdog;
  for (int round = 0; round < 100; ++round) {
    const Context bound = Context::Background().WithCancel();
    const auto cancels = Invoke(ctx_, [&] { bound.Cancel(Error(Errc::Closed, "enough")); });
    const Error error = pending_.Wait(bound);
    EXPECT_EQ(error, Errc::Closed);
    EXPECT_NE(error.Message().find("enough"), std::string::npos) << error.Message();
    EXPECT_FALSE(cancels.Wait());
  }
}

// D37
TEST_P(WaitUnderContext, EndsInsideATask) {
  const Watchdog watchdog;
  const auto waits = Invoke(ctx_, [&](Context& context) {
    const Error error = pending_.Wait(context.WithTimeout(20ms));
    EXPECT_EQ(Elapsed(), 20ms);
    return error;
  });
  EXPECT_EQ(waits.Wait(), Errc::DeadlineExceeded);
}

// D37
TEST_P(WaitUnderContext, HearsOfTheEndOfTheTask) {
  const Watchdog watchdog;
  const auto sets = Invoke(ctx_, [&] { promise_.Set(4); });
  EXPECT_EQ(*pending_.Outcome(ctx_.WithTimeout(1h)), 4);
  EXPECT_EQ(Elapsed(), 0ms);
  EXPECT_FALSE(sets.Wait());
}

// D37
TEST_P(WaitUnderContext, PrefersTheOutcomeOfATaskThatHasEnded) {
  const Context ended = ctx_.WithCancel();
  ended.Cancel();
  EXPECT_EQ(*Completed(1).Outcome(ended), 1);
  EXPECT_EQ(pending_.Wait(ended), Errc::Cancelled);
}

// D37
TEST_P(WaitUnderContext, MovesAValueOutOnce) {
  const auto task = Invoke(ctx_, [] { return std::make_unique<int>(5); });
  EXPECT_EQ(**task.Outcome(ctx_), 5);
  EXPECT_EQ(task.Outcome(ctx_).Failure(), Errc::AlreadyTaken);
}

// D37
TEST_P(WaitUnderContext, ToldWhatCannotEnd) {
  const Watchdog watchdog;
  EXPECT_EQ(Task<int>().Wait(ctx_), Errc::InvalidArgument);
  EXPECT_EQ(NewTask([] {}).Wait(ctx_), Errc::NotStarted);
  Task<void> own;
  Gate known;
  own = Invoke(ctx_, [&] {
    known.Wait();
    return own.Wait(ctx_);
  });
  known.Open();
  EXPECT_EQ(own.Wait(), Errc::WouldDeadlock);
}

// D37
TEST_P(WaitUnderContext, OfAllEndsWithTheContextWhateverHasFailed) {
  const Watchdog watchdog;
  const std::vector<Task<int>> tasks = {Failed<int>(Errc::QueueFull), pending_, Completed(1)};
  EXPECT_EQ(WaitAll(ctx_.WithTimeout(20ms), tasks), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 20ms);
  EXPECT_EQ(WaitAll(ctx_.WithTimeout(20ms), Completed(1), pending_), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 40ms);
  promise_.Set(1);
  EXPECT_EQ(WaitAll(ctx_.WithTimeout(20ms), tasks), Errc::QueueFull);
  EXPECT_FALSE(WaitAll(ctx_.WithTimeout(20ms), Completed(1), pending_));
  EXPECT_EQ(Elapsed(), 40ms);
}

// D37
TEST_P(WaitUnderContext, OfAnyEndsWithTheContext) {
  const Watchdog watchdog;
  const Promise<int> other{Where(ctx_)};
  EXPECT_EQ(WaitAny(ctx_.WithTimeout(20ms), std::vector{pending_, other.Task()}).Failure(),
            Errc::DeadlineExceeded);
  EXPECT_EQ(WaitAny(ctx_.WithTimeout(20ms), std::vector{pending_}).Failure(), Errc::DeadlineExceeded);
  EXPECT_EQ(Elapsed(), 40ms);
  EXPECT_EQ(*WaitAny(ctx_.WithTimeout(20ms), pending_, Completed(2)), 1U);
  promise_.Set(1);
  EXPECT_EQ(*WaitAny(ctx_.WithTimeout(20ms), pending_, other.Task()), 0U);
}

// D37: so that clean-up can join the children of a body that was cancelled.
TEST_P(WaitUnderContext, WithoutOneIsAJoinAlsoInACancelledBody) {
  const Watchdog watchdog;
  const Context bound = ctx_.WithCancel();
  const auto joins = Invoke(bound, [&](Context& context) {
    bound.Cancel();
    EXPECT_EQ(pending_.Wait(context), Errc::Cancelled);
    const auto sets = Invoke(ctx_, [&] { promise_.Set(7); });
    EXPECT_EQ(pending_.Get(), 7);
    EXPECT_FALSE(WaitAll(sets));
  });
  EXPECT_EQ(joins.Wait(), Errc::Cancelled);
}

// D37: where no other thread can run the task the waiter does, rather than fail.
TEST(WaitUnderContextWithoutSpare, RunsTheTaskItself) {
  const Watchdog watchdog;
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const auto outer = Invoke(runtime.Background(), [](Context& context) {
    return Invoke(context, [] { return 6; }).Outcome(context);
  });
  EXPECT_EQ(outer.Get(), 6);
}

// D37: with no worker to spare a wait that blocked would fail.
TEST(WaitUnderContextWithoutSpare, ThatHasEndedReturnsWithoutBlocking) {
  const Watchdog watchdog;
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const Context context = runtime.Background();
  const Promise<int> first{Where(context)};
  const Promise<int> second{Where(context)};
  const auto tasks = std::vector{first.Task(), second.Task()};
  const auto looks = Invoke(context, [&](Context& own) {
    const Context late = own.WithTimeout(0s);
    EXPECT_EQ(WaitAny(late, tasks).Failure(), Errc::DeadlineExceeded);
    EXPECT_EQ(WaitAny(late, NewTask([] {}), NewTask([] {})).Failure(), Errc::DeadlineExceeded);
    EXPECT_EQ(WaitAll(late, tasks), Errc::DeadlineExceeded);
    EXPECT_EQ(tasks[0].Wait(late), Errc::DeadlineExceeded);
    EXPECT_EQ(Channel<int>(1).Recv(late).Failure(), Errc::DeadlineExceeded);
    EXPECT_EQ(*WaitAny(late, tasks[0], Completed(1)), 1U);
    const Context gone = context.WithTimeout(0s);
    const Promise<int> ends{Where(gone)};
    EXPECT_EQ(*WaitAny(late, tasks[0], ends.Task()), 1U);
  });
  EXPECT_FALSE(looks.Wait());
}

// D40
TEST(WaitWithoutSpare, FailsInTheNameOfTheVerb) {
  const Watchdog watchdog;
  const auto sentence = [](const char* verb, const char* blocked) {
    return std::string(verb) + ": " + blocked +
           " and none is left to go on in place of this one; raise RuntimeOptions::spare_workers";
  };
  RuntimeOptions options(1);
  options.spare_workers = 0;
  Runtime runtime(std::move(options));
  const Promise<int> first{Where(runtime.Background())};
  const Promise<int> second{Where(runtime.Background())};
  const Channel<int> channel(1);
  const auto waits = Invoke(runtime.Background(), [&] {
    EXPECT_EQ(first.Task().Wait().Message(), sentence("Wait", "0 workers are blocked"));
    EXPECT_EQ(WaitAny(first.Task(), second.Task()).Failure().Message(),
              sentence("WaitAny", "0 workers are blocked"));
    EXPECT_EQ(channel.Recv().Failure().Message(), sentence("Channel::Recv", "0 workers are blocked"));
    EXPECT_FALSE(channel.TrySend(1));
    EXPECT_EQ(channel.Send(2).Message(), sentence("Channel::Send", "0 workers are blocked"));
    EXPECT_EQ(runtime.Run().Code(), Errc::NotSupported);
  });
  EXPECT_FALSE(waits.Wait());
}

// D40
TEST(WaitWithoutSpare, CountsOneBlockedWorkerAsOne) {
  const Watchdog watchdog;
  RuntimeOptions options(1);
  options.spare_workers = 1;
  Runtime runtime(std::move(options));
  const Promise<int> never{Where(runtime.Background())};
  const Channel<int> asks(1);
  const auto blocks = Invoke(runtime.Background(), [&] { return *asks.Recv(); });
  ASSERT_TRUE(Eventually([&] { return detail::ChannelAccess::Core(asks).Waiting() == 1; }));
  const auto fails = Invoke(runtime.Background(), [&] { return never.Task().Wait().Message(); });
  EXPECT_EQ(fails.Get(),
            "Wait: 1 worker is blocked and none is left to go on in place of this one; raise "
            "RuntimeOptions::spare_workers");
  EXPECT_FALSE(asks.Send(1));
  EXPECT_EQ(blocks.Get(), 1);
}

}  // namespace
}  // namespace orchestrate::test
