#include "exec/fresh_stack.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <test/base/run_threads.hpp>
#include "base/sanitizers.hpp"

namespace orchestrate::detail {
namespace {

template <typename Call>
[[gnu::noinline]] void InFrameOfItsOwn(Call&& call) {
  call();
}

// Calls `call` where about `bytes` of stack are left.
template <typename Call>
[[gnu::noinline]] void With(std::size_t bytes, Call&& call) {
  void* const used = __builtin_alloca(StackLeft() - bytes);
  asm volatile("" : : "r"(used) : "memory");  // it counts as used
  InFrameOfItsOwn(call);
}

constexpr std::size_t kLittle = 48 * 1024;

TEST(StackRoom, IsTheCallersStackWhileThereIsEnough) {
  StackRoom room;
  ASSERT_TRUE(room);
  const auto left = StackLeft();
  room.Run([left] { EXPECT_LT(left - StackLeft(), kLittle); });
}

TEST(StackRoom, IsAFreshStackWhenLittleIsLeft) {
  With(kLittle, [] {
    const auto thread = std::this_thread::get_id();
    const auto before = StackLeft();
    StackRoom room;
    ASSERT_TRUE(room);
    bool ran = false;
    room.Run([&] {
      EXPECT_GT(StackLeft(), 10 * kLittle);
      EXPECT_EQ(std::this_thread::get_id(), thread);
      ran = true;
    });
    EXPECT_TRUE(ran);
    EXPECT_EQ(StackLeft(), before);
  });
}

int Level(int depth) {
  int below = 0;
  if (depth != 0) {
    With(kLittle, [&] {
      StackRoom room;
      room.Run([&] { below = Level(depth - 1); });
    });
  }
  return below + 1;
}

TEST(StackRoom, NestsAndIsUsedAgain) {
  EXPECT_EQ(Level(5), 6);
  const auto idle = IdleStacks();
  EXPECT_GE(idle, 5U);
  EXPECT_EQ(Level(5), 6);
  EXPECT_EQ(IdleStacks(), idle);
}

TEST(StackRoom, LetsExceptionsBeThrownAndCaughtOnEitherSideOfTheHop) {
  const auto what = [](const std::exception& error) { return std::string(error.what()); };
  With(kLittle, [&] {
    try {
      throw std::runtime_error("outer");
    } catch (const std::exception& outer) {
      StackRoom room;
      room.Run([&] {
        try {
          throw std::logic_error("inner");
        } catch (const std::exception& inner) {
          EXPECT_EQ(what(inner), "inner");
        }
        try {
          throw;  // what is being handled is the outer one again
        } catch (const std::exception& again) {
          EXPECT_EQ(what(again), "outer");
        }
      });
      EXPECT_EQ(what(outer), "outer");
      EXPECT_EQ(std::current_exception() != nullptr, true);
    }
    EXPECT_EQ(std::current_exception(), nullptr);
  });
}

TEST(StackRoom, IsMadeForEachThreadThatNeedsOne) {
  std::atomic<int> inside{0};
  test::RunThreads(4, [&](int) {
    With(kLittle, [&] {
      StackRoom room;
      ASSERT_TRUE(room);
      room.Run([&] {
        ++inside;
        while (inside.load() != 4) std::this_thread::yield();
        EXPECT_EQ(Level(2), 3);
      });
    });
  });
}

TEST(StackRoom, ThatNobodyNeededBetweenTwoLooksIsGivenBack) {
  EXPECT_EQ(Level(3), 4);
  DropUnusedStacks();  // they were needed until now
  ASSERT_GE(IdleStacks(), 3U);
  EXPECT_EQ(Level(1), 2);
  DropUnusedStacks();
  EXPECT_EQ(IdleStacks(), 1U);
  DropUnusedStacks();
  EXPECT_EQ(IdleStacks(), 0U);
  EXPECT_EQ(Level(3), 4);
}

#if !defined(ORCHESTRATE_ASAN) && !defined(ORCHESTRATE_TSAN)

// On stacks of the program's own, above and below this thread's.
TEST(StackRoom, OnAFiberOfTheProgramIsAFreshStack) {
  static ucontext_t main;
  static bool is_fresh = false;
  const auto body = +[] {
    StackRoom room;
    const char* const outside = static_cast<const char*>(__builtin_frame_address(0));
    if (room) {
      room.Run([&] {
        const char* const inside = static_cast<const char*>(__builtin_frame_address(0));
        is_fresh =
            StackLeft() > 10 * kLittle && (inside > outside ? inside - outside : outside - inside) > 65536;
      });
    }
    is_fresh = is_fresh && StackLeft() == 0;
  };
  const auto run_on = [&](char* stack, std::size_t bytes) {
    ucontext_t fiber;
    getcontext(&fiber);
    fiber.uc_stack.ss_sp = stack;
    fiber.uc_stack.ss_size = bytes;
    fiber.uc_link = &main;
    makecontext(&fiber, body, 0);
    is_fresh = false;
    swapcontext(&main, &fiber);
    return is_fresh;
  };
  std::vector<char> on_heap(256 * 1024);
  EXPECT_TRUE(run_on(on_heap.data(), on_heap.size()));
  std::thread([&] {  // whose own stack lies elsewhere
    EXPECT_TRUE(run_on(on_heap.data(), on_heap.size()));
  })
      .join();
  static char in_statics[256 * 1024];
  EXPECT_TRUE(run_on(in_statics, sizeof(in_statics)));
  StackRoom back;
  EXPECT_TRUE(back);
  EXPECT_GT(StackLeft(), kLittle);
}

// Goes down page by page.
void Overflow() {
  for (;;) {
    auto* const page = static_cast<volatile char*>(__builtin_alloca(4096));
    page[0] = 1;
  }
}

TEST(StackRoomDeathTest, EndsAtAGuard) {
  const auto overflow = [] {
    With(kLittle, [] {
      StackRoom room;
      room.Run([] { Overflow(); });
    });
  };
  EXPECT_EXIT(overflow(), testing::KilledBySignal(SIGSEGV), "");
}

// Nothing is left of the address space for a fresh stack.
TEST(StackRoomDeathTest, IsRefusedWithoutMemory) {
  const auto refuse = [] {
    rlimit none{.rlim_cur = 1, .rlim_max = 1};
    With(kLittle, [&none] {
      setrlimit(RLIMIT_AS, &none);
      const StackRoom room;
      _exit(room ? 1 : 7);
    });
  };
  EXPECT_EXIT(refuse(), testing::ExitedWithCode(7), "");
}

#endif

}  // namespace
}  // namespace orchestrate::detail
