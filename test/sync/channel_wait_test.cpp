#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/sync/channel.hpp>
#include <orchestrate/task/task.hpp>
#include <test/support/gate.hpp>

// Everything here waits inside a channel, in tasks on 1, 2 and 8 workers.
namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using test::Eventually;
using Ints = std::vector<int>;

template <class T>
[[nodiscard]] bool EventuallyWaiting(const Channel<T>& channel, std::size_t count) {
  return Eventually([&] { return detail::ChannelAccess::Core(channel).Waiting() == count; });
}

class ChannelWaits : public testing::TestWithParam<std::size_t> {
 protected:
  Runtime runtime_{GetParam()};
  Context context_ = runtime_.Background();
};

INSTANTIATE_TEST_SUITE_P(Workers, ChannelWaits, testing::Values(1, 2, 8));

// H12, D21
TEST_P(ChannelWaits, CloseWakesEveryReceiver) {
  const Channel<int> channel(1);
  std::vector<Task<int>> receivers;
  for (int i = 0; i < 3; ++i)
    receivers.push_back(Invoke(context_, [&](Context& c) { return channel.Recv(c); }));
  ASSERT_TRUE(EventuallyWaiting(channel, 3));
  EXPECT_TRUE(channel.Close());
  for (const auto& receiver : receivers) EXPECT_EQ(receiver.Wait(), Errc::Closed);
}

// H13
TEST_P(ChannelWaits, SendWaitsForRoom) {
  const Channel<int> channel(2);
  std::atomic<int> sent{0};
  const auto sender = Invoke(context_, [&](Context& c) -> Error {
    for (const int i : {1, 2, 3}) {
      if (Error error = channel.Send(c, i)) return error;
      ++sent;
    }
    return {};
  });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  EXPECT_EQ(sent, 2);
  EXPECT_EQ(channel.TrySend(4), Errc::QueueFull);
  EXPECT_EQ(channel.Recv(context_).Value(), 1);
  EXPECT_FALSE(sender.Wait());
  EXPECT_EQ(channel.Drain(), (Ints{2, 3}));
}

// D21
TEST_P(ChannelWaits, CloseGivesAWaitingSenderItsValueBack) {
  const Channel<std::unique_ptr<int>> channel(1);
  EXPECT_FALSE(channel.Send(std::make_unique<int>(1)));
  const auto sender = Invoke(context_, [&](Context& c) {
    auto value = std::make_unique<int>(2);
    EXPECT_EQ(channel.Send(c, std::move(value)), Errc::Closed);
    return *value;
  });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  channel.Close();
  EXPECT_EQ(sender.Get(), 2);
  EXPECT_EQ(channel.Drain().size(), 1U);
}

TEST_P(ChannelWaits, ServesThoseWhoWaitInTheirOrder) {
  const Channel<int> channel(1);
  std::vector<Task<int>> receivers;
  for (std::size_t i = 0; i < 4; ++i) {
    receivers.push_back(Invoke(context_, [&](Context& c) { return channel.Recv(c); }));
    ASSERT_TRUE(EventuallyWaiting(channel, i + 1));
  }
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(channel.TrySend(i));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(receivers[i].Get(), static_cast<int>(i));
}

TEST_P(ChannelWaits, AdmitsWaitingSendersInTheirOrder) {
  const Channel<int> channel(1);
  EXPECT_FALSE(channel.Send(0));
  std::vector<Task<void>> senders;
  for (int i = 1; i < 5; ++i) {
    senders.push_back(Invoke(context_, [&channel, i](Context& c) { return channel.Send(c, i); }));
    ASSERT_TRUE(EventuallyWaiting(channel, static_cast<std::size_t>(i)));
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(channel.TryRecv(), i);
  for (const auto& sender : senders) EXPECT_FALSE(sender.Wait());
}

// D25
TEST_P(ChannelWaits, CancelEndsAReceiveThatThenTakesNothing) {
  const Channel<int> channel(1);
  const auto ended = context_.WithCancel();
  const auto receiver = Invoke(context_, [&](Context&) { return channel.Recv(ended).Failure().Message(); });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  ended.Cancel(Error(Errc::Cancelled, "enough"));
  EXPECT_EQ(receiver.Get(), "enough");
  EXPECT_FALSE(channel.TrySend(1));
  EXPECT_EQ(channel.TryRecv(), 1);
}

// K56, D42
TEST_P(ChannelWaits, WhatIsSentAfterACancelStaysInside) {
  for (int round = 0; round < 100; ++round) {
    const Channel<int> channel(2);
    const auto receiver = Invoke(context_, [&](Context& c) { return channel.Recv(c); });
    ASSERT_TRUE(EventuallyWaiting(channel, 1));
    EXPECT_TRUE(receiver.Cancel());
    EXPECT_FALSE(channel.Send(1));
    EXPECT_EQ(receiver.Wait(), Errc::Cancelled);
    ASSERT_EQ(channel.TryRecv(), 1) << "round " << round;
  }
}

// K56, D42
TEST_P(ChannelWaits, ABlockedSendDeliversNothingAfterACancel) {
  for (int round = 0; round < 100; ++round) {
    const Channel<int> channel(1);
    EXPECT_FALSE(channel.Send(1));
    const auto sender = Invoke(context_, [&](Context& c) { return channel.Send(c, 2); });
    ASSERT_TRUE(EventuallyWaiting(channel, 1));
    EXPECT_TRUE(sender.Cancel());
    EXPECT_EQ(channel.TryRecv(), 1);
    EXPECT_EQ(sender.Wait(), Errc::Cancelled);
    ASSERT_EQ(channel.TryRecv(), std::nullopt) << "round " << round;
  }
}

TEST_P(ChannelWaits, CancelEndsASendThatKeepsItsValue) {
  const Channel<std::unique_ptr<int>> channel(1);
  EXPECT_FALSE(channel.Send(std::make_unique<int>(1)));
  const auto ended = context_.WithCancel();
  const auto sender = Invoke(context_, [&](Context&) {
    auto value = std::make_unique<int>(2);
    EXPECT_EQ(channel.Send(ended, std::move(value)), Errc::Cancelled);
    return *value;
  });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  ended.Cancel();
  EXPECT_EQ(sender.Get(), 2);
  EXPECT_EQ(channel.Size(), 1U);
}

TEST_P(ChannelWaits, CancellingATaskEndsTheWaitInside) {
  const Channel<int> channel(1);
  // Without a context the channel takes that of the task it is called in.
  const auto receiver = Invoke(context_, [&] { return channel.Recv(); });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  EXPECT_TRUE(receiver.Cancel());
  EXPECT_EQ(receiver.Wait(), Errc::Cancelled);
}

TEST_P(ChannelWaits, WaitingTasksDoNotHoldWorkers) {
  constexpr int kCount = 20;
  const Channel<int> questions(1);
  const Channel<int> answers(1);
  std::vector<Task<void>> tasks;
  for (int i = 0; i < kCount; ++i) {
    tasks.push_back(Invoke(context_, [&](Context& c) -> Error {
      const Result<int> question = questions.Recv(c);
      return question ? answers.Send(c, *question * 2) : question.Failure();
    }));
  }
  int sum = 0;
  for (int i = 0; i < kCount; ++i) {
    ASSERT_FALSE(questions.Send(context_, i));
    sum += answers.Recv(context_).Value();
  }
  for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
  EXPECT_EQ(sum, kCount * (kCount - 1));
}

TEST_P(ChannelWaits, ShutdownEndsWaitsUnderItsContext) {
  const Channel<int> channel(1);
  const auto receiver = Invoke(context_, [&](Context& c) { return channel.Recv(c); });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  EXPECT_EQ(runtime_.Shutdown(ShutdownMode::Cancel, 10s).Value(), 0U);
  EXPECT_TRUE(receiver.IsDone());
  EXPECT_TRUE(receiver.Wait());
}

TEST(ChannelWaits, SayWhenNoSpareWorkerIsLeft) {
  Runtime::Options options(1);
  options.spare_workers = 1;
  Runtime runtime(std::move(options));
  const Channel<int> channel(1);
  const auto first = Invoke(runtime.Background(), [&](Context& c) { return channel.Recv(c); });
  ASSERT_TRUE(EventuallyWaiting(channel, 1));
  const auto second = Invoke(runtime.Background(), [&](Context& c) { return channel.Recv(c); });
  EXPECT_EQ(second.Wait(), Errc::OutOfResources);
  EXPECT_FALSE(channel.Send(7));
  EXPECT_EQ(first.Get(), 7);
}

// ---- races ----

// Receivers give up all the time; still every item arrives once, those of one sender in their order.
class StressChannel : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Workers, StressChannel, testing::Values(1, 2, 8));

struct Item {
  int sender = 0;
  int number = 0;
};

// Receives until the channel is drained, every other time under a context that ends at about the same moment.
Error ReceiveWithInterruptions(Context& context, const Channel<Item>& channel,
                               const Channel<Context>& victims, std::vector<Item>& received) {
  for (int round = 0;; ++round) {
    const Context inner = context.WithCancel();
    if (round % 2 == 0) (void)victims.TrySend(inner);
    Result<Item> item = channel.Recv(inner);
    if (item) {
      received.push_back(*item);
    } else if (item.Failure() == Errc::Closed) {
      return {};
    } else if (item.Failure() != Errc::Cancelled) {
      return item.Failure();
    }
  }
}

// D25
TEST_P(StressChannel, LosesNothingWhenReceiversGiveUp) {
  constexpr int kSenders = 3;
  constexpr int kItems = 3000;
  Runtime runtime(GetParam());
  const auto context = runtime.Background();
  const Channel<Item> channel(4);
  const auto victims = Channel<Context>::Unbounded();
  std::vector<Task<void>> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.push_back(Invoke(context, [&channel, sender](Context& c) -> Error {
      for (int i = 0; i < kItems; ++i) {
        if (Error error = channel.Send(c, Item{sender, i})) return error;
      }
      return {};
    }));
  }
  std::vector<std::vector<Item>> received(3);
  std::vector<Task<void>> receivers;
  for (auto& mine : received) {
    receivers.push_back(
        Invoke(context, [&](Context& c) { return ReceiveWithInterruptions(c, channel, victims, mine); }));
  }
  std::thread canceller([&] {
    for (const Context& victim : victims.Items()) victim.Cancel();
  });
  for (const auto& sender : senders) EXPECT_FALSE(sender.Wait());
  channel.Close();
  for (const auto& receiver : receivers) EXPECT_FALSE(receiver.Wait());
  victims.Close();
  canceller.join();

  std::vector<std::vector<int>> seen(kSenders, std::vector<int>(kItems));
  for (const auto& mine : received) {
    Ints last(kSenders, -1);
    for (const Item& item : mine) {
      EXPECT_LT(last[static_cast<std::size_t>(item.sender)], item.number);
      last[static_cast<std::size_t>(item.sender)] = item.number;
      ++seen[static_cast<std::size_t>(item.sender)][static_cast<std::size_t>(item.number)];
    }
  }
  for (const auto& numbers : seen) EXPECT_EQ(numbers, std::vector<int>(kItems, 1));
}

// What was sent is received or drained, what was not stays with its sender, whoever closes in between.
TEST_P(StressChannel, AccountsForEveryItemWhenClosed) {
  Runtime runtime(GetParam());
  const auto context = runtime.Background();
  for (int round = 0; round < 300; ++round) {
    const Channel<std::unique_ptr<int>> channel(2);
    std::atomic<int> balance{0};  // sent minus received
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(Invoke(context, [&](Context& c) {
        for (;;) {
          auto value = std::make_unique<int>(1);
          if (channel.Send(c, std::move(value))) {
            EXPECT_NE(value, nullptr);
            return;
          }
          ++balance;
        }
      }));
      tasks.push_back(Invoke(context, [&](Context& c) {
        while (auto item = channel.Recv(c)) --balance;
      }));
    }
    for (int i = 0; i < 5; ++i) {
      if (channel.Recv(context)) --balance;
    }
    channel.Close();
    for (const auto& task : tasks) EXPECT_FALSE(task.Wait());
    EXPECT_EQ(balance, static_cast<int>(channel.Drain().size()));
  }
}

}  // namespace
}  // namespace orchestrate
