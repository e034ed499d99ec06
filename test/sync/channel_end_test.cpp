#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <orchestrate/sync/channel.hpp>
#include <orchestrate/testkit/manual_executor.hpp>
#include <test/support/gate.hpp>

// Waiters whose context has ended, and user code that must not run under the lock of a channel. All on one
// thread.
namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using detail::ChannelAccess;
using detail::ChannelCore;
using detail::ChannelWait;
using Ints = std::vector<int>;

// Receives or sends by call-back, under `context`.
struct Waiting : detail::ChannelWaiter {
  explicit Waiting(const Context& under, int what = 0) : value(what) {
    item = &value;
    context = &detail::ContextAccess::Node(under);
    notify = [](detail::ChannelWaiter& waiter) noexcept { ++static_cast<Waiting&>(waiter).calls; };
  }
  int value;
  int calls = 0;
};

class ChannelEnds : public testing::Test {
 protected:
  ManualExecutor executor_;
  Context context_ = executor_.Background();
  Channel<int> channel_{2};
  ChannelCore& core_ = ChannelAccess::Core(channel_);
};

// K56, D42
TEST_F(ChannelEnds, GivesNothingToAReceiverWhoseContextHasEnded) {
  const Context ended = context_.WithCancel();
  Waiting receiver(ended);
  EXPECT_EQ(core_.RecvOrWait(receiver), ChannelWait::Waiting);
  ended.Cancel();
  EXPECT_FALSE(channel_.TrySend(1));
  EXPECT_EQ(receiver.result, ChannelWait::Ended);
  EXPECT_EQ(receiver.calls, 1);
  EXPECT_FALSE(core_.CancelWait(receiver));
  EXPECT_EQ(channel_.Drain(), Ints{1});
}

// K56, D42
TEST_F(ChannelEnds, PassesAnEndedReceiverForTheNextWhoWaits) {
  const Context parent = context_.WithCancel();
  const Context ended = parent.WithCancel();
  Waiting first(ended);
  Waiting second(ended);
  Waiting third(context_);
  for (auto* receiver : {&first, &second, &third})
    EXPECT_EQ(core_.RecvOrWait(*receiver), ChannelWait::Waiting);
  parent.Cancel();
  EXPECT_FALSE(channel_.TrySend(1));
  EXPECT_EQ(first.result, ChannelWait::Ended);
  EXPECT_EQ(second.result, ChannelWait::Ended);
  EXPECT_EQ(third.result, ChannelWait::Done);
  EXPECT_EQ(third.value, 1);
}

// K56, D42
TEST_F(ChannelEnds, TakesNothingFromASenderWhoseContextHasEnded) {
  for (const int i : {1, 2}) EXPECT_FALSE(channel_.TrySend(i));
  const Context ended = context_.WithCancel();
  Waiting late(ended, 3);
  Waiting next(context_, 4);
  EXPECT_EQ(core_.SendOrWait(late), ChannelWait::Waiting);
  EXPECT_EQ(core_.SendOrWait(next), ChannelWait::Waiting);
  ended.Cancel();
  EXPECT_EQ(channel_.TryRecv(), 1);
  EXPECT_EQ(late.result, ChannelWait::Ended);
  EXPECT_EQ(next.result, ChannelWait::Done);
  EXPECT_EQ(channel_.Drain(), (Ints{2, 4}));
}

// K56, D42
TEST_F(ChannelEnds, LooksAtTheDeadlineByTheClockOfTheWaiter) {
  const Context until = context_.WithTimeout(10ms);
  Waiting receiver(until);
  EXPECT_EQ(core_.RecvOrWait(receiver), ChannelWait::Waiting);
  executor_.Advance(9ms);
  EXPECT_FALSE(channel_.TrySend(1));
  EXPECT_EQ(receiver.result, ChannelWait::Done);
  EXPECT_EQ(core_.RecvOrWait(receiver), ChannelWait::Waiting);
  executor_.Advance(1ms);  // no timer is armed that could tell the waiter
  EXPECT_FALSE(channel_.TrySend(2));
  EXPECT_EQ(receiver.result, ChannelWait::Ended);
  EXPECT_EQ(channel_.Drain(), Ints{2});
}

// D42
TEST_F(ChannelEnds, TakesAndGivesNothingUnderAContextThatHasEnded) {
  EXPECT_FALSE(channel_.TrySend(1));
  const Context ended = context_.WithCancel();
  Waiting waiter(ended, 7);
  ended.Cancel();
  EXPECT_EQ(core_.RecvOrWait(waiter), ChannelWait::Ended);
  EXPECT_EQ(core_.SendOrWait(waiter), ChannelWait::Ended);
  EXPECT_FALSE(core_.TryRecvInto(waiter));
  EXPECT_EQ(waiter.calls, 0);
  EXPECT_EQ(channel_.Drain(), Ints{1});
}

TEST_F(ChannelEnds, PutsBackForOneWhoseContextGoesOn) {
  const Context ended = context_.WithCancel();
  Waiting receiver(ended);
  EXPECT_EQ(core_.RecvOrWait(receiver), ChannelWait::Waiting);
  ended.Cancel();
  int item = 5;
  EXPECT_TRUE(core_.PutBack(&item));
  EXPECT_EQ(receiver.result, ChannelWait::Ended);
  EXPECT_EQ(channel_.Drain(), Ints{5});
}

// ---- user code ----

// An executor whose clock is the user's, and looks at the channel.
class LookingExecutor final : public Executor {
 public:
  LookingExecutor(ManualExecutor& base, ChannelCore& core) : base_(base), core_(core) {}
  ~LookingExecutor() override { Detach(); }
  void Post(Work work) noexcept override { base_.Post(std::move(work)); }
  TimerService& Timers() noexcept override { return base_.Timers(); }
  TimePoint Now() noexcept override {
    ++looks;
    (void)core_.Waiting();
    return base_.Now();
  }
  int looks = 0;

 private:
  ManualExecutor& base_;
  ChannelCore& core_;
};

TEST_F(ChannelEnds, AsksTheClockWithoutItsLock) {
  const test::Watchdog watchdog;
  LookingExecutor looking(executor_, core_);
  const Context context = looking.Background().WithTimeout(10ms);
  Waiting first(context);
  Waiting second(context);
  EXPECT_EQ(core_.RecvOrWait(first), ChannelWait::Waiting);
  EXPECT_EQ(core_.RecvOrWait(second), ChannelWait::Waiting);
  EXPECT_FALSE(channel_.TrySend(1));
  EXPECT_EQ(first.result, ChannelWait::Done);
  executor_.Advance(10ms);
  EXPECT_FALSE(channel_.TrySend(2));
  EXPECT_EQ(second.result, ChannelWait::Ended);
  EXPECT_GT(looking.looks, 0);
}

// An item whose moves and whose destructor look at the channel.
struct Nosy {
  explicit Nosy(int what) : number(what) {}
  Nosy(Nosy&& other) noexcept : number(std::exchange(other.number, -1)) { Look(); }
  Nosy& operator=(Nosy&&) = delete;
  ~Nosy() { Look(); }
  static void Look() noexcept {
    if (core != nullptr) (void)core->Waiting();
  }
  static inline ChannelCore* core = nullptr;
  int number;
};

class ChannelOfNosyItems : public testing::Test {
 protected:
  ChannelOfNosyItems() { Nosy::core = &ChannelAccess::Core(channel_); }
  ~ChannelOfNosyItems() override { Nosy::core = nullptr; }
  test::Watchdog watchdog_;
  Channel<Nosy> channel_{20};
};

TEST_F(ChannelOfNosyItems, MovesItemsWithoutItsLock) {
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(channel_.Send(Nosy(i)));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(channel_.TryRecv()->number, i);
  for (int i = 10; i < 15; ++i) EXPECT_EQ(channel_.Recv().Value().number, i);
  channel_.Close();
  EXPECT_EQ(channel_.Drain().size(), 5U);
}

// D21
TEST_F(ChannelOfNosyItems, GivesBackWhatItDidNotTake) {
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(channel_.TrySend(Nosy(i)));
  Nosy refused(20);
  EXPECT_EQ(channel_.TrySend(std::move(refused)), Errc::QueueFull);
  EXPECT_EQ(refused.number, 20);
  ManualExecutor executor;
  const Context ended = executor.Background().WithCancel();
  ended.Cancel();
  EXPECT_EQ(channel_.Send(ended, std::move(refused)), Errc::Cancelled);
  EXPECT_EQ(refused.number, 20);
  channel_.Close();
  EXPECT_EQ(channel_.Send(std::move(refused)), Errc::Closed);
  EXPECT_EQ(refused.number, 20);
}

TEST(Channel, DestroysWhatIsInsideWithTheLastHandle) {
  auto item = std::make_shared<int>(1);
  struct Keeper {
    explicit Keeper(std::shared_ptr<int> of) : kept(std::move(of)) {}
    Keeper(Keeper&& other) noexcept : kept(std::move(other.kept)) {}
    std::shared_ptr<int> kept;
  };
  {
    const Channel<Keeper> channel(2);
    EXPECT_FALSE(channel.Send(Keeper(item)));
    EXPECT_EQ(item.use_count(), 2);
  }
  EXPECT_EQ(item.use_count(), 1);
}

TEST(Channel, HoldsItemsOfLargeAlignment) {
  struct alignas(256) Wide {
    explicit Wide(int what) : number(what) {}
    Wide(Wide&& other) noexcept : number(other.number) {}
    int number;
  };
  const Channel<Wide> channel(2);
  EXPECT_FALSE(channel.Send(Wide(3)));
  const auto item = channel.TryRecv();
  ASSERT_TRUE(item);
  EXPECT_EQ(item->number, 3);
}

// `operator&` of an item is the user's.
TEST(Channel, TakesItemsThatHideTheirAddress) {
  struct Hidden {
    int number = 0;
    Hidden* operator&() { return nullptr; }  // NOLINT(google-runtime-operator)
  };
  const Channel<Hidden> channel(1);
  EXPECT_FALSE(channel.Send(Hidden{4}));
  EXPECT_EQ(channel.Recv().Value().number, 4);
}

}  // namespace
}  // namespace orchestrate
