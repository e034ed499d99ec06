#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>
#include "base/remote_free_list.hpp"

#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

// Blocks with the numbers 1..64 that are linked in a table instead of in memory.
class Blocks {
 public:
  bool Push(RemoteFreeList& list, std::uint32_t block) {
    return list.Push({block, 1}, [&](std::uint32_t next) { next_[block] = next; });
  }
  std::vector<std::uint32_t> Numbers(RemoteFreeList::Chain chain) const {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t block = chain.first; block != 0; block = next_[block]) numbers.push_back(block);
    EXPECT_EQ(numbers.size(), chain.count);
    return numbers;
  }

 private:
  std::array<std::uint32_t, 65> next_{};  // the link belongs to whoever holds the block
};

using NumbersOf = std::vector<std::uint32_t>;

TEST(RemoteFreeList, CollectsAllChainsAtOnce) {
  Blocks blocks;
  RemoteFreeList list;
  EXPECT_EQ(list.Collect().count, 0U);
  EXPECT_TRUE(blocks.Push(list, 1));
  EXPECT_TRUE(blocks.Push(list, 64));
  EXPECT_EQ(blocks.Numbers(list.Collect()), (NumbersOf{64, 1}));
  EXPECT_EQ(list.Collect().count, 0U);
}

TEST(RemoteFreeList, DetachesOnlyWhenEmpty) {
  Blocks blocks;
  RemoteFreeList list;
  EXPECT_FALSE(list.Claim());
  EXPECT_TRUE(blocks.Push(list, 1));
  EXPECT_FALSE(list.Detach());
  EXPECT_EQ(blocks.Numbers(list.Collect()), (NumbersOf{1}));
  EXPECT_TRUE(list.Detach());
  EXPECT_TRUE(list.Claim());
  EXPECT_FALSE(list.Claim());
}

TEST(RemoteFreeList, PushOnADetachedListMakesTheCallerTheOwner) {
  Blocks blocks;
  RemoteFreeList list;
  EXPECT_TRUE(list.Detach());
  EXPECT_FALSE(blocks.Push(list, 1));  // keeps the block
  EXPECT_TRUE(blocks.Push(list, 2));
  EXPECT_EQ(blocks.Numbers(list.Collect()), (NumbersOf{2}));
}

class StressRemoteFreeList : public testing::TestWithParam<int> {};

// Threads push blocks of their own; whoever becomes the owner collects into plain fields and detaches again.
TEST_P(StressRemoteFreeList, HasOneOwnerAndLosesNoBlock) {
  constexpr int kRounds = 2000;
  constexpr std::uint32_t kEach = 8;
  Blocks blocks;
  RemoteFreeList list;
  std::array<bool, 65> free{};  // the owner's
  int collected = 0;            // the owner's
  std::array<std::atomic<int>, 65> returned{};
  ASSERT_TRUE(list.Detach());
  const auto own = [&](std::uint32_t kept) {
    do {
      for (const std::uint32_t block : blocks.Numbers(list.Collect())) free[block] = true;
      if (kept != 0) free[kept] = true;
      kept = 0;
      for (std::uint32_t block = 1; block < free.size(); ++block) {
        if (!free[block]) continue;
        free[block] = false;
        ++collected;
        returned[block].fetch_add(1);
      }
    } while (!list.Detach());
  };
  test::RunThreads(GetParam(), [&](int thread) {
    for (int round = 0; round < kRounds; ++round) {
      for (std::uint32_t i = 0; i < kEach; ++i) {
        const std::uint32_t block = static_cast<std::uint32_t>(thread) * kEach + i + 1;
        if (!blocks.Push(list, block)) own(block);
        while (returned[block].load() != round + 1) std::this_thread::yield();
      }
    }
  });
  EXPECT_TRUE(list.Claim());
  EXPECT_EQ(collected, GetParam() * kRounds * static_cast<int>(kEach));
}

INSTANTIATE_TEST_SUITE_P(Threads, StressRemoteFreeList, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
