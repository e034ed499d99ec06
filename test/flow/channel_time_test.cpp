#include <gtest/gtest.h>

#include <vector>

#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/sync/channel.hpp>
#include <orchestrate/testkit/manual_clock.hpp>

// A channel in virtual time, on 1, 2 and 8 workers.
namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
using Ints = std::vector<int>;

class ChannelInTime : public testing::TestWithParam<std::size_t> {
 protected:
  static Runtime::Options OptionsOn(const ManualClock& clock) {
    Runtime::Options options(GetParam());
    options.clock = &clock;
    return options;
  }
  ManualClock clock_{ManualClock::Auto};
  Runtime runtime_{OptionsOn(clock_)};
  Context context_ = runtime_.Background();
};

INSTANTIATE_TEST_SUITE_P(Workers, ChannelInTime, testing::Values(1, 2, 8));

// H14
TEST_P(ChannelInTime, EndsTheLoopOfAConsumer) {
  const Channel<int> channel(1);
  const auto producer = Invoke(context_, [&](Context& c) -> Error {
    for (int i = 1; i <= 10; ++i) {
      if (Error error = Sleep(c, 1ms).Wait()) return error;
      if (Error error = channel.Send(c, i)) return error;
    }
    channel.Close();
    return {};
  });
  int sum = 0;
  for (const int item : channel.Items(context_)) sum += item;
  EXPECT_EQ(sum, 55);
  EXPECT_FALSE(producer.Wait());
  EXPECT_EQ(clock_.Elapsed(), 10ms);
}

TEST_P(ChannelInTime, EndsWaitsAtTheDeadline) {
  const Channel<int> channel(1);
  EXPECT_EQ(channel.Recv(context_.WithTimeout(50ms)).Failure(), Errc::DeadlineExceeded);
  EXPECT_EQ(clock_.Elapsed(), 50ms);
  EXPECT_FALSE(channel.Send(context_, 1));
  const auto sender = Invoke(context_, [&](Context& c) { return channel.Send(c.WithTimeout(20ms), 2); });
  EXPECT_EQ(sender.Wait(), Errc::DeadlineExceeded);
  EXPECT_EQ(clock_.Elapsed(), 70ms);
  EXPECT_EQ(channel.Drain(), Ints{1});
}

TEST_P(ChannelInTime, MovesOnNoFurtherThanToTheNextWake) {
  const Channel<int> channel(1);
  const auto later = Sleep(context_, 51ms);
  EXPECT_EQ(channel.Recv(context_.WithTimeout(50ms)).Failure(), Errc::DeadlineExceeded);
  EXPECT_EQ(clock_.Elapsed(), 50ms);
  EXPECT_FALSE(later.Wait());
  EXPECT_EQ(clock_.Elapsed(), 51ms);
}

TEST_P(ChannelInTime, KeepsTheOrderOfManyDeadlines) {
  const Channel<int> channel(1);
  std::vector<Task<Nanoseconds>> receivers;
  for (int i = 20; i > 0; --i) {
    receivers.push_back(Invoke(context_, [&, i](Context& c) {
      EXPECT_EQ(channel.Recv(c.WithDeadline(ManualClock::kStart + i * 1ms)).Failure(),
                Errc::DeadlineExceeded);
      return clock_.Elapsed();
    }));
  }
  for (int i = 20; i > 0; --i) EXPECT_EQ(receivers[static_cast<std::size_t>(20 - i)].Get(), i * 1ms);
}

}  // namespace
}  // namespace orchestrate
