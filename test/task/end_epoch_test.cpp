#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/task/detail/context_node.hpp>
#include <test/support/own_process.hpp>

// The number of ends in the process, by which a context knows that nothing can have ended above it.
namespace orchestrate::test {
namespace {

using EndEpoch = InItsOwnProcess;

TEST_F(EndEpoch, ShowsEndsAcrossItsWrap) {
  const auto run = [] {
    Runtime runtime(1);
    const Context root = runtime.Background();
    constexpr std::uint32_t kBefore = 8;
    detail::g_end_epoch.store(std::numeric_limits<std::uint32_t>::max() - kBefore);
    for (std::uint32_t round = 0; round < 3 * kBefore; ++round) {
      const Context parent = root.WithCancel();
      const Context child = parent.WithCancel();
      const Context other = root.WithCancel();
      if (child.IsDone() || other.IsDone()) std::exit(kWrong);
      parent.Cancel();
      if (!child.IsDone() || other.IsDone()) std::exit(kWrong);
      if (!Invoke(child, [] {}).Wait().Is(Errc::Cancelled)) std::exit(kWrong);
      if (Invoke(other, [] {}).Wait()) std::exit(kWrong);
    }
    if (detail::g_end_epoch.load() > 1000) std::exit(kWrong);  // it did not wrap
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), testing::ExitedWithCode(kFine), "^$");
}

}  // namespace
}  // namespace orchestrate::test
