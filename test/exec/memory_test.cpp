#include <gtest/gtest.h>

#include <vector>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include "base/sanitizers.hpp"

// The memory of tasks goes back to the system when nobody needs it any more.
namespace orchestrate::test {
namespace {

TEST(RealPoolMemory, ComesBackAfterManyTasks) {
#if defined(ORCHESTRATE_ASAN) || defined(ORCHESTRATE_TSAN)
  GTEST_SKIP() << "the pool hands out blocks of malloc under sanitizers";
#endif
  constexpr std::size_t kTasks = 200'000;
  Runtime runtime(2);
  const Context ctx = runtime.Background();
  const std::size_t before = detail::Stats().resident_slabs;
  std::size_t most = 0;
  {
    std::vector<Task<int>> tasks;
    tasks.reserve(kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) tasks.push_back(Invoke(ctx, [] { return 1; }));
    for (const auto& task : tasks) ASSERT_EQ(task.Get(), 1);
    most = detail::Stats().resident_slabs;
  }
  EXPECT_GE(most * detail::Stats().slab_bytes, kTasks * 128);
  EXPECT_TRUE(Eventually([&] { return detail::Stats().resident_slabs <= before + (most - before) / 10; }))
      << before << " slabs before, " << most << " at most, " << detail::Stats().resident_slabs << " now";
}

}  // namespace
}  // namespace orchestrate::test
