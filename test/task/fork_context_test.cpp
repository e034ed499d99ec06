#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// What a failure in a region does to those of its functions that block, and which error the region ends with.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Fails once the sibling has opened `entered`, which it does right before it blocks.
auto FailAfter(Gate& entered) {
  return [&entered]() -> Error {
    Blocking([&entered] { entered.Wait(); });
    return {Errc::QueueFull, "the first cause"};
  };
}

// Runs a region of one function that fails and `blocked`, in both orders, and checks its error.
template <class F>
void ExpectTheFirstCause(const Context& context, F blocked) {
  for (const bool fails_first : {true, false}) {
    Gate entered;
    const auto fail = FailAfter(entered);
    const auto block = [&](Fork& fork) {
      entered.Open();
      return blocked(fork);
    };
    const auto outcome =
        fails_first ? ForkJoin(context, fail, block).Failure() : ForkJoin(context, block, fail).Failure();
    EXPECT_EQ(outcome.Message(), "the first cause") << "fails first: " << fails_first;
  }
}

class ForkContexts : public WithRuntime {
 protected:
  Watchdog watchdog_;
};
INSTANTIATE_TEST_SUITE_P(Over, ForkContexts, Widths(), WidthName);

// K59, D41
TEST_P(ForkContexts, EndAReceiveWhenASiblingFails) {
  const Channel<int> nothing(1);
  ExpectTheFirstCause(ctx_, [&](Fork& fork) { return nothing.Recv(fork.GetContext()).Failure(); });
}

// K59
TEST_P(ForkContexts, EndASleepWhenASiblingFails) {
  ExpectTheFirstCause(ctx_, [](Fork& fork) { return Sleep(fork.GetContext(), 1h).Wait(); });
}

// K59
TEST_P(ForkContexts, EndAWaitForPermitsWhenASiblingFails) {
  RateLimiter limiter({1, 1h});
  ASSERT_TRUE(limiter.TryAcquire());
  ExpectTheFirstCause(ctx_, [&](Fork& fork) { return limiter.Acquire(fork.GetContext()); });
}

// K59
TEST_P(ForkContexts, ShowALoopThatASiblingHasFailed) {
  ExpectTheFirstCause(ctx_, [](Fork& fork) -> Error {
    const Context context = fork.GetContext();
    Blocking([&] {
      while (!context.IsDone()) std::this_thread::yield();
    });
    return context.Err();
  });
}

// D41
TEST_P(ForkContexts, LetNoWrappedEndStandForItsCause) {
  const Channel<int> nothing(1);
  ExpectTheFirstCause(ctx_, [&](Fork& fork) -> Error {
    const Error ended = nothing.Recv(fork.GetContext()).Failure();
    return Error(Errc::InvalidArgument, "could not receive").WithCause(ended);
  });
  ExpectTheFirstCause(ctx_, [&](Fork& fork) {
    if (!nothing.Recv(fork.GetContext())) throw std::runtime_error("could not receive");
  });
}

// One that was taken before the join and handed to its functions.
TEST_P(ForkContexts, TakenBeforeAJoinEndWithIt) {
  for (const bool fails_first : {true, false}) {
    const Channel<int> nothing(1);
    Gate entered;
    const Error error = ForkJoin(ctx_, [&](Fork& fork) {
                          const Context context = fork.GetContext();
                          const auto fail = FailAfter(entered);
                          const auto block = [&] {
                            entered.Open();
                            return nothing.Recv(context).Failure();
                          };
                          fails_first ? fork.Join(fail, block) : fork.Join(block, fail);
                        }).Failure();
    EXPECT_EQ(error.Message(), "the first cause");
  }
}

TEST_P(ForkContexts, TakenAfterAFailureHaveEnded) {
  Gate failed;
  const Error error = ForkJoin(
                          ctx_,
                          [&](Fork& fork) -> Error {
                            const Context first = fork.GetContext();
                            fork.Join([] {}, [] {});
                            failed.Open();
                            Blocking([&] {
                              while (!first.IsDone()) std::this_thread::yield();
                            });
                            EXPECT_TRUE(fork.GetContext().IsDone());
                            return first.Err();
                          },
                          FailAfter(failed))
                          .Failure();
  EXPECT_EQ(error.Message(), "the first cause");
}

TEST_P(ForkContexts, AreFreshAfterAFailureThatWasCaught) {
  const Error error =
      ForkJoin(ctx_, [](Fork& fork) {
        const Context before = fork.GetContext();
        for (int round = 0; round < 3; ++round) {
          EXPECT_THROW(fork.Join([] {}, []() -> Error { return Errc::QueueFull; }), ErrorException);
          EXPECT_THROW(fork.Join([]() -> Error { return Errc::QueueFull; }, [] {}), ErrorException);
          EXPECT_FALSE(fork.GetContext().IsDone());
          fork.Join([](Fork& own) { EXPECT_FALSE(own.GetContext().IsDone()); },
                    [](Fork& own) { EXPECT_FALSE(own.GetContext().IsDone()); });
        }
      }).Failure();
  EXPECT_FALSE(error) << error.Message();
}

// A failure inside one function that handles it is none of its sibling's business.
TEST_P(ForkContexts, LastThroughAFailureThatASiblingCaught) {
  for (const bool handles_first : {true, false}) {
    const Channel<int> numbers(1);
    Gate entered;
    const auto handle = [&](Fork& fork) {
      Blocking([&] { entered.Wait(); });
      EXPECT_THROW(fork.Join([] {}, []() -> Error { return Errc::QueueFull; }), ErrorException);
      EXPECT_THROW(fork.Join([]() -> Error { return Errc::QueueFull; }, [] {}), ErrorException);
      EXPECT_FALSE(numbers.Send(fork.GetContext(), 5));
    };
    const auto receive = [&](Fork& fork) {
      const Context context = fork.GetContext();
      entered.Open();
      EXPECT_EQ(numbers.Recv(context).Value(), 5);
    };
    const Error error =
        handles_first ? ForkJoin(ctx_, handle, receive).Failure() : ForkJoin(ctx_, receive, handle).Failure();
    EXPECT_FALSE(error) << error.Message();
  }
}

// What a function has forked blocks two joins below the one that fails.
TEST_P(ForkContexts, EndAlsoWhatTheSiblingHasForked) {
  const Channel<int> nothing(1);
  Gate entered(2);
  const auto block = [&](Fork& fork) {
    const Context context = fork.GetContext();
    entered.Open();
    return nothing.Recv(context).Failure();
  };
  const auto both = [&](Fork& fork) { fork.Join(block, block); };
  EXPECT_EQ(ForkJoin(ctx_, both, FailAfter(entered)).Failure().Message(), "the first cause");
}

// K59
TEST_P(ForkContexts, OfALoopEndWhenAnItemFails) {
  for (const int failing : {0, 1}) {
    const Channel<int> nothing(1);
    Gate entered;
    const auto item = [&](Fork& fork, int i) -> Error {
      if (i == failing) return FailAfter(entered)();
      const Context context = fork.GetContext();
      entered.Open();
      return Error(Errc::Closed, "an echo").WithCause(nothing.Recv(context).Failure());
    };
    if (GetParam() == 1 && failing == 0) continue;  // the items of one worker run in turn
    EXPECT_EQ(ParallelFor(ctx_, 0, 2, item).Message(), "the first cause");
  }
}

// K59
TEST(ForkContext, OfAReductionEndsWhenAnItemFails) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const Channel<int> nothing(1);
  Gate entered;
  const auto map = [&](Fork& fork, int i) -> Result<int> {
    if (i == 0) return FailAfter(entered)();
    const Context context = fork.GetContext();
    entered.Open();
    return nothing.Recv(context);
  };
  const auto sum = ParallelReduce(runtime.Background(), 0, 2, 0, map, [](int a, int b) { return a + b; });
  EXPECT_EQ(sum.Failure().Message(), "the first cause");
}

TEST_P(ForkContexts, EndWithThatOfTheRegion) {
  const Context context = ctx_.WithCancel();
  const Error error = ForkJoin(context, [&](Fork& fork) {
                        const Context own = fork.GetContext();
                        context.Cancel(Error(Errc::Cancelled, "enough"));
                        EXPECT_EQ(own.Err().Message(), "enough");
                      }).Failure();
  EXPECT_EQ(error.Message(), "enough");
}

// ---- a Fork that is another call's ----

TEST(Fork, RefusesAnotherThread) {
  const Watchdog watchdog;
  Runtime runtime(2);
  const auto refused = [](auto use) {
    std::string said;
    std::thread([&] {
      try {
        use();
      } catch (const ErrorException& exception) {
        EXPECT_TRUE(exception.Failure().Is(Errc::InvalidArgument));
        said = exception.Failure().Message();
      }
    }).join();
    return said;
  };
  const std::string why =
      ": the Fork belongs to a call on another thread; a child uses the Fork that it is given, fn(Fork&)";
  const Error error = ForkJoin(runtime.Background(), [&](Fork& fork) {
                        EXPECT_EQ(refused([&] { fork.Join([] {}, [] {}); }), "Fork::Join" + why);
                        EXPECT_EQ(refused([&] { fork.ThrowIfStopped(); }), "Fork::ThrowIfStopped" + why);
                        EXPECT_EQ(refused([&] { (void)fork.GetContext(); }), "Fork::GetContext" + why);
                        EXPECT_EQ(refused([&] { ParallelFor(fork, 0, 3, [](int) {}); }), "ParallelFor" + why);
                      }).Failure();
  EXPECT_FALSE(error) << error.Message();
}

static_assert(!std::is_copy_constructible_v<Fork> &&
              !std::is_move_constructible_v<Fork>);  // nor captured by value

// A child that captures a reference to its parent's Fork, on another worker.
TEST(Fork, RefusesAChildThatTookItsParents) {
  const Watchdog watchdog;
  Runtime runtime(2);
  Gate both(2);
  const Error error = ForkJoin(runtime.Background(), [&](Fork& fork) {
                        const auto child = [&] {
                          both.Open();
                          Blocking([&] { both.Wait(); });
                          fork.Join([] {}, [] {});
                        };
                        fork.Join(child, child);
                      }).Failure();
  EXPECT_TRUE(error.Is(Errc::InvalidArgument)) << error.Message();
}

// ---- races ----

class StressForkContexts : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, StressForkContexts, Widths(), WidthName);

// Failures at any moment, while siblings take contexts, block and fork.
TEST_P(StressForkContexts, EveryoneLeaves) {
  const Watchdog watchdog;
  const Channel<int> nothing(1);
  for (int round = 0; round < 300; ++round) {
    std::atomic<int> entered{0};
    const auto item = [&](Fork& fork, int i) -> Error {
      if (entered.fetch_add(1) == round % 5) return {Errc::QueueFull, "the first cause"};
      if (i % 3 == 0) fork.Join([] {}, [](Fork& own) { (void)own.GetContext(); });
      if (i % 3 == 1) return {};
      return Sleep(fork.GetContext(), 1ms * (i % 4)).Wait();
    };
    const Error error = ParallelFor(ctx_, 0, 8, item);
    ASSERT_EQ(error.Message(), "the first cause") << "round " << round;
  }
}

}  // namespace
}  // namespace orchestrate::test
