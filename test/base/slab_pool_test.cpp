#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <orchestrate/base/slab_pool.hpp>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/sanitizers.hpp"
#include "run_threads.hpp"

namespace orchestrate::detail {
namespace {

#ifdef ORCHESTRATE_ASAN
constexpr bool kHasSlabs = false;  // blocks come from the sanitizer's allocator
#else
constexpr bool kHasSlabs = true;
#endif
#ifdef ORCHESTRATE_TSAN
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = !kHasSlabs;
#endif

constexpr std::size_t kBytes = 128;

// Each test leaves as many live blocks as it found.
class SlabPool : public testing::Test {
 protected:
  SlabPool() {
    TrimBlocks();
    before_ = Stats();
  }
  ~SlabPool() override { EXPECT_EQ(Stats().live_blocks, before_.live_blocks); }

  std::size_t Live() const { return Stats().live_blocks - before_.live_blocks; }
  std::size_t SlabsInUse() const { return Stats().slabs_in_use - before_.slabs_in_use; }

  PoolStats before_;
};

// Blocks that know what was written into them.
class Blocks {
 public:
  void Allocate(std::size_t count, std::size_t bytes = kBytes) {
    for (std::size_t i = 0; i < count; ++i) {
      auto* const block = static_cast<unsigned char*>(AllocateBlock(bytes));
      std::memset(block, static_cast<int>(blocks_.size() % 251), bytes);
      blocks_.push_back({block, bytes, static_cast<unsigned char>(blocks_.size() % 251)});
    }
  }
  void FreeAll() { Free(blocks_.size()); }
  void Free(std::size_t count) {  // the newest
    for (; count > 0; --count) {
      const Block block = blocks_.back();
      blocks_.pop_back();
      ASSERT_EQ(block.address[0], block.mark);
      ASSERT_EQ(block.address[block.bytes - 1], block.mark);
      FreeBlock(block.address, block.bytes);
    }
  }
  void FreeAllBut(std::size_t every) {
    std::vector<Block> kept;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      if (i % every == 0) {
        kept.push_back(blocks_[i]);
      } else {
        FreeBlock(blocks_[i].address, blocks_[i].bytes);
      }
    }
    blocks_ = std::move(kept);
  }
  std::size_t Size() const { return blocks_.size(); }

 private:
  struct Block {
    unsigned char* address;
    std::size_t bytes;
    unsigned char mark;
  };
  std::vector<Block> blocks_;
};

TEST_F(SlabPool, AlignsBlocksOfEverySizeAndKeepsThemApart) {
  Blocks blocks;
  for (std::size_t bytes = 1; bytes <= 5000; bytes += 13) {
    void* const block = AllocateBlock(bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0U);
    FreeBlock(block, bytes);
    blocks.Allocate(3, bytes);
  }
  blocks.FreeAll();
}

TEST_F(SlabPool, AcceptsZeroBytes) {
  void* const block = AllocateBlock(0);
  EXPECT_NE(block, nullptr);
  FreeBlock(block, 0);
}

TEST_F(SlabPool, CountsLiveBlocks) {
  Blocks blocks;
  blocks.Allocate(5);
  blocks.Allocate(2, 100'000);
  EXPECT_EQ(Live(), 7U);
  blocks.FreeAll();
  EXPECT_EQ(Live(), 0U);
}

TEST_F(SlabPool, ReusesTheBlockThatWasFreedLast) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  void* const first = AllocateBlock(kBytes);
  FreeBlock(first, kBytes);
  void* const second = AllocateBlock(kBytes);
  EXPECT_EQ(first, second);
  FreeBlock(second, kBytes);
}

TEST_F(SlabPool, ThrowsWhenABlockIsTooLarge) {
  if (kSanitized) GTEST_SKIP() << "sanitizers end the process instead";
  // Opaque, or the compiler sees that the allocation cannot succeed.
  volatile std::size_t bytes = std::numeric_limits<std::size_t>::max() / 4;
  EXPECT_THROW(static_cast<void>(AllocateBlock(bytes)), std::bad_alloc);
}

// In a child with little address space left: blocks run out, and after one is freed there is one again.
TEST_F(SlabPool, ThrowsWhenTheSystemHasNoMemory) {
  if (kSanitized) GTEST_SKIP() << "sanitizers need the address space themselves";
  const auto run_out = [] {
    const rlimit limit{.rlim_cur = std::size_t{64} << 20, .rlim_max = std::size_t{64} << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(1);
    void* newest = nullptr;
    try {
      for (;;) newest = AllocateBlock(2048);
    } catch (const std::bad_alloc&) {
      FreeBlock(newest, 2048);
      std::_Exit(AllocateBlock(2048) == newest ? 0 : 2);
    }
  };
  EXPECT_EXIT(run_out(), testing::ExitedWithCode(0), "");
}

TEST_F(SlabPool, GivesEmptySlabsBackToTheSystem) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  Blocks blocks;
  blocks.Allocate(100'000);
  EXPECT_GE(SlabsInUse(), 100'000 * kBytes / Stats().slab_bytes);
  blocks.FreeAll();
  TrimBlocks();
  EXPECT_LE(SlabsInUse(), 0U);
  EXPECT_EQ(Stats().resident_slabs, before_.resident_slabs);
}

TEST_F(SlabPool, KeepsNoMoreEmptySlabsThanTheWatermark) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  SetPoolWatermark(4);
  Blocks blocks;
  blocks.Allocate(100'000);
  blocks.FreeAll();
  const PoolStats stats = Stats();
  EXPECT_LE(stats.resident_slabs - stats.slabs_in_use, 4U);
  SetPoolWatermark(4096);
}

TEST_F(SlabPool, DropsSlabsThatNobodyNeededSinceTheLastCall) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  Blocks blocks;
  blocks.Allocate(100'000);
  blocks.FreeAll();
  DropUnusedSlabs();  // they were needed until now
  const std::size_t kept = Stats().resident_slabs;
  EXPECT_GE(kept, 100'000 * kBytes / Stats().slab_bytes);
  blocks.Allocate(50'000);
  blocks.FreeAll();
  DropUnusedSlabs();  // half of them were needed again
  EXPECT_LT(Stats().resident_slabs, kept * 6 / 10);
  EXPECT_GT(Stats().resident_slabs, kept * 4 / 10);
  DropUnusedSlabs();
  EXPECT_LT(Stats().resident_slabs, 10U);
}

TEST_F(SlabPool, TakesBackBlocksThatAnotherThreadFrees) {
  Blocks blocks;
  blocks.Allocate(50'000);
  std::thread([&] { blocks.FreeAll(); }).join();
  EXPECT_EQ(Live(), 0U);
  TrimBlocks();
  EXPECT_EQ(SlabsInUse(), 0U);
}

// This thread frees first into each slab, which so becomes its own, and does not learn of what comes after.
TEST_F(SlabPool, DoesNotPileUpSlabsWithAThreadThatOnlyFrees) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  for (int i = 0; i < 200; ++i) {
    Blocks first;
    Blocks second;
    std::thread([&] {
      first.Allocate(1);
      second.Allocate(1);
    }).join();
    first.FreeAll();
    ReturnStrayBlocks();
    std::thread([&] { second.FreeAll(); }).join();
  }
  EXPECT_EQ(Live(), 0U);
  EXPECT_LE(SlabsInUse(), 10U);
}

// The thread that allocated does nothing more: the slabs go back through those that free.
TEST_F(SlabPool, GivesSlabsBackWithoutTheThreadThatFilledThem) {
  Blocks blocks;
  blocks.Allocate(50'000);
  std::thread([&] {
    blocks.FreeAll();
    TrimBlocks();
  }).join();
  EXPECT_LE(SlabsInUse(), 1U);  // the one that this thread would allocate from next
}

TEST_F(SlabPool, DoesNotGrowWhenBlocksCrossThreadsForManyRounds) {
  std::size_t first = 0;
  for (int round = 0; round < 50; ++round) {
    Blocks blocks;
    std::thread([&] { blocks.Allocate(5000); }).join();
    std::thread([&] { blocks.FreeAll(); }).join();
    if (round == 5) first = Stats().bytes_reserved;
    if (round > 5) {
      ASSERT_EQ(Stats().bytes_reserved, first) << "round " << round;
    }
  }
}

TEST_F(SlabPool, DoesNotGrowWithThreadsThatComeAndGo) {
  Blocks kept;  // each thread leaves a block behind, so that its slab is never empty
  std::size_t first = 0;
  for (int round = 0; round < 2000; ++round) {
    std::thread([&] {
      Blocks own;
      own.Allocate(3);
      kept.Allocate(1);
      own.FreeAll();
    }).join();
    if (round == 500) first = SlabsInUse();
  }
  EXPECT_LE(SlabsInUse(), first + 2000 * kBytes / 65'536 + 1);
  kept.FreeAll();
}

TEST_F(SlabPool, ReusesTheSparseSlabsOfThreadsThatEnded) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  Blocks sparse;
  std::thread([&] {
    sparse.Allocate(50'000);
    sparse.FreeAllBut(100);
  }).join();
  const std::size_t in_use = SlabsInUse();
  Blocks more;
  std::thread([&] { more.Allocate(40'000); }).join();
  EXPECT_EQ(SlabsInUse(), in_use);
  std::thread([&] { sparse.FreeAll(); }).join();
  more.FreeAll();
  TrimBlocks();
  EXPECT_EQ(SlabsInUse(), 0U);
}

TEST_F(SlabPool, HandsStrayBlocksBackWhenAsked) {
  if (!kHasSlabs) GTEST_SKIP() << "no slabs under AddressSanitizer";
  Blocks blocks;
  blocks.Allocate(10);
  std::atomic<int> step{0};
  std::thread other([&] {
    blocks.FreeAll();  // fewer than a batch
    step.store(1);
    while (step.load() != 2) std::this_thread::yield();
    ReturnStrayBlocks();
    step.store(3);
    while (step.load() != 4) std::this_thread::yield();
  });
  while (step.load() != 1) std::this_thread::yield();
  TrimBlocks();
  EXPECT_EQ(SlabsInUse(), 1U);  // still counted as live
  step.store(2);
  while (step.load() != 3) std::this_thread::yield();
  TrimBlocks();
  EXPECT_LE(SlabsInUse(), 1U);  // now empty; it belongs to the other thread, which claimed it
  step.store(4);
  other.join();
  TrimBlocks();
  EXPECT_EQ(SlabsInUse(), 0U);
}

// Blocks that outlive the pool's own guard, because their owner was made before it.
struct LateBlock {
  void* block = nullptr;
  bool allocate = false;
  ~LateBlock() {
    if (block != nullptr) FreeBlock(block, kBytes);
    if (allocate) FreeBlock(AllocateBlock(kBytes), kBytes);
  }
};

TEST_F(SlabPool, WorksAfterTheThreadLocalsOfAThreadAreGone) {
  for (int round = 0; round < 100; ++round) {
    std::thread([] {
      static thread_local LateBlock late;
      late.allocate = true;  // constructed before the pool knows the thread, so destroyed after
      late.block = AllocateBlock(kBytes);
    }).join();
  }
}

LateBlock at_exit;  // the same for a static, checked by the process ending well

TEST_F(SlabPool, WorksAmongTheStaticsDestructors) {
  at_exit.allocate = true;
  SUCCEED();
}

class StressSlabPool : public testing::TestWithParam<int> {};

// Threads swap random blocks through shared slots: most are freed by another thread than allocated them.
TEST_P(StressSlabPool, KeepsBlocksApartWhileThreadsSwapThem) {
  TrimBlocks();
  const PoolStats before = Stats();
  struct Header {
    std::size_t bytes;
    std::uint64_t mark;
  };
  constexpr int kRounds = 40'000;
  std::vector<std::atomic<Header*>> slots(2048);
  const auto check_and_free = [](Header* header) {
    if (header == nullptr) return;
    const std::size_t bytes = header->bytes;
    ASSERT_EQ(header->mark, reinterpret_cast<std::uintptr_t>(header) ^ bytes);
    header->mark = 0;
    FreeBlock(header, bytes);
  };
  test::RunThreads(GetParam(), [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int round = 0; round < kRounds; ++round) {
      const std::size_t bytes = 16 + random() % 400;
      auto* const header = static_cast<Header*>(AllocateBlock(bytes));
      *header = {bytes, reinterpret_cast<std::uintptr_t>(header) ^ bytes};
      check_and_free(slots[random() % slots.size()].exchange(header, std::memory_order_acq_rel));
      if (round % 10'000 == 9'999) TrimBlocks();
    }
  });
  for (auto& slot : slots) check_and_free(slot.load());
  TrimBlocks();
  EXPECT_EQ(Stats().live_blocks, before.live_blocks);
  EXPECT_EQ(Stats().slabs_in_use, before.slabs_in_use);
}

// Every thread ends after a while and another takes its place, with its blocks still in others' hands.
TEST_P(StressSlabPool, HandsTheSlabsOfEndedThreadsOn) {
  TrimBlocks();
  const PoolStats before = Stats();
  std::vector<std::atomic<void*>> slots(512);
  for (int round = 0; round < 50; ++round) {
    test::RunThreads(GetParam(), [&](int thread) {
      std::mt19937 random(static_cast<unsigned>(round * 100 + thread));
      for (int i = 0; i < 500; ++i) {
        void* const block = AllocateBlock(kBytes);
        *static_cast<int*>(block) = i;
        void* const other = slots[random() % slots.size()].exchange(block, std::memory_order_acq_rel);
        if (other != nullptr) FreeBlock(other, kBytes);
      }
    });
  }
  for (auto& slot : slots) {
    if (slot.load() != nullptr) FreeBlock(slot.load(), kBytes);
  }
  TrimBlocks();
  EXPECT_EQ(Stats().live_blocks, before.live_blocks);
  EXPECT_EQ(Stats().slabs_in_use, before.slabs_in_use);
}

INSTANTIATE_TEST_SUITE_P(Threads, StressSlabPool, testing::Values(1, 2, 8));

}  // namespace
}  // namespace orchestrate::detail
