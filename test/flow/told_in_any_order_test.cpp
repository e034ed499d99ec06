#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/waiting.hpp>
#include <test/support/with_runtime.hpp>

// Code of the user that the end of a task runs, a copy of its value or an observer, may wait for anything
// else that the same end brings about.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Does something when it is copied, once.
class AtCopy {
 public:
  explicit AtCopy(std::function<void()> fn) : fn_(std::make_shared<std::function<void()>>(std::move(fn))) {}
  AtCopy(const AtCopy& other) : fn_(other.fn_) {
    if (auto fn = std::exchange(*fn_, nullptr)) fn();
  }
  AtCopy(AtCopy&&) noexcept = default;
  AtCopy& operator=(const AtCopy&) = delete;
  AtCopy& operator=(AtCopy&&) = delete;
  ~AtCopy() = default;

 private:
  std::shared_ptr<std::function<void()>> fn_;
};

class ToldInAnyOrder : public WithRuntime {
 protected:
  Promise<AtCopy> promise_{Where(ctx_)};
  Task<void> next_;
  bool waited_ = false;
  std::function<void()> Wait() {
    return [this] { waited_ = !next_.Wait(); };
  }
};
INSTANTIATE_TEST_SUITE_P(Over, ToldInAnyOrder, Widths(), WidthName);

TEST_P(ToldInAnyOrder, ACopyForATaskThatReturnedAnotherMayWaitForTheNextInLine) {
  const Watchdog watchdog;
  Gate returned;
  const auto outer = Invoke(ctx_, [&] { return promise_.Task(); });
  const auto after_body = Invoke(ctx_, [&] { returned.Open(); });
  returned.Wait();
  next_ = promise_.Task().Then([](const AtCopy&) {});
  promise_.Set(AtCopy(Wait()));
  EXPECT_FALSE(outer.Wait());
  EXPECT_TRUE(waited_);
  EXPECT_FALSE(after_body.Wait());
}

TEST_P(ToldInAnyOrder, ACopyForALimitedTaskMayWaitForTheNextInLine) {
  const Watchdog watchdog;
  const auto limited = Timeout(ctx_, promise_.Task(), 1h);
  next_ = promise_.Task().Then([](const AtCopy&) {});
  promise_.Set(AtCopy(Wait()));
  EXPECT_FALSE(limited.Wait());
  EXPECT_TRUE(waited_);
}

TEST_P(ToldInAnyOrder, ACopyMayDropCancelAndComplete) {
  const Watchdog watchdog;
  Promise<int> other(ctx_);
  const auto after_other = other.Task().Then([](int value) { return value + 1; });
  auto never = std::make_unique<Promise<int>>(Where(ctx_));
  const auto broken = never->Task().Then([](int) {}).Then([] {}).Then([] {});
  const Context context = ctx_.WithCancel();
  const auto cancelled = Promise<int>(Where(context)).Task();
  const auto limited = Timeout(ctx_, promise_.Task(), 1h);
  promise_.Set(AtCopy([&] {
    other.Set(1);
    never.reset();
    context.Cancel();
    waited_ = after_other.Get() == 2 && broken.Wait() && cancelled.Wait();
  }));
  EXPECT_FALSE(limited.Wait());
  EXPECT_TRUE(waited_);
}

// Calls something at the first event of a kind.
struct Caller final : Observer {
  std::function<void()> at_spawn;
  std::function<void()> at_end;
  void TaskSpawned(std::uint64_t /*id*/, std::string_view name) noexcept override {
    if (name == "watched" && at_spawn) std::exchange(at_spawn, nullptr)();
  }
  void TaskEnded(std::uint64_t id, std::chrono::nanoseconds /*ran*/) noexcept override {
    if (id == watched_id && at_end) std::exchange(at_end, nullptr)();
  }
  std::atomic<std::uint64_t> watched_id{0};
};

class ToldToAnObserver : public testing::TestWithParam<std::size_t> {
 protected:
  RuntimeOptions Options() {
    RuntimeOptions options(GetParam());
    options.observer = &caller_;
    return options;
  }
  Caller caller_;
  Runtime runtime_{Options()};
  Context ctx_ = runtime_.Background();
};
INSTANTIATE_TEST_SUITE_P(Over, ToldToAnObserver, Widths(), WidthName);

TEST_P(ToldToAnObserver, ThatIsToldOfAStartMayWaitForTheNextInLine) {
  const Watchdog watchdog;
  bool waited = false;
  Promise<int> promise(ctx_);
  const auto first = After(Where(ctx_).Named("watched"), promise.Task(), [](int) {});
  const auto second = promise.Task().Then([](int) {});
  caller_.at_spawn = [&] { waited = !second.Wait(); };
  promise.Set(1);
  EXPECT_FALSE(first.Wait());
  EXPECT_TRUE(waited);
}

TEST_P(ToldToAnObserver, ThatIsToldOfAnEndMayWaitForTheNextInLine) {
  const Watchdog watchdog;
  bool waited = false;
  const Context context = ctx_.WithCancel();
  Promise<int> promise(ctx_);
  const auto first = Invoke(context, [&] { return promise.Task(); });
  caller_.watched_id = first.Id();
  ASSERT_TRUE(Eventually([&] { return HasWaiters(promise.Task()); }));  // the body has returned it
  const auto second = After(context, promise.Task(), [](int) {});
  const auto last = ContinueWith(Context::Background(), first, [](const Result<int>&) {});
  caller_.at_end = [&] { waited = second.Wait() && !last.Wait(); };
  context.Cancel();
  EXPECT_EQ(first.Wait(), Errc::Cancelled);
  EXPECT_TRUE(waited);
}

TEST_P(ToldToAnObserver, StartsInTheOrderOfTheirRegistration) {
  const Watchdog watchdog;
  Promise<int> promise(ctx_);
  std::vector<Task<void>> tasks;
  std::atomic<int> at{0};
  std::array<int, 20> places{};
  for (int i = 0; i < 20; ++i) {
    tasks.push_back(promise.Task().Then([&, i](int) { places[static_cast<std::size_t>(i)] = at++; }));
  }
  promise.Set(1);
  EXPECT_FALSE(WaitAll(tasks));
  if (GetParam() != 1) return;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(places[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace orchestrate::test
