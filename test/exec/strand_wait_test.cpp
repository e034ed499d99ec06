#include <gtest/gtest.h>

#include <thread>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_strand.hpp>

// D23: waits inside a strand for what comes to lie behind the body that waits.
namespace orchestrate::test {
namespace {

class WaitInStrand : public WithStrand {};
INSTANTIATE_TEST_SUITE_P(Over, WaitInStrand, Widths(), WidthName);

// D23
TEST_P(WaitInStrand, ForAContinuationOfWhatIsQueuedBehindRunsBoth) {
  const Watchdog watchdog;
  const auto task = Invoke(on_strand_, [](Context& own) {
    return Invoke(own, [] { return 1; }).Then([](int value) { return value + 1; }).Get();
  });
  EXPECT_EQ(task.Get(), 2);
}

// D23
TEST_P(WaitInStrand, ForAChainOfContinuationsRunsThemInTheirOrder) {
  const Watchdog watchdog;
  const auto task = Invoke(on_strand_, [](Context& own) {
    auto last = Invoke(own, [] { return 0; });
    for (int i = 0; i < 1000; ++i) {
      last = last.Then([i](int value) { return value == i ? i + 1 : -1; });
    }
    return last.Get();
  });
  EXPECT_EQ(task.Get(), 1000);
}

// D23
TEST_P(WaitInStrand, ForAContinuationThatIsQueuedThereLaterRunsIt) {
  const Watchdog watchdog;
  for (int round = 0; round < 100; ++round) {
    Gate waits;
    const auto elsewhere = Invoke(ctx_, [&waits] { Blocking([&waits] { waits.Wait(); }); });
    const auto task = Invoke(on_strand_, [&](Context& own) {
      const auto after = After(own, elsewhere, [] { return 5; });
      waits.Open();
      return after.Get();
    });
    ASSERT_EQ(task.Get(), 5);
  }
}

// D23
TEST_P(WaitInStrand, ForATaskThatSomebodyStartsThereLaterRunsIt) {
  const Watchdog watchdog;
  for (int round = 0; round < 100; ++round) {
    auto created = NewTask([] { return 7; });
    Gate inside;
    const auto task = Invoke(on_strand_, [created, &inside] {
      inside.Open();
      return created.Get();
    });
    inside.Wait();
    created.Run(on_strand_);
    ASSERT_EQ(task.Get(), 7);
  }
}

// D10, D23
TEST_P(WaitInStrand, ForAContinuationWhosePredecessorIsCancelledEnds) {
  const Watchdog watchdog;
  for (int round = 0; round < 100; ++round) {
    auto created = NewTask([] { return 7; });
    const auto after = created.Then([](int value) { return value; });
    Gate inside;
    const auto task = Invoke(on_strand_, [after, &inside] {
      inside.Open();
      return after.Wait().Is(Errc::Cancelled);
    });
    inside.Wait();
    round % 2 == 0 ? (void)created.Cancel() : (void)(created = Task<int>());
    ASSERT_TRUE(task.Get());
  }
}

// While threads pin predecessors, these end, are cancelled and run.
TEST_P(WaitInStrand, WhileChainsEndOnOtherThreadsLosesNothing) {
  const Watchdog watchdog;
  for (int round = 0; round < 300; ++round) {
    Gate go(3);
    auto first = NewTask([] { return 1; });
    const auto second = first.Then([](int value) { return value + 1; });
    const auto third = second.Then([](int value) { return value + 1; });
    const auto wait = [&go](const Task<int>& task) {
      return [&go, task] {
        go.Open();
        return static_cast<bool>(task.Outcome()) || task.IsDone();
      };
    };
    const auto inside = Invoke(on_strand_, wait(third));
    std::thread runner([&] {
      go.Open();
      first.Run(on_strand_);
    });
    std::thread canceller([&] {
      go.Open();
      if (round % 3 == 0) second.Cancel();
    });
    EXPECT_TRUE(inside.Get());
    runner.join();
    canceller.join();
    EXPECT_TRUE(third.IsDone());
  }
}

}  // namespace
}  // namespace orchestrate::test
