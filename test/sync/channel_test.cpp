#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <orchestrate/sync/channel.hpp>

namespace orchestrate {
namespace {

using std::chrono_literals::operator""ms;
using Ints = std::vector<int>;

// Counts its live instances; a moved-from one counts, too.
struct Counted {
  static inline int live = 0;
  Counted() { ++live; }
  Counted(Counted&& /*other*/) noexcept { ++live; }
  Counted& operator=(Counted&&) = delete;
  ~Counted() { --live; }
};

std::string RefusalOf(long long capacity) {
  try {
    const Channel<int> channel(capacity);
    return "";
  } catch (const ErrorException& exception) {
    EXPECT_EQ(exception.Failure(), Errc::InvalidArgument);
    return exception.Failure().Message();
  }
}

// H10
TEST(Channel, ReturnsItemsInTheOrderOfTheirSends) {
  const Channel<int> channel(3);
  for (const int i : {1, 2, 3}) EXPECT_FALSE(channel.Send(i));
  EXPECT_EQ(channel.Size(), 3U);
  for (const int i : {1, 2, 3}) EXPECT_EQ(channel.Recv().Value(), i);
}

// H10, D21
TEST(Channel, GivesTheValueBackThatItDoesNotTake) {
  const Channel<std::unique_ptr<int>> channel(1);
  EXPECT_FALSE(channel.TrySend(std::make_unique<int>(1)));
  auto value = std::make_unique<int>(2);
  EXPECT_EQ(channel.TrySend(std::move(value)), Errc::QueueFull);
  channel.Close();
  EXPECT_EQ(channel.TrySend(std::move(value)), Errc::Closed);
  EXPECT_EQ(channel.Send(std::move(value)), Errc::Closed);
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 2);
}

// H11, D21
TEST(Channel, IsDrainedBeforeItSaysClosed) {
  const Channel<int> channel(2);
  EXPECT_FALSE(channel.Send(1));
  EXPECT_FALSE(channel.Send(2));
  channel.Close();
  EXPECT_EQ(channel.Recv().Value(), 1);
  EXPECT_EQ(channel.TryRecv(), 2);
  EXPECT_EQ(channel.Recv().Failure(), Errc::Closed);
  EXPECT_EQ(channel.TryRecv(), std::nullopt);
}

TEST(Channel, IsClosedByOneCall) {
  const Channel<int> channel(1);
  EXPECT_FALSE(channel.IsClosed());
  EXPECT_TRUE(channel.Close());
  EXPECT_FALSE(channel.Close());
  EXPECT_TRUE(channel.IsClosed());
}

TEST(Channel, RefusesACapacityBelowOne) {
  EXPECT_EQ(RefusalOf(0), "Channel: capacity 0, must be >= 1");
  EXPECT_EQ(RefusalOf(-3), "Channel: capacity -3, must be >= 1");
  EXPECT_EQ(RefusalOf(1), "");
}

TEST(Channel, TellsItsCapacityExactly) {
  EXPECT_EQ(Channel<int>(5).Capacity(), 5U);
  const Channel<int> channel(5);
  int sent = 0;
  while (!channel.TrySend(sent)) ++sent;
  EXPECT_EQ(sent, 5);
}

TEST(Channel, GrowsWhenUnbounded) {
  const auto channel = Channel<std::unique_ptr<int>>::Unbounded();
  int next = 0;
  for (int sent = 0; sent < 100'000; ++sent) {
    ASSERT_FALSE(channel.TrySend(std::make_unique<int>(sent)));
    // So that the ring is not at its beginning when it grows.
    if (sent % 3 == 0) {
      ASSERT_EQ(**channel.TryRecv(), next++);
    }
  }
  while (auto item = channel.TryRecv()) ASSERT_EQ(**item, next++);
  EXPECT_EQ(next, 100'000);
  EXPECT_FALSE(channel.TrySend(std::make_unique<int>(7)));
  EXPECT_EQ(**channel.TryRecv(), 7);
}

TEST(Channel, IsSharedByItsCopies) {
  Channel<int> one(1);
  const Channel<int> two = one;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(one, two);
  EXPECT_FALSE(one.Send(5));
  one = Channel<int>(1);
  EXPECT_NE(one, two);
  EXPECT_EQ(two.Recv().Value(), 5);
}

TEST(Channel, DestroysWhatNobodyReceived) {
  {
    const Channel<Counted> channel(4);
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(channel.Send(Counted()));
    EXPECT_TRUE(channel.TryRecv().has_value());
    EXPECT_TRUE(channel.Recv().HasValue());
    EXPECT_EQ(Counted::live, 2);
  }
  EXPECT_EQ(Counted::live, 0);
}

TEST(Channel, HoldsOverAlignedItems) {
  struct alignas(128) Wide {
    int value;
  };
  const auto channel = Channel<Wide>::Unbounded();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(channel.Send(Wide{i}));
  for (int i = 0; i < 20; ++i) {
    const Result<Wide> item = channel.Recv();
    EXPECT_EQ(item.Value().value, i);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&item.Value()) % 128, 0U);
  }
}

// What the program has from malloc; 0 below a sanitizer.
std::size_t AllocatedBytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(Channel, GivesTheMemoryOfABurstBackThoughItNeverEmpties) {
  constexpr int kBurst = 100'000;
  constexpr std::size_t kMebibyte = std::size_t{1} << 20;
  const auto channel = Channel<std::array<int, 16>>::Unbounded();
  const std::size_t before = AllocatedBytes();
  for (int i = 0; i < kBurst; ++i) EXPECT_FALSE(channel.Send({i}));
  for (int i = 0; i < kBurst - 1; ++i) {
    if (channel.Recv().Value()[0] != i) FAIL() << i;
  }
  EXPECT_LT(AllocatedBytes(), before + kMebibyte);
  EXPECT_EQ(channel.Recv().Value()[0], kBurst - 1);
  EXPECT_FALSE(channel.TryRecv().has_value());
}

TEST(Channel, DrainsWhatIsInside) {
  const Channel<int> channel(3);
  for (const int i : {1, 2, 3}) EXPECT_FALSE(channel.Send(i));
  EXPECT_EQ(channel.Drain(), (Ints{1, 2, 3}));
  EXPECT_EQ(channel.Drain(), Ints());
  EXPECT_FALSE(channel.Send(4));
  channel.Close();
  EXPECT_EQ(channel.Drain(), Ints{4});
  EXPECT_EQ(channel.Recv().Failure(), Errc::Closed);
}

TEST(Channel, IsARangeUntilItIsClosed) {
  const Channel<std::string> channel(3);
  for (const char* text : {"a", "b", "c"}) EXPECT_FALSE(channel.Send(text));
  channel.Close();
  std::string all;
  auto items = channel.Items();
  for (std::string& item : items) all += item;
  EXPECT_EQ(all, "abc");
  EXPECT_FALSE(items.Failure());
}

TEST(Channel, EndsItsRangeWithTheContext) {
  const Channel<int> channel(3);
  for (const int i : {1, 2, 3}) EXPECT_FALSE(channel.Send(i));
  const auto context = Context::Background().WithCancel();
  auto items = channel.Items(context);
  Ints seen;
  for (const int item : items) {
    seen.push_back(item);
    if (item == 2) context.Cancel();
  }
  EXPECT_EQ(seen, (Ints{1, 2}));
  EXPECT_EQ(items.Failure(), Errc::Cancelled);
  EXPECT_EQ(channel.Drain(), Ints{3});
}

TEST(Channel, TakesAndSendsNothingUnderAContextThatHasEnded) {
  const Channel<std::unique_ptr<int>> channel(2);
  EXPECT_FALSE(channel.Send(std::make_unique<int>(1)));
  const auto context = Context::Background().WithTimeout(0ms);
  EXPECT_EQ(channel.Recv(context).Failure(), Errc::DeadlineExceeded);
  auto value = std::make_unique<int>(2);
  EXPECT_EQ(channel.Send(context, std::move(value)), Errc::DeadlineExceeded);
  EXPECT_NE(value, nullptr);
  EXPECT_EQ(channel.Size(), 1U);
}

// ---- receiving by call-back ----

using detail::ChannelAccess;
using detail::ChannelWait;

struct Receiver : detail::ChannelWaiter {
  Receiver() {
    item = &value;
    notify = [](detail::ChannelWaiter& waiter) noexcept { ++static_cast<Receiver&>(waiter).calls; };
  }
  int value = 0;
  int calls = 0;
};

TEST(ChannelWaiter, GetsAnItemThatIsInsideAtOnce) {
  const Channel<int> channel(1);
  auto& core = ChannelAccess::Core(channel);
  EXPECT_FALSE(channel.Send(1));
  Receiver receiver;
  EXPECT_EQ(core.RecvOrWait(receiver), ChannelWait::Done);
  EXPECT_EQ(receiver.value, 1);
  channel.Close();
  EXPECT_EQ(core.RecvOrWait(receiver), ChannelWait::Closed);
  EXPECT_EQ(receiver.calls, 0);
}

TEST(ChannelWaiter, IsToldInTheOrderOfWaiting) {
  const Channel<int> channel(1);
  auto& core = ChannelAccess::Core(channel);
  Receiver first;
  Receiver second;
  EXPECT_EQ(core.RecvOrWait(first), ChannelWait::Waiting);
  EXPECT_EQ(core.RecvOrWait(second), ChannelWait::Waiting);
  EXPECT_FALSE(channel.TrySend(1));
  EXPECT_EQ(first.calls, 1);
  EXPECT_EQ(second.calls, 0);
  EXPECT_EQ(first.result, ChannelWait::Done);
  EXPECT_EQ(first.value, 1);
  EXPECT_EQ(channel.Size(), 0U);
  channel.Close();
  EXPECT_EQ(second.calls, 1);
  EXPECT_EQ(second.result, ChannelWait::Closed);
  EXPECT_FALSE(core.CancelWait(second));
}

TEST(ChannelWaiter, MayStopWaiting) {
  const Channel<int> channel(1);
  auto& core = ChannelAccess::Core(channel);
  Receiver receiver;
  EXPECT_FALSE(core.CancelWait(receiver));
  EXPECT_EQ(core.RecvOrWait(receiver), ChannelWait::Waiting);
  EXPECT_TRUE(core.CancelWait(receiver));
  EXPECT_FALSE(core.CancelWait(receiver));
  EXPECT_FALSE(channel.TrySend(1));
  EXPECT_EQ(receiver.calls, 0);
  EXPECT_EQ(channel.TryRecv(), 1);
}

TEST(ChannelWaiter, PutsBackWhatItCannotUse) {
  const Channel<int> channel(2);
  auto& core = ChannelAccess::Core(channel);
  Receiver receiver;
  EXPECT_EQ(core.RecvOrWait(receiver), ChannelWait::Waiting);
  for (const int i : {1, 2, 3}) EXPECT_FALSE(channel.TrySend(i));
  EXPECT_FALSE(core.CancelWait(receiver));
  channel.Close();
  EXPECT_TRUE(core.PutBack(&receiver.value));
  EXPECT_EQ(channel.Drain(), (Ints{1, 2, 3}));
}

TEST(ChannelWaiter, PutsBackForTheNextWhoWaits) {
  const Channel<int> channel(1);
  auto& core = ChannelAccess::Core(channel);
  Receiver first;
  Receiver second;
  EXPECT_EQ(core.RecvOrWait(first), ChannelWait::Waiting);
  EXPECT_EQ(core.RecvOrWait(second), ChannelWait::Waiting);
  EXPECT_FALSE(channel.TrySend(9));
  EXPECT_TRUE(core.PutBack(&first.value));
  EXPECT_EQ(second.result, ChannelWait::Done);
  EXPECT_EQ(second.value, 9);
}

TEST(ChannelWaiter, AdmitsAWaitingSenderOnlyWhenThereIsRoomAgain) {
  const Channel<int> channel(1);
  auto& core = ChannelAccess::Core(channel);
  EXPECT_FALSE(channel.TrySend(1));
  Receiver sender;  // the same node, sending
  sender.value = 3;
  EXPECT_EQ(core.SendOrWait(sender), ChannelWait::Waiting);
  int put_back = 0;
  EXPECT_TRUE(core.PutBack(&put_back));  // one more than fits
  EXPECT_EQ(channel.TryRecv(), 0);
  EXPECT_EQ(sender.calls, 0);
  EXPECT_EQ(channel.TryRecv(), 1);
  EXPECT_EQ(sender.calls, 1);
  EXPECT_EQ(channel.TryRecv(), 3);
}

}  // namespace
}  // namespace orchestrate
