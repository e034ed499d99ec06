#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// What work may return, and what its task yields.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class ResultsOnWorkers : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, ResultsOnWorkers, Widths(), WidthName);

TEST_P(ResultsOnWorkers, OfAPlainValue) {
  auto task = Invoke(ctx_, [](Context&) { return 1; });
  static_assert(std::is_same_v<decltype(task), Task<int>>);
  EXPECT_EQ(task.Get(), 1);
}

// K53 D40
TEST_P(ResultsOnWorkers, OfAThrownCodeIsThatCode) {
  const Error full(Errc::QueueFull, "64 are queued");
  EXPECT_EQ(Invoke(ctx_, [full] { throw full; }).Wait(), full);
  EXPECT_EQ(Invoke(ctx_, [] { throw Errc::QueueFull; }).Wait(), Error(Errc::QueueFull));
  EXPECT_EQ(Invoke(ctx_, [full] { full.Rethrow(); }).Wait(), full);
  const auto no_space = [] { throw std::system_error(ENOSPC, std::generic_category(), "write"); };
  const auto task = Invoke(ctx_, no_space);
  EXPECT_EQ(task.Wait().Code(), std::make_error_code(std::errc::no_space_on_device));
  EXPECT_THROW(task.Get(), std::system_error);
  EXPECT_EQ(ForkJoin(
                ctx_, [] { throw Errc::QueueFull; }, [] {})
                .Failure()
                .Code(),
            Errc::QueueFull);
  EXPECT_EQ(ParallelFor(ctx_, 0, 10, [](int) { throw Errc::QueueFull; }).Code(), Errc::QueueFull);
  EXPECT_TRUE(Retry(ctx_, {.attempts = 1}, no_space).Wait().Is(std::errc::no_space_on_device));
  EXPECT_EQ(Completed().Then([] { throw Errc::QueueFull; }).Wait().Code(), Errc::QueueFull);
}

// D40
TEST_P(ResultsOnWorkers, OfAThrownObjectWithoutTextNamesItsType) {
  EXPECT_EQ(Invoke(ctx_, [] { throw 42; }).Wait().Message(), "an exception of type int");
}

// K20
TEST_P(ResultsOnWorkers, OfNothing) {
  auto task = Invoke(ctx_, [] {});
  static_assert(std::is_same_v<decltype(task), Task<void>>);
  EXPECT_TRUE(task.Outcome());
  EXPECT_NO_THROW(task.Get());
  EXPECT_NO_THROW(task.Take());
  EXPECT_EQ(task.State(), TaskState::Completed);
}

TEST_P(ResultsOnWorkers, OfAnErrorThatIsSetFails) {
  auto task = Invoke(ctx_, [] { return Error(Errc::Closed, "shut"); });
  static_assert(std::is_same_v<decltype(task), Task<void>>);
  EXPECT_EQ(task.Wait().Message(), "shut");
  EXPECT_EQ(task.State(), TaskState::Failed);
}

TEST_P(ResultsOnWorkers, OfAnErrorThatIsEmptyCompletes) {
  auto task = Invoke(ctx_, [] { return Error(); });
  EXPECT_FALSE(task.Wait());
  EXPECT_EQ(task.State(), TaskState::Completed);
}

TEST_P(ResultsOnWorkers, OfAResult) {
  auto good = Invoke(ctx_, []() -> Result<std::string> { return std::string("x"); });
  static_assert(std::is_same_v<decltype(good), Task<std::string>>);
  EXPECT_EQ(good.Get(), "x");
  auto bad = Invoke(ctx_, []() -> Result<std::string> { return Errc::QueueFull; });
  EXPECT_TRUE(bad.Wait().Is(Errc::QueueFull));
  auto nothing = Invoke(ctx_, []() -> Result<void> { return {}; });
  static_assert(std::is_same_v<decltype(nothing), Task<void>>);
  EXPECT_FALSE(nothing.Wait());
  auto bad_nothing = Invoke(ctx_, []() -> Result<void> { return Errc::QueueFull; });
  EXPECT_TRUE(bad_nothing.Wait().Is(Errc::QueueFull));
}

TEST_P(ResultsOnWorkers, OfAForeignErrorCode) {
  auto task = Invoke(ctx_, [] { return Error(std::make_error_code(std::errc::no_space_on_device)); });
  EXPECT_EQ(task.Wait(), std::errc::no_space_on_device);
}

TEST_P(ResultsOnWorkers, OfAConstValue) {
  auto task = Invoke(ctx_, []() -> const std::string { return "x"; });
  static_assert(std::is_same_v<decltype(task), Task<std::string>>);
  EXPECT_EQ(task.Get(), "x");
}

TEST_P(ResultsOnWorkers, OfALargeValue) {
  using Large = std::array<std::uint64_t, 100000>;
  auto task = Invoke(ctx_, [] {
    Large large{};
    large.back() = 7;
    return large;
  });
  EXPECT_EQ(task.Get().back(), 7U);
}

TEST_P(ResultsOnWorkers, OfAnAlignedValue) {
  struct alignas(64) Aligned {
    int value = 3;
  };
  auto task = Invoke(ctx_, [a = Aligned()] {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&a) % 64, 0U);
    return a;
  });
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&task.Get()) % 64, 0U);
}

struct Immovable {
  explicit Immovable(int number) : value(number) {}
  Immovable(const Immovable&) = delete;
  Immovable& operator=(const Immovable&) = delete;
  int value;
};

TEST_P(ResultsOnWorkers, OfAValueThatCannotEvenMoveIsReadInPlace) {
  auto task = Invoke(ctx_, [] { return Immovable(5); });
  EXPECT_EQ(task.Get().value, 5);
}

struct ThrowsWhenMoved {
  explicit ThrowsWhenMoved(int number) : value(number) {}
  ThrowsWhenMoved(const ThrowsWhenMoved& other) : value(other.value) { throw std::runtime_error("copied"); }
  ThrowsWhenMoved(ThrowsWhenMoved&& other) : value(other.value) { throw std::runtime_error("moved"); }
  int value;
};

TEST_P(ResultsOnWorkers, OfAValueThatThrowsWhenMoved) {
  auto in_place = Invoke(ctx_, [] { return ThrowsWhenMoved(5); });
  EXPECT_EQ(in_place.Get().value, 5) << "made in its place, no move is needed";
  EXPECT_THROW((void)in_place.Outcome(), std::runtime_error);
  EXPECT_EQ(in_place.State(), TaskState::Completed);
  auto by_result =
      Invoke(ctx_, []() -> Result<ThrowsWhenMoved> { return Result<ThrowsWhenMoved>(std::in_place, 5); });
  EXPECT_EQ(by_result.Wait().Message(), "moved");
}

struct ThrowsInCallable {
  ThrowsInCallable() = default;
  ThrowsInCallable(const ThrowsInCallable&) { throw std::runtime_error("copied"); }
  void operator()() const {}
};

TEST_P(ResultsOnWorkers, ACallableThatCannotBeCopiedThrowsIntoTheCallAndStartsNothing) {
  const ThrowsInCallable callable;
  EXPECT_THROW((void)Invoke(ctx_, callable), std::runtime_error);
  EXPECT_THROW((void)NewTask(callable), std::runtime_error);
  EXPECT_THROW((void)After(ctx_, Completed(), callable), std::runtime_error);
}

TEST_P(ResultsOnWorkers, OfAMoveOnlyCallable) {
  auto task = Invoke(ctx_, [held = std::make_unique<int>(3)]() mutable { return std::move(held); });
  EXPECT_EQ(*task.Get(), 3);
}

int Plain() { return 4; }
struct Overloaded {
  int operator()() const { return 1; }
  int operator()(Context&) const { return 2; }
};
struct TakesConst {
  int operator()(const Context&) const { return 3; }
};

TEST_P(ResultsOnWorkers, OfAnyKindOfCallable) {
  EXPECT_EQ(Invoke(ctx_, Plain).Get(), 4);
  EXPECT_EQ(Invoke(ctx_, &Plain).Get(), 4);
  EXPECT_EQ(Invoke(ctx_, std::function<int()>(Plain)).Get(), 4);
  EXPECT_EQ(Invoke(ctx_, Overloaded()).Get(), 2) << "the context goes to whoever takes one";
  EXPECT_EQ(Invoke(ctx_, TakesConst()).Get(), 3);
  EXPECT_EQ(Invoke(ctx_, Function<int()>([] { return 5; })).Get(), 5);
  auto mutable_work = [count = 0]() mutable { return ++count; };
  EXPECT_EQ(Invoke(ctx_, mutable_work).Get(), 1);
}

TEST_P(ResultsOnWorkers, OfAReferenceWrapper) {
  int value = 1;
  Invoke(ctx_, [&value] { return std::ref(value); }).Get().get() = 5;
  EXPECT_EQ(value, 5);
}

// D17
TEST_P(ResultsOnWorkers, OfATaskIsFlattened) {
  auto task = Invoke(ctx_, [](Context& context) { return Invoke(context, [] { return 5; }); });
  static_assert(std::is_same_v<decltype(task), Task<int>>);
  EXPECT_EQ(task.Get(), 5);
  auto nothing = Invoke(ctx_, [](Context& context) { return Invoke(context, [] {}); });
  static_assert(std::is_same_v<decltype(nothing), Task<void>>);
  EXPECT_FALSE(nothing.Wait());
  auto moved =
      Invoke(ctx_, [](Context& context) { return Invoke(context, [] { return std::make_unique<int>(1); }); });
  EXPECT_EQ(*moved.Get(), 1);
  EXPECT_EQ(Invoke(ctx_, [] { return Completed(6); }).Get(), 6);
}

// D17
TEST_P(ResultsOnWorkers, OfATaskThatFailsOrIsCancelled) {
  EXPECT_TRUE(Invoke(ctx_, [] { return Failed<int>(Errc::Closed); }).Wait().Is(Errc::Closed));
  auto throws = Invoke(ctx_, [](Context& context) {
    return Invoke(context, []() -> int { throw std::runtime_error("boom"); });
  });
  EXPECT_THROW((void)throws.Get(), std::runtime_error);
  EXPECT_EQ(throws.State(), TaskState::Failed);
  Promise<int> promise;
  auto cancelled = Invoke(ctx_, [&promise] { return promise.Task(); });
  promise.Task().Cancel();
  EXPECT_TRUE(cancelled.Wait().Is(Errc::Cancelled));
  EXPECT_EQ(cancelled.State(), TaskState::Cancelled) << "as a continuation would be";
}

// D17, D3
TEST_P(ResultsOnWorkers, OfATaskCanBeCancelledWhileItWaits) {
  for (int round = 0; round < 100; ++round) {
    Promise<int> promise;
    Gate returned;
    auto task = Invoke(ctx_, [&] {
      returned.Open();
      return promise.Task();
    });
    if (round % 2 == 0) returned.Wait();
    EXPECT_TRUE(task.Cancel());
    EXPECT_EQ(task.State(), TaskState::Cancelled);
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
    promise.TrySet(1);
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  }
}

// D17, D3
TEST_P(ResultsOnWorkers, OfATaskThatIsReturnedAfterTheCancelEndsOnce) {
  for (int round = 0; round < 200; ++round) {
    Gate cancelled;
    Gate started;
    Promise<int> promise;
    auto task = Invoke(ctx_, [&] {
      started.Open();
      cancelled.Wait();
      return round % 2 == 0 ? Completed(1) : promise.Task();
    });
    started.Wait();
    EXPECT_TRUE(task.Cancel());
    cancelled.Open();
    promise.TrySet(2);
    EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  }
}

// D17, D27
TEST_P(ResultsOnWorkers, OfAnEmptyTaskFails) {
  EXPECT_TRUE(Invoke(ctx_, [] { return Task<int>(); }).Wait().Is(Errc::InvalidArgument));
}

// D23
TEST_P(ResultsOnWorkers, OfItsOwnTaskFails) {
  Task<int> task;
  Gate set;
  task = Invoke(ctx_, [&] {
    set.Wait();
    return task;
  });
  set.Open();
  EXPECT_TRUE(task.Wait().Is(Errc::WouldDeadlock)) << task.Wait().Message();
}

struct Countdown {
  int left;
  Task<int> operator()(Context& context) const {
    if (left == 0) return Completed(7);
    return Invoke(context, Countdown{left - 1});
  }
};

// D17
TEST_P(ResultsOnWorkers, OfTasksFlattenedToAnyDepthOnASmallStack) {
  EXPECT_EQ(Invoke(ctx_, Countdown{100000}).Get(), 7);
}

// D17
TEST_P(ResultsOnWorkers, OfATaskThatNobodyStartedIsCancelled) {
  auto task = Invoke(ctx_, [] { return NewTask([] { return 1; }); });
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
}

TEST_P(ResultsOnWorkers, OfABodyThatNamesTheEndOfItsContextSayThatOnce) {
  const Context mine = ctx_.WithCancel();
  Gate started;
  const auto fetch = Invoke(mine, [&started](Context& own) {
    started.Open();
    EXPECT_TRUE(Sleep(own, 1h).Wait());
    return own.Err().WithContext("fetch");
  });
  const auto plain = Invoke(mine, [](Context& own) {
    EXPECT_TRUE(Sleep(own, 1h).Wait());
    return Error(Errc::Cancelled, "not hung up");
  });
  started.Wait();
  mine.Cancel({Errc::Cancelled, "hung up"});
  EXPECT_EQ(fetch.Wait().Message(), "fetch: hung up");
  EXPECT_THAT(plain.Wait().Message(), testing::AnyOf("hung up: not hung up", "hung up"));
}

// D17
TEST_P(ResultsOnWorkers, OfATaskCountTheWholeTimeInTheDuration) {
  Promise<int> promise;
  auto task = Invoke(ctx_, [&promise] { return promise.Task(); });
  EXPECT_TRUE(Eventually([&task] { return task.Duration() > 1ms; }));
  promise.TrySet(1);
  EXPECT_FALSE(task.Wait());
  EXPECT_GT(task.Duration(), 1ms);
  EXPECT_EQ(task.Duration(), task.Duration());
}

}  // namespace
}  // namespace orchestrate::test
