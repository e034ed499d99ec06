#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <orchestrate/base/error.hpp>
#include <orchestrate/base/function.hpp>
#include <string>

namespace orchestrate {
namespace {

static_assert(std::is_nothrow_move_constructible_v<Function<void()>>);
static_assert(!std::is_copy_constructible_v<Function<void()>>);
static_assert(sizeof(Function<void()>) == 40);
static_assert(!std::is_constructible_v<Function<int()>, void (*)()>);

int Twice(int n) { return 2 * n; }

TEST(Function, CallsLambdasAndPointers) {
  Function<int(int)> fn = [add = 3](int n) { return n + add; };
  EXPECT_EQ(fn(4), 7);
  fn = Twice;
  EXPECT_EQ(fn(4), 8);
  Function<void(int)> drops_the_result = Twice;
  drops_the_result(4);
}

TEST(Function, IsEmptyByDefaultAndWhenMovedFrom) {
  EXPECT_FALSE(Function<void()>());
  EXPECT_FALSE(Function<void()>(nullptr));
  Function<int(int)> fn = Twice;
  Function<int(int)> other = std::move(fn);
  EXPECT_FALSE(fn);  // NOLINT(bugprone-use-after-move)
  EXPECT_TRUE(other);
}

TEST(Function, TakesEmptyCallablesAsEmpty) {
  int (*pointer)(int) = nullptr;
  EXPECT_FALSE(Function<int(int)>(pointer));
  EXPECT_FALSE(Function<int(int)>(std::function<int(int)>()));
  EXPECT_TRUE(Function<int(int)>(std::function<int(int)>(Twice)));
}

TEST(Function, RefusesACallWhileEmpty) {
  try {
    Function<void()>()();
  } catch (const ErrorException& e) {
    EXPECT_EQ(e.Failure(), Errc::InvalidArgument);
    return;
  }
  FAIL();
}

TEST(Function, HoldsMoveOnlyCaptures) {
  Function<int()> fn = [p = std::make_unique<int>(9)] { return *p; };
  Function<int()> other = std::move(fn);
  EXPECT_EQ(other(), 9);
}

TEST(Function, PassesMoveOnlyArgumentsAndReferences) {
  Function<std::unique_ptr<int>(std::unique_ptr<int>, int&)> fn = [](std::unique_ptr<int> p, int& n) {
    n = *p;
    return p;
  };
  int n = 0;
  EXPECT_EQ(*fn(std::make_unique<int>(5), n), 5);
  EXPECT_EQ(n, 5);
}

TEST(Function, KeepsMutableState) {
  Function<int()> fn = [n = 0]() mutable { return ++n; };
  EXPECT_EQ(fn(), 1);
  EXPECT_EQ(fn(), 2);
}

// Counts its live objects; `Padding` decides whether it lies inside or outside.
template <std::size_t Padding>
struct Counted {
  explicit Counted(int& counter) : live(&counter) { ++counter; }
  Counted(Counted&& other) noexcept : live(other.live) { ++*live; }
  ~Counted() { --*live; }
  int operator()() const { return *live; }
  int* live;
  std::array<std::byte, Padding> padding{};
};

template <std::size_t Padding>
void MovesAndDestroysOnce() {
  int live = 0;
  {
    Function<int()> fn = Counted<Padding>(live);
    EXPECT_EQ(live, 1);
    Function<int()> other = std::move(fn);
    EXPECT_EQ(other(), 1);
    fn = std::move(other);
    EXPECT_EQ(fn(), 1);
    other = Counted<Padding>(live);
    fn = std::move(other);
    EXPECT_EQ(live, 1);
    fn.Reset();
    EXPECT_EQ(live, 0);
    fn = Counted<Padding>(live);
  }
  EXPECT_EQ(live, 0);
}

TEST(Function, DestroysASmallCallableOnce) { MovesAndDestroysOnce<8>(); }
TEST(Function, DestroysALargeCallableOnce) { MovesAndDestroysOnce<200>(); }

TEST(Function, HoldsOverAlignedCallables) {
  struct alignas(64) Aligned {
    bool operator()() const { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
  };
  Function<bool()> fn = Aligned();
  EXPECT_TRUE(fn());
}

TEST(Function, StaysUsableWhenTheCallableThrows) {
  Function<void()> fn = [] { throw 1; };
  EXPECT_THROW(fn(), int);
  EXPECT_THROW(fn(), int);
}

TEST(Function, MayBeResetFromInsideItsOwnDestructor) {
  Function<void()> fn;
  struct Resets {
    explicit Resets(Function<void()>& function) : fn(&function) {}
    Resets(Resets&& other) noexcept : fn(std::exchange(other.fn, nullptr)) {}
    ~Resets() {
      if (fn != nullptr) fn->Reset();
    }
    void operator()() const {}
    Function<void()>* fn;
  };
  fn = Resets(fn);
  fn.Reset();
  EXPECT_FALSE(fn);
}

}  // namespace
}  // namespace orchestrate
