#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <orchestrate/base/sync.hpp>
#include <thread>

namespace orchestrate::sync {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

TEST(Futex, DoesNotWaitForAnotherValue) {
  const atomic<std::uint32_t> word{1};
  FutexWait(word, 0);
  EXPECT_EQ(FutexWaitUntil(word, 0, steady_clock::now() + 1h), FutexResult::Woken);
}

TEST(Futex, TimesOut) {
  const atomic<std::uint32_t> word{1};
  EXPECT_EQ(FutexWaitUntil(word, 1, steady_clock::now() + 1ms), FutexResult::TimedOut);
  EXPECT_EQ(FutexWaitUntil(word, 1, steady_clock::time_point{}), FutexResult::TimedOut);
  EXPECT_EQ(FutexWaitUntil(word, 1, steady_clock::time_point::min()), FutexResult::TimedOut);
}

TEST(Futex, WakesAWaiter) {
  atomic<std::uint32_t> word{0};
  std::thread waiter([&] {
    while (word.load() == 0) FutexWait(word, 0);
  });
  word.store(1);
  FutexWake(word, 1);
  waiter.join();
}

TEST(Pages, AreAlignedZeroedAndZeroAgainAfterADrop) {
  constexpr std::size_t kBytes = 1 << 16;
  constexpr std::size_t kAlignment = 1 << 22;
  auto* const pages = static_cast<unsigned char*>(MapPages(kBytes, kAlignment));
  ASSERT_NE(pages, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages) % kAlignment, 0U);
  EXPECT_EQ(pages[kBytes - 1], 0);
  std::memset(pages, 7, kBytes);
  DropPages(pages, kBytes);
  EXPECT_EQ(pages[0], 0);
  EXPECT_EQ(pages[kBytes - 1], 0);
}

TEST(Pages, AreRefusedWhenThereAreNotEnough) { EXPECT_EQ(MapPages(std::size_t{1} << 60, 1 << 22), nullptr); }

}  // namespace
}  // namespace orchestrate::sync
