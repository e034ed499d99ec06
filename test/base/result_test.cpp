#include <gtest/gtest.h>

#include <memory>
#include <orchestrate/base/result.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace orchestrate {
namespace {

static_assert(!std::is_default_constructible_v<Result<int>>);
static_assert(std::is_default_constructible_v<Result<void>>);
static_assert(std::is_nothrow_move_constructible_v<Result<std::unique_ptr<int>>>);
static_assert(!std::is_copy_constructible_v<Result<std::unique_ptr<int>>>);
static_assert(std::is_convertible_v<const char*, Result<std::string>>);
static_assert(!std::is_convertible_v<int, Result<std::vector<int>>>);
static_assert(std::is_convertible_v<Errc, Result<int>>);
static_assert(std::is_convertible_v<std::error_code, Result<void>>);

Result<int> Half(int n) {
  if (n % 2 != 0) return Error(Errc::InvalidArgument, "odd");
  return n / 2;
}

struct Immovable {
  explicit Immovable(int value) : n(value) {}
  Immovable(Immovable&&) = delete;
  int n;
};

struct ThrowsWhenMoved {
  explicit ThrowsWhenMoved(int value) : n(value) {}
  ThrowsWhenMoved(const ThrowsWhenMoved&) { throw std::runtime_error("copied"); }
  ThrowsWhenMoved(ThrowsWhenMoved&&) noexcept(false) { throw std::runtime_error("moved"); }
  ThrowsWhenMoved& operator=(const ThrowsWhenMoved&) = default;
  int n = 0;
};

// H25
TEST(Result, MapsAValue) {
  const Result<int> result = 20;
  EXPECT_EQ(result.Map([](int n) { return std::to_string(n); }).Value(), "20");
  EXPECT_EQ(result.AndThen(Half).Value(), 10);
  EXPECT_EQ(result.MapError([](const Error&) { return Errc::Closed; }).Value(), 20);
  EXPECT_EQ(result.OrElse([](const Error&) { return 1; }).Value(), 20);
  EXPECT_EQ(result.ValueOr(7), 20);
}

// H25
TEST(Result, PassesAnErrorBy) {
  int calls = 0;
  const Result<int> result = Errc::Closed;
  EXPECT_EQ(result.Map([&](int n) { return ++calls, n; }).Failure(), Errc::Closed);
  EXPECT_EQ(result.AndThen([&](int n) { return ++calls, Half(n); }).Failure(), Errc::Closed);
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(result.MapError([](const Error& e) { return e.WithContext("Receive"); }).Failure().Message(),
            "Receive: closed");
  EXPECT_EQ(result.OrElse([](const Error&) { return 1; }).Value(), 1);
  EXPECT_EQ(result.OrElse([](const Error&) { return Half(3); }).Failure(), Errc::InvalidArgument);
  EXPECT_EQ(result.ValueOr(7), 7);
}

// H25
TEST(Result, StopsAChainAtTheFirstError) {
  int calls = 0;
  const auto count = [&](int n) { return ++calls, n; };
  const Result<int> result = Result<int>(12).AndThen(Half).Map(count).AndThen(Half).AndThen(Half).Map(count);
  EXPECT_EQ(result.Failure().Message(), "odd");
  EXPECT_EQ(calls, 1);
}

TEST(Result, OfVoidMapsBothWays) {
  EXPECT_EQ(Result<void>().Map([] { return 3; }).Value(), 3);
  EXPECT_TRUE(Result<int>(3).Map([](int) {}).HasValue());
  EXPECT_TRUE(Result<void>().AndThen([]() -> Result<void> { return {}; }));
  EXPECT_EQ(Result<void>(Errc::Closed).Map([] { return 3; }).Failure(), Errc::Closed);
  EXPECT_TRUE(Result<void>(Errc::Closed).OrElse([](const Error&) { return Result<void>(); }));
  EXPECT_EQ(Result<void>(Errc::Closed).MapError([](const Error&) { return Errc::ShutDown; }).Failure(),
            Errc::ShutDown);
}

TEST(Result, ThrowsTheFailureWhenReadAsAValue) {
  const Result<int> result = Error(Errc::Closed, "gone");
  EXPECT_THROW(static_cast<void>(result.Value()), ErrorException);
  EXPECT_THROW(static_cast<void>(*result), ErrorException);
  EXPECT_THROW(Result<void>(Errc::Closed).Value(), ErrorException);
  EXPECT_NO_THROW(Result<void>().Value());
}

TEST(Result, RethrowsTheException) {
  const Result<int> result = Error::FromException(std::make_exception_ptr(std::out_of_range("far")));
  EXPECT_THROW(static_cast<void>(result.Value()), std::out_of_range);
}

TEST(Result, RefusesAnEmptyErrorInPlaceOfAValue) {
  const Result<int> result = Error();
  EXPECT_FALSE(result);
  EXPECT_EQ(result.Failure(), Errc::InvalidArgument);
  EXPECT_EQ(result.Failure().Message(), "Result: built from an Error that is not set");
}

TEST(Result, OfVoidTakesAnEmptyErrorAsSuccess) { EXPECT_TRUE(Result<void>(Error())); }

TEST(Result, HoldsAMoveOnlyValue) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  EXPECT_EQ(**result, 5);
  Result<std::unique_ptr<int>> moved = std::move(result);
  EXPECT_EQ(*std::move(moved).Map([](std::unique_ptr<int> p) { return p; }).Value(), 5);
  EXPECT_EQ(*Result<std::unique_ptr<int>>(Errc::Closed).ValueOr(std::make_unique<int>(6)), 6);
}

TEST(Result, HoldsAnImmovableValue) {
  const Result<Immovable> result(std::in_place, 4);
  EXPECT_EQ(result->n, 4);
}

TEST(Result, AMovedFromFailureIsAFailure) {
  Result<std::string> result = Errc::Closed;
  const Result<std::string> moved = std::move(result);
  EXPECT_EQ(moved.Failure(), Errc::Closed);
  EXPECT_EQ(result.Failure(), Errc::AlreadyTaken);  // NOLINT(bugprone-use-after-move)
  Result<void> none = Errc::Closed;
  const Error taken = std::move(none).Failure();
  EXPECT_EQ(taken, Errc::Closed);
  EXPECT_EQ(none.Failure(), Errc::AlreadyTaken);  // NOLINT(bugprone-use-after-move)
}

TEST(Result, AssignsEveryWay) {
  const Result<std::string> value = "a longer text than fits inside";
  const Result<std::string> failure = Errc::Closed;
  Result<std::string> result = "x";
  result = value;
  EXPECT_EQ(*result, *value);
  result = failure;
  EXPECT_EQ(result.Failure(), Errc::Closed);
  result = failure;
  EXPECT_EQ(result.Failure(), Errc::Closed);
  result = value;
  EXPECT_EQ(*result, *value);
  const auto& same = result;
  result = same;
  EXPECT_EQ(*result, *value);
  result = Errc::ShutDown;
  EXPECT_EQ(result.Failure(), Errc::ShutDown);
}

TEST(Result, StaysAFailureWhenTheNewValueThrows) {
  Result<ThrowsWhenMoved> result = Errc::Closed;
  const Result<ThrowsWhenMoved> value(std::in_place, 3);
  EXPECT_THROW(result = value, std::runtime_error);
  EXPECT_EQ(result.Failure(), Errc::Closed);
}

TEST(Result, MovesItsValueOut) {
  Result<std::string> result = "text";
  const std::string text = *std::move(result);
  EXPECT_EQ(text, "text");
}

}  // namespace
}  // namespace orchestrate
