#include <gtest/gtest.h>

#include <orchestrate/testkit/live_counts.hpp>

// Linked into every test executable: no test may leave tasks or timers behind.
namespace orchestrate {
namespace {

class LiveCountsCheck final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& /*info*/) override { before_ = CountLive(); }

  void OnTestEnd(const testing::TestInfo& info) override {
    if (info.result()->Failed() || info.result()->Skipped()) return;
    const LiveCounts after = WaitForLive(before_);
    EXPECT_LE(after.tasks, before_.tasks) << "the test left live tasks behind";
    EXPECT_LE(after.timers, before_.timers) << "the test left armed timers behind";
  }

  LiveCounts before_;
};

[[maybe_unused]] const bool kInstalled = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new LiveCountsCheck);
  return true;
}();

}  // namespace
}  // namespace orchestrate
