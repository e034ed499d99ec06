#include "exec/permits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <string>
#include <thread>

#include <test/base/run_threads.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using detail::Permits;

TEST(Permits, AreAsManyAsTheRuntimeIsWide) {
  Permits permits(2);
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_FALSE(permits.TryAcquire());
  permits.Release();
  EXPECT_EQ(permits.AvailableNow(), 1);
  EXPECT_TRUE(permits.TryAcquire());
}

TEST(Permits, CountWhatRanAcrossTheWrap) {
  constexpr std::uint32_t kLast = (std::uint32_t{1} << 31) - 2;
  Permits permits(2, kLast);
  EXPECT_EQ(permits.Ran(), kLast);
  for (std::uint64_t posted = kLast; posted < std::uint64_t{kLast} + 5; ++posted) {
    EXPECT_EQ(Permits::Less(posted, permits.Ran()), 0);
    EXPECT_EQ(Permits::Less(posted + 3, permits.Ran()), 3);
    EXPECT_TRUE(permits.TryAcquire());
    permits.Release(1);
    EXPECT_EQ(permits.AvailableNow(), 2);
    EXPECT_FALSE(permits.SpinningNow());
  }
  EXPECT_EQ(permits.Ran(), 3U);
}

TEST(Permits, APushStartsOneRunnerWhichSpins) {
  Permits permits(2);
  EXPECT_FALSE(permits.SpinningNow());
  EXPECT_TRUE(permits.NeedsRunner());
  EXPECT_TRUE(permits.SpinningNow());
  EXPECT_EQ(permits.AvailableNow(), 2);  // it takes one when it finds work
  EXPECT_FALSE(permits.NeedsRunner());
  permits.StopSpinning();
  EXPECT_FALSE(permits.SpinningNow());
  EXPECT_TRUE(permits.NeedsRunner());
}

TEST(Permits, APushStartsNobodyWhenAllAreAtWork) {
  Permits permits(1);
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_FALSE(permits.NeedsRunner());
  EXPECT_FALSE(permits.SpinningNow());
  permits.Release();
  EXPECT_TRUE(permits.NeedsRunner());
}

TEST(Permits, TheOneThatSpinsStopsWhenItTakesAPermit) {
  Permits permits(2);
  EXPECT_TRUE(permits.NeedsRunner());
  EXPECT_TRUE(permits.StopSpinningAndAcquire());
  EXPECT_FALSE(permits.SpinningNow());
  EXPECT_EQ(permits.AvailableNow(), 1);
  EXPECT_TRUE(permits.NeedsRunner());  // for the next push
}

TEST(Permits, TheOneThatSpinsGoesOnWhenOthersWereFaster) {
  Permits permits(1);
  EXPECT_TRUE(permits.NeedsRunner());
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_FALSE(permits.StopSpinningAndAcquire());
  EXPECT_TRUE(permits.SpinningNow());
  permits.Release();
  EXPECT_TRUE(permits.StopSpinningAndAcquire());
}

TEST(Permits, OnlyTheFirstThatRunsOutOfWorkSpins) {
  Permits permits(2);
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_TRUE(permits.ReleaseAndSpin());
  EXPECT_FALSE(permits.ReleaseAndSpin());
  EXPECT_TRUE(permits.SpinningNow());
  EXPECT_EQ(permits.AvailableNow(), 2);
}

TEST(Permits, AWaitThatHasEndedGoesOnBeyondTheWidth) {
  Permits permits(1);
  EXPECT_TRUE(permits.TryAcquire());
  permits.AcquireForced();
  EXPECT_EQ(permits.AvailableNow(), -1);
  EXPECT_FALSE(permits.TryAcquire());
  EXPECT_FALSE(permits.NeedsRunner());
  EXPECT_TRUE(permits.LeaveIfOvercommitted());
  EXPECT_EQ(permits.AvailableNow(), 0);
  EXPECT_FALSE(permits.LeaveIfOvercommitted());
}

TEST(Permits, ARunnerThatIsOneTooManyDoesNotSpin) {
  Permits permits(1);
  EXPECT_TRUE(permits.TryAcquire());
  permits.AcquireForced();
  EXPECT_FALSE(permits.ReleaseAndSpin());
  EXPECT_EQ(permits.AvailableNow(), 0);
  EXPECT_FALSE(permits.SpinningNow());
  EXPECT_TRUE(permits.ReleaseAndSpin());
}

TEST(Permits, CountBelowZeroBesideTheOneThatSpins) {
  Permits permits(1);
  EXPECT_TRUE(permits.NeedsRunner());
  for (int i = 0; i < 3; ++i) permits.AcquireForced();
  EXPECT_EQ(permits.AvailableNow(), -2);
  EXPECT_TRUE(permits.SpinningNow());
  for (int i = 0; i < 3; ++i) permits.Release();
  EXPECT_EQ(permits.AvailableNow(), 1);
  EXPECT_TRUE(permits.SpinningNow());
}

TEST(Permits, CloseOnlyWhenAllAreHereAndNobodyLooks) {
  Permits permits(2);
  EXPECT_TRUE(permits.TryAcquire());
  EXPECT_FALSE(permits.TryClose(2));
  permits.Release();
  EXPECT_TRUE(permits.NeedsRunner());
  EXPECT_FALSE(permits.TryClose(2));
  permits.StopSpinning();
  EXPECT_TRUE(permits.TryClose(2));
  EXPECT_FALSE(permits.TryClose(2));
}

TEST(Permits, GiveNothingAwayOnceClosed) {
  Permits permits(2);
  EXPECT_TRUE(permits.TryClose(2));
  for (int i = 0; i < 1000; ++i) permits.Release();  // those who were forced, and leave late
  EXPECT_FALSE(permits.TryAcquire());
  EXPECT_FALSE(permits.NeedsRunner());
  EXPECT_FALSE(permits.SpinningNow());
}

// ---- several threads ----

class PermitsOfWidth : public testing::TestWithParam<std::int32_t> {};
INSTANTIATE_TEST_SUITE_P(Widths, PermitsOfWidth, testing::Values(1, 2, 8));

TEST_P(PermitsOfWidth, NeverLetMoreInsideThanThereAre) {
  Permits permits(GetParam());
  std::atomic<int> inside{0};
  std::atomic<int> too_many{0};
  test::RunThreads(4, [&](int) {
    for (int i = 0; i < 20000; ++i) {
      if (!permits.TryAcquire()) continue;
      if (inside.fetch_add(1) >= GetParam()) too_many.fetch_add(1);
      inside.fetch_sub(1);
      permits.Release();
    }
  });
  EXPECT_EQ(too_many, 0);
  EXPECT_EQ(permits.AvailableNow(), GetParam());
}

TEST_P(PermitsOfWidth, LetOneSpinAtATime) {
  Permits permits(GetParam());
  std::atomic<int> spinning{0};
  std::atomic<int> too_many{0};
  test::RunThreads(4, [&](int) {
    for (int i = 0; i < 20000; ++i) {
      if (!permits.NeedsRunner()) continue;
      if (spinning.fetch_add(1) != 0) too_many.fetch_add(1);
      spinning.fetch_sub(1);
      if (i % 2 == 0 && permits.StopSpinningAndAcquire()) {
        permits.Release();
      } else {
        permits.StopSpinning();
      }
    }
  });
  EXPECT_EQ(too_many, 0);
  EXPECT_EQ(permits.AvailableNow(), GetParam());
  EXPECT_FALSE(permits.SpinningNow());
}

TEST_P(PermitsOfWidth, EveryForcedPermitIsPaidBackOnce) {
  Permits permits(GetParam());
  std::atomic<int> left{0};
  test::RunThreads(4, [&](int) {
    for (int i = 0; i < 20000; ++i) {
      permits.AcquireForced();
      if (permits.LeaveIfOvercommitted()) {
        left.fetch_add(1);
      } else {
        permits.Release();
      }
    }
  });
  if (GetParam() >= 4) {
    EXPECT_EQ(left, 0);
  }
  EXPECT_EQ(permits.AvailableNow(), GetParam());
}

// The handshake between those who push and the runners, as in RuntimeCore. Between two steps of it there is a
// pause, so that the others get in between on few cores, too.
class Handshake {
 public:
  explicit Handshake(std::int32_t width) : permits_(width) {}

  void Push() {
    queued_.fetch_add(1, std::memory_order_seq_cst);
    Pause();
    if (permits_.NeedsRunner()) Start();
  }

  // Runs runners until Stop().
  void Serve() {
    while (AwaitStart()) {
      Runner();
      active_.fetch_sub(1);
    }
  }
  void Stop() { stopping_.store(true); }

  // Whether nothing is left when the last runner has gone.
  [[nodiscard]] bool IsDoneWhenQuiet() const {
    return test::Eventually([this] { return active_.load() == 0; }) && !AnyWork();
  }

  [[nodiscard]] std::string State() const {
    return std::to_string(queued_.load()) + " queued, " + std::to_string(active_.load()) + " runners, " +
           std::to_string(permits_.AvailableNow()) + " permits, " +
           (permits_.SpinningNow() ? "one" : "none") + " spins";
  }

  [[nodiscard]] const Permits& Word() const { return permits_; }

 private:
  static void Pause() {
    thread_local std::uint32_t random = 1;
    random = random * 1664525U + 1013904223U;
    for (std::uint32_t i = random >> 26; i > 0; --i) sync::Relax();
  }

  void Start() {
    active_.fetch_add(1);
    starts_.fetch_add(1);
  }

  // Without a lock: who hands over through one meets the others at the same places again and again.
  [[nodiscard]] bool AwaitStart() {
    for (;;) {
      int starts = starts_.load();
      if (starts > 0 && starts_.compare_exchange_strong(starts, starts - 1)) return true;
      if (stopping_.load()) return false;
      std::this_thread::yield();
    }
  }

  bool LookForWork() {
    for (;;) {
      if (AnyWork() && permits_.StopSpinningAndAcquire()) return true;
      Pause();
      permits_.StopSpinning();
      if (!AnyWork() || !permits_.NeedsRunner()) return false;
    }
  }

  void Runner() {
    bool holds_permit = false;
    for (;;) {
      if (!holds_permit && !LookForWork()) return;
      holds_permit = false;
      for (bool first = true; TakeOne(); first = false) {
        if (first && AnyWork() && permits_.NeedsRunner()) Start();
      }
      Pause();
      if (permits_.ReleaseAndSpin()) continue;
      if (!AnyWork() || !permits_.TryAcquire()) return;
      holds_permit = true;
    }
  }

  bool TakeOne() {
    int queued = queued_.load(std::memory_order_seq_cst);
    while (queued > 0) {
      if (queued_.compare_exchange_weak(queued, queued - 1, std::memory_order_seq_cst)) return true;
    }
    return false;
  }

  [[nodiscard]] bool AnyWork() const { return queued_.load(std::memory_order_seq_cst) > 0; }

  Permits permits_;
  std::atomic<int> queued_{0};
  std::atomic<int> active_{0};  // runners that were started and have not left
  std::atomic<int> starts_{0};  // of them, those that nobody serves yet
  std::atomic<bool> stopping_{false};
};

TEST_P(PermitsOfWidth, LoseNoWorkBetweenAPushAndARunnerThatLeaves) {
  constexpr int kProducers = 2;
  constexpr int kServers = 3;
  Handshake handshake(GetParam());
  std::barrier<> together(kProducers);
  std::atomic<bool> lost{false};
  std::string state;
  test::RunThreads(kProducers + kServers, [&](int index) {
    if (index >= kProducers) return handshake.Serve();
    for (int round = 0; round < 3000 && !lost.load(); ++round) {
      for (int i = 0; i < 3; ++i) handshake.Push();
      together.arrive_and_wait();  // nobody pushes any more who could make up for it
      if (index == 0 && !handshake.IsDoneWhenQuiet()) {
        state = handshake.State();
        lost.store(true);
      }
      together.arrive_and_wait();
    }
    if (index == 0) handshake.Stop();
  });
  EXPECT_FALSE(lost) << state;
  EXPECT_EQ(handshake.Word().AvailableNow(), GetParam());
  EXPECT_FALSE(handshake.Word().SpinningNow());
}

}  // namespace
}  // namespace orchestrate
