#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/virtual_time.hpp>
#include <test/support/with_runtime.hpp>

// What outlives a strand: handles of tasks that have ended, and what the runtime below hears of its tasks.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class StrandLife : public WithRuntime {
 protected:
  StrandLife() : strand_(std::in_place, runtime_.GetExecutor()) {}

  [[nodiscard]] Where OnStrand() { return Where(ctx_).On(*strand_); }

  std::optional<Strand> strand_;
};
INSTANTIATE_TEST_SUITE_P(Over, StrandLife, Widths(), WidthName);

TEST_P(StrandLife, HandlesOfItsEndedTasksAreOfUseAfterIt) {
  auto done = Invoke(OnStrand(), [] { return 7; });
  auto failed = Invoke(OnStrand(), []() -> int { throw std::runtime_error("disk full"); });
  auto slept = Sleep(OnStrand(), 1ms);
  EXPECT_FALSE(WaitAll(done, slept));
  EXPECT_TRUE(failed.Wait());
  EXPECT_FALSE(runtime_.Run());
  strand_.reset();
  EXPECT_EQ(done.Get(), 7);
  EXPECT_TRUE(done.WaitFor(1s));
  EXPECT_TRUE(failed.WaitUntil(Clock::now() + 1s));
  EXPECT_FALSE(WaitAll(done, slept));
  EXPECT_FALSE(done.Cancel());
  EXPECT_FALSE(slept.Cancel());
  EXPECT_TRUE(failed.Outcome().Failure());
}

TEST_P(StrandLife, WhoeverCancelsASleepIsThroughWithTheStrandBeforeItGoes) {
  for (int round = 0; round < 200; ++round) {
    auto nap = Sleep(OnStrand(), 1h);
    std::thread canceller([nap] { nap.Cancel(); });
    EXPECT_TRUE(nap.Wait().Is(Errc::Cancelled));
    strand_.reset();
    strand_.emplace(runtime_.GetExecutor());
    canceller.join();
  }
}

TEST_P(StrandLife, WaitsOfOthersDoNotNeedItAfterTheEnd) {
  for (int round = 0; round < 200; ++round) {
    auto task = Invoke(OnStrand(), [] {});
    std::thread other([task] { EXPECT_FALSE(task.Wait()); });
    EXPECT_FALSE(task.Wait());
    strand_.reset();
    strand_.emplace(runtime_.GetExecutor());
    other.join();
  }
}

TEST_P(StrandLife, AnErrorThatNobodyReadReachesTheRuntimeBelow) {
  auto task = Invoke(OnStrand(), [] { throw std::runtime_error("disk full"); });
  EXPECT_FALSE(runtime_.Run());
  strand_.reset();
  task = Task<void>();
  const auto reports = reports_.Take();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_NE(reports[0].error.Message().find("disk full"), std::string::npos);
}

TEST_P(StrandLife, AContextBoundToItRefusesAfterIt) {
  const Context context = OnStrand().Resolve();
  strand_.reset();
  EXPECT_TRUE(Invoke(context, [] {}).Wait().Is(Errc::ShutDown));
}

// Others run what is posted while the call is still inside.
class Lingering final : public Executor {
 public:
  ~Lingering() override { Detach(); }

  void Post(Work work) noexcept override {
    work_.emplace(std::move(work));
    posted.Open();
    leave.Wait();
    for (int i = 0; i < 1000 && !gone; ++i) std::this_thread::yield();
    was_gone = gone;
  }
  void RunPosted() { (*work_)(); }

  Gate posted;
  Gate leave;
  std::atomic<bool> gone{false};
  bool was_gone = false;

 private:
  std::optional<Work> work_;
};

TEST_P(StrandLife, StaysUntilTheCallThatPostedItsLastTaskHasReturned) {
  Lingering base;
  std::optional<Strand> strand(std::in_place, base);
  bool ran = false;
  std::thread poster([&] { (void)Invoke(Where(ctx_).On(*strand), [&ran] { ran = true; }); });
  base.posted.Wait();
  base.RunPosted();
  EXPECT_TRUE(ran);
  std::thread destroyer([&] {
    strand.reset();
    base.gone = true;
  });
  base.leave.Open();
  poster.join();
  destroyer.join();
  EXPECT_FALSE(base.was_gone);
}

class StrandLifeInVirtualTime : public InVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Over, StrandLifeInVirtualTime, Widths(), WidthName);

TEST_P(StrandLifeInVirtualTime, TheTimersAreThroughWithItBeforeASleepIsSeenToEnd) {
  for (int round = 0; round < 200; ++round) {
    Strand strand(runtime_.GetExecutor());
    EXPECT_FALSE(Sleep(Where(ctx_).On(strand), 1h).Wait());
  }
}

}  // namespace
}  // namespace orchestrate::test
