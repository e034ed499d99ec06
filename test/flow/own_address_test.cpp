#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/with_runtime.hpp>

// Values, items and callables whose class has an operator& of its own: the library takes their address
// otherwise.
namespace orchestrate::test {
namespace {

struct NoAddress {
  explicit NoAddress(int number) : value(number) {}
  void operator&() const = delete;
  friend NoAddress operator+(const NoAddress& a, const NoAddress& b) { return NoAddress(a.value + b.value); }
  int value;
};

struct Work {
  void operator&() const = delete;
  NoAddress operator()() const { return NoAddress(1); }
};

struct Later {
  void operator&() const = delete;
  NoAddress operator()(const NoAddress& before) const { return NoAddress(before.value + 1); }
};

using OwnAddress = WithRuntime;
INSTANTIATE_TEST_SUITE_P(Over, OwnAddress, Widths(), WidthName);

TEST_P(OwnAddress, OfATasksValueIsNotAsked) {
  const auto task = Invoke(ctx_, Work());
  EXPECT_EQ(task.Outcome()->value, 1);
  EXPECT_EQ(task.Get().value, 1);
  EXPECT_EQ(After(task, Later()).Take().value, 2);
  EXPECT_EQ(Timeout(ctx_, std::chrono::hours(1), Work()).Get().value, 1);
  EXPECT_EQ(Retry(ctx_, RetryOptions(), Work()).Get().value, 1);
  EXPECT_EQ(Invoke(ctx_, [task] { return task; }).Get().value, 1);
  Promise<NoAddress> promise;
  EXPECT_TRUE(promise.TrySet(NoAddress(7)));
  EXPECT_EQ(promise.Task().Take().value, 7);
}

TEST_P(OwnAddress, OfManyValuesIsNotAsked) {
  const std::vector tasks{NewTask(Work()), NewTask(Work())};
  EXPECT_EQ(InvokeAllResults(ctx_, 1, tasks).Get()[1]->value, 1);
  EXPECT_EQ(std::get<1>(InvokeAll(ctx_, Work(), Work()).Get()).value, 1);
  EXPECT_EQ(ForkJoin(ctx_, Work())->value, 1);
  EXPECT_EQ(std::get<1>(*ForkJoin(ctx_, Work(), Work())).value, 1);
  const auto sum = ParallelReduce(
      ctx_, 0, 1000, NoAddress(0), [](int i) { return NoAddress(i); }, std::plus<>());
  EXPECT_EQ(sum->value, 499500);
}

TEST_P(OwnAddress, OfAnItemIsNotAsked) {
  const Channel<NoAddress> channel(4);
  EXPECT_FALSE(channel.Send(ctx_, NoAddress(1)));
  EXPECT_FALSE(channel.Send(NoAddress(2)));
  EXPECT_FALSE(channel.TrySend(NoAddress(3)));
  EXPECT_EQ(channel.Recv(ctx_)->value, 1);
  EXPECT_EQ(channel.Recv()->value, 2);
  EXPECT_EQ(channel.TryRecv()->value, 3);
}

}  // namespace
}  // namespace orchestrate::test
