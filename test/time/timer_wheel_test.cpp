#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <orchestrate/time/deadline.hpp>
#include <orchestrate/time/timer_wheel.hpp>
#include <random>
#include <utility>
#include <vector>

namespace orchestrate {
namespace {

using Tick = std::uint64_t;

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
constexpr Tick kDay = 86'400'000;

static_assert(sizeof(TimerNode) <= 48);
static_assert(TimerWheel::kNever == kNeverTick);

struct Timer : TimerNode {
  int id = 0;
};

// Numbers its timers, so that a test can tell in which order they came.
struct Timers {
  explicit Timers(int count) : timers(static_cast<std::size_t>(count)) {
    for (int i = 0; i < count; ++i) (*this)[i].id = i;
  }
  Timer& operator[](int id) { return timers[static_cast<std::size_t>(id)]; }
  std::vector<Timer> timers;
};

std::vector<int> Ids(TimerList& due) {
  std::vector<int> ids;
  while (TimerNode* node = due.Pop()) ids.push_back(static_cast<Timer*>(node)->id);
  return ids;
}

std::vector<int> Advance(TimerWheel& wheel, Tick now) {
  TimerList due;
  EXPECT_FALSE(wheel.Advance(now, kAll, due));
  return Ids(due);
}

using Expected = std::vector<int>;

TEST(TimerWheel, HandsOutAtTheDeadlineAndNotBefore) {
  for (const Tick start : {Tick{0}, Tick{63}, Tick{12 * kDay}}) {
    for (const Tick delay : {1U, 10U, 63U, 64U, 255U, 256U, 300U, 1000U, 4095U, 4096U, 4097U, 300'000U}) {
      TimerWheel wheel(start);
      Timer timer;
      wheel.Schedule(timer, start + delay);
      EXPECT_EQ(Advance(wheel, start + delay - 1), Expected{}) << start << " + " << delay;
      EXPECT_EQ(Advance(wheel, start + delay), Expected{0}) << start << " + " << delay;
      EXPECT_FALSE(timer.IsScheduled());
      EXPECT_EQ(wheel.Size(), 0U);
    }
  }
}

TEST(TimerWheel, HandsOutAPassedDeadlineAtTheNextTurn) {
  TimerWheel wheel(1000);
  Timers timers(3);
  wheel.Schedule(timers[0], 1000);
  wheel.Schedule(timers[1], 0);
  wheel.Schedule(timers[2], 999);
  EXPECT_TRUE(timers[1].IsScheduled());
  EXPECT_EQ(wheel.NextExpiry(), 1000U);
  EXPECT_EQ(Advance(wheel, 1000), (Expected{0, 1, 2}));
}

TEST(TimerWheel, GivesATimerOfNoDelayOneTurnACall) {
  TimerWheel wheel;
  Timer timer;
  for (int turn = 0; turn < 3; ++turn) {
    wheel.Schedule(timer, wheel.Now());
    EXPECT_EQ(Advance(wheel, 0), Expected{0});
    EXPECT_EQ(Advance(wheel, 0), Expected{});
  }
}

TEST(TimerWheel, IsNotHeldUpByTimersOfNoDelay) {
  TimerWheel wheel;
  Timers timers(21);
  for (int i = 0; i < 20; ++i) wheel.Schedule(timers[i], 0);
  wheel.Schedule(timers[20], 5);
  bool fired = false;
  // Each turn is shorter than the number of those that come back at once.
  for (Tick now = 0; now < 20 && !fired; ++now) {
    TimerList due;
    static_cast<void>(wheel.Advance(now, 8, due));
    for (const int id : Ids(due)) {
      fired = fired || id == 20;
      if (id != 20) wheel.Schedule(timers[id], now);
    }
  }
  EXPECT_TRUE(fired);
}

TEST(TimerWheel, NeverHandsOutACancelledTimer) {
  TimerWheel wheel;
  Timers timers(3);
  for (int i = 0; i < 3; ++i) wheel.Schedule(timers[i], 100);
  EXPECT_TRUE(wheel.Cancel(timers[1]));
  EXPECT_FALSE(wheel.Cancel(timers[1]));
  EXPECT_EQ(Advance(wheel, 200), (Expected{0, 2}));
  EXPECT_FALSE(wheel.Cancel(timers[0]));
}

TEST(TimerWheel, MovesATimerThatIsScheduledAgain) {
  TimerWheel wheel;
  Timers timers(2);
  wheel.Schedule(timers[0], 100);
  wheel.Schedule(timers[1], 100);
  wheel.Schedule(timers[0], 100);
  EXPECT_EQ(wheel.Size(), 2U);
  EXPECT_EQ(Advance(wheel, 100), (Expected{1, 0}));
  wheel.Schedule(timers[0], 5000);
  wheel.Schedule(timers[0], 150);
  EXPECT_EQ(Advance(wheel, 150), Expected{0});
}

TEST(TimerWheel, KeepsDeadlineThenRegistrationOrder) {
  TimerWheel wheel;
  Timers timers(7);
  wheel.Schedule(timers[0], 70'000);
  wheel.Schedule(timers[1], 300);
  wheel.Schedule(timers[2], 70'000);
  wheel.Schedule(timers[3], 1);
  EXPECT_EQ(Advance(wheel, 69'999), (Expected{3, 1}));
  // These meet the first ones on a lower level, after those have come down.
  wheel.Schedule(timers[4], 70'001);
  wheel.Schedule(timers[5], 70'000);
  wheel.Schedule(timers[6], 70'001);
  EXPECT_EQ(Advance(wheel, 80'000), (Expected{0, 2, 5, 4, 6}));
}

TEST(TimerWheel, KeepsTheOrderWhileACascadeIsHalfDone) {
  TimerWheel wheel;
  Timers timers(8);
  for (int i = 0; i < 6; ++i) wheel.Schedule(timers[i], 4100);
  TimerList due;
  // The time is a start of a slot: two of the six move down, then others come.
  EXPECT_TRUE(wheel.Advance(4096, 2, due));
  EXPECT_TRUE(due.Empty());
  EXPECT_LE(wheel.NextExpiry(), 4096U);
  wheel.Schedule(timers[6], 4100);
  EXPECT_TRUE(wheel.Cancel(timers[1]));
  EXPECT_TRUE(wheel.Cancel(timers[5]));
  wheel.Schedule(timers[7], 4100);
  EXPECT_EQ(Advance(wheel, 4100), (Expected{0, 2, 3, 4, 6, 7}));
}

TEST(TimerWheel, SurvivesTheEndOfAHalfDoneCascadeByCancel) {
  TimerWheel wheel;
  Timers timers(4);
  for (int i = 0; i < 4; ++i) wheel.Schedule(timers[i], 5000);
  TimerList due;
  EXPECT_TRUE(wheel.Advance(4096, 2, due));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(wheel.Cancel(timers[i]));
  EXPECT_EQ(Advance(wheel, 4097), Expected{});
  EXPECT_EQ(wheel.NextExpiry(), TimerWheel::kNever);
}

TEST(TimerWheel, StopsWhenItsBudgetIsSpent) {
  TimerWheel wheel;
  Timers timers(10);
  for (int i = 0; i < 10; ++i) wheel.Schedule(timers[i], 7);
  TimerList due;
  EXPECT_TRUE(wheel.Advance(7, 0, due));
  EXPECT_TRUE(due.Empty());
  EXPECT_TRUE(wheel.Advance(7, 4, due));
  EXPECT_EQ(Ids(due), (Expected{0, 1, 2, 3}));
  EXPECT_EQ(wheel.NextExpiry(), 7U);
  EXPECT_FALSE(wheel.Advance(7, 6, due));
  EXPECT_EQ(Ids(due), (Expected{4, 5, 6, 7, 8, 9}));
}

TEST(TimerWheel, SpendsItsBudgetOnCascadesToo) {
  constexpr int kCount = 1000;
  TimerWheel wheel;
  Timers timers(kCount);
  for (int i = 0; i < kCount; ++i) wheel.Schedule(timers[i], 4096 + 100);
  TimerList due;
  int calls = 1;
  while (wheel.Advance(4096, 10, due)) ++calls;
  EXPECT_EQ(calls, kCount / 10);
  EXPECT_TRUE(due.Empty());
}

TEST(TimerWheel, KnowsTheNextExpiryExactly) {
  TimerWheel wheel(5);
  Timers timers(4);
  EXPECT_EQ(wheel.NextExpiry(), TimerWheel::kNever);
  wheel.Schedule(timers[0], 1'000'000);
  EXPECT_EQ(wheel.NextExpiry(), 1'000'000U);
  wheel.Schedule(timers[1], 1'000'000'000'000);
  wheel.Schedule(timers[2], 999'999);
  wheel.Schedule(timers[3], 999'998);
  EXPECT_EQ(wheel.NextExpiry(), 999'998U);
  EXPECT_TRUE(wheel.Cancel(timers[3]));
  EXPECT_EQ(wheel.NextExpiry(), 999'999U);
  EXPECT_TRUE(wheel.Cancel(timers[2]));
  EXPECT_TRUE(wheel.Cancel(timers[0]));
  EXPECT_EQ(wheel.NextExpiry(), 1'000'000'000'000U);
}

TEST(TimerWheel, BoundsTheSearchForTheNextExpiry) {
  constexpr int kCount = 3000;
  TimerWheel wheel;
  Timers timers(kCount);
  for (int i = 0; i < kCount; ++i) wheel.Schedule(timers[i], 4096 + static_cast<Tick>(i));
  EXPECT_TRUE(wheel.Cancel(timers[0]));
  EXPECT_LE(wheel.NextExpiry(), 4097U);
  EXPECT_EQ(Advance(wheel, 4096), Expected{});
  EXPECT_EQ(wheel.NextExpiry(), 4097U);
}

TEST(TimerWheel, ReachesTheLastTick) {
  TimerWheel wheel(TimerWheel::kNever - 100);
  Timers timers(2);
  wheel.Schedule(timers[0], TimerWheel::kNever);
  wheel.Schedule(timers[1], TimerWheel::kNever - 1);
  EXPECT_EQ(Advance(wheel, TimerWheel::kNever - 1), Expected{1});
  EXPECT_EQ(Advance(wheel, TimerWheel::kNever), Expected{0});
}

TEST(TimerWheel, HandsOutEverythingAtTheEndOfTime) {
  TimerWheel wheel(7);
  Timers timers(64);
  for (int i = 0; i < 64; ++i) wheel.Schedule(timers[i], ~Tick{0} >> (63 - i));
  EXPECT_EQ(Advance(wheel, TimerWheel::kNever).size(), 64U);
  EXPECT_EQ(wheel.Size(), 0U);
}

TEST(TimerWheel, IgnoresATimeThatGoesBack) {
  TimerWheel wheel;
  Timer timer;
  EXPECT_EQ(Advance(wheel, 100), Expected{});
  wheel.Schedule(timer, 50);
  EXPECT_EQ(Advance(wheel, 10), Expected{0});
  EXPECT_EQ(wheel.Now(), 100U);
}

TEST(TimerWheel, CrossesAYearInFewSteps) {
  TimerWheel wheel;
  Timer timer;
  wheel.Schedule(timer, 365 * kDay);
  TimerList due;
  int calls = 1;
  while (wheel.Advance(365 * kDay, 1, due)) ++calls;
  EXPECT_LE(calls, 7);
  EXPECT_FALSE(due.Empty());
}

// A year of repeats of many periods, in virtual time: the clock jumps from expiry to expiry.
TEST(TimerWheel, RepeatsForAYearWithoutDrift) {
  const std::vector<Tick> periods = {900'000, 3'600'000, 600'011, kDay, 7 * kDay, 30 * kDay + 1, 365 * kDay};
  Timers timers(static_cast<int>(periods.size()));
  std::vector<Tick> runs(periods.size());
  TimerWheel wheel;
  for (std::size_t i = 0; i < periods.size(); ++i) wheel.Schedule(timers.timers[i], periods[i]);
  for (Tick now = 0; now < 365 * kDay;) {
    now = wheel.NextExpiry();
    const std::vector<int> ids = Advance(wheel, now);
    ASSERT_FALSE(ids.empty()) << "woken for nothing at " << now;
    for (const int id : ids) {
      const auto i = static_cast<std::size_t>(id);
      ASSERT_EQ(now, ++runs[i] * periods[i]);
      wheel.Schedule(timers[id], (runs[i] + 1) * periods[i]);
    }
  }
  for (std::size_t i = 0; i < periods.size(); ++i) EXPECT_EQ(runs[i], 365 * kDay / periods[i]);
}

// Compares the wheel with a sorted map under random operations.
class Oracle {
 public:
  Oracle(Tick start, std::uint64_t seed) : wheel_(start), now_(start), random_(seed), timers_(kTimers) {
    keys_.resize(kTimers);
  }

  void Step() {
    const std::uint64_t dice = random_() % 100;
    if (dice < 55) {
      ScheduleOne();
    } else if (dice < 80) {
      CancelOne();
    } else {
      AdvanceOnce();
    }
  }

  void Finish() {
    AdvanceTo(TimerWheel::kNever, kAll);
    ASSERT_TRUE(sorted_.empty());
    ASSERT_EQ(wheel_.Size(), 0U);
  }

 private:
  static constexpr int kTimers = 1500;
  using Key = std::pair<Tick, std::uint64_t>;  // deadline, registration

  // Any number of bits is as likely as any other, so that every level is used.
  Tick RandomDelay(unsigned most_bits) { return random_() >> (63 - random_() % most_bits) >> 1; }

  void ScheduleOne() {
    const int id = static_cast<int>(random_() % kTimers);
    const Tick delay = RandomDelay(random_() % 8 == 0 ? 44 : 17);
    const Tick past = random_() % 16 == 0 ? random_() % 50 : 0;
    const Tick deadline = now_ + delay - (past < now_ ? past : 0);
    Forget(id);
    wheel_.Schedule(timers_[id], deadline);
    const Key key{deadline < now_ ? now_ : deadline, ++registrations_};
    keys_[static_cast<std::size_t>(id)] = key;
    sorted_.emplace(key, id);
    ASSERT_EQ(timers_[id].Deadline(), key.first);
  }

  void CancelOne() {
    const int id = static_cast<int>(random_() % kTimers);
    ASSERT_EQ(wheel_.Cancel(timers_[id]), Forget(id));
  }

  bool Forget(int id) { return sorted_.erase(keys_[static_cast<std::size_t>(id)]) != 0; }

  void AdvanceOnce() {
    const std::uint64_t dice = random_() % 1024;
    Tick to = now_ + RandomDelay(12);
    if (dice == 0) to = now_ + RandomDelay(40);
    if (dice > 700 && !sorted_.empty()) to = sorted_.begin()->first.first;
    if (dice < 50 && !sorted_.empty()) to = sorted_.begin()->first.first - 1;
    AdvanceTo(to < now_ ? now_ : to, random_() % 4 == 0 ? random_() % 40 : kAll);
  }

  void AdvanceTo(Tick to, std::size_t budget) {
    now_ = to;
    TimerList due;
    const bool more = wheel_.Advance(now_, budget, due);
    std::size_t count = 0;
    while (TimerNode* node = due.Pop()) {
      ASSERT_FALSE(sorted_.empty());
      ASSERT_LE(sorted_.begin()->first.first, now_);
      ASSERT_EQ(static_cast<Timer*>(node)->id, sorted_.begin()->second);
      sorted_.erase(sorted_.begin());
      ++count;
    }
    ASSERT_LE(count, budget);
    ASSERT_EQ(wheel_.Size(), sorted_.size());
    const Tick first = sorted_.empty() ? TimerWheel::kNever : sorted_.begin()->first.first;
    if (more) {
      ASSERT_LE(wheel_.NextExpiry(), first < now_ ? now_ : first);
    } else {
      ASSERT_TRUE(sorted_.empty() || first > now_);
      CheckNextExpiry(first);
    }
  }

  void CheckNextExpiry(Tick first) {
    // More than 1024 of one slot may be searched in part only.
    if (sorted_.size() <= 1024) {
      ASSERT_EQ(wheel_.NextExpiry(), first);
    } else {
      ASSERT_LE(wheel_.NextExpiry(), first);
    }
  }

  TimerWheel wheel_;
  Tick now_;
  std::mt19937_64 random_;
  Timers timers_;
  std::vector<Key> keys_;
  std::uint64_t registrations_ = 0;
  std::map<Key, int> sorted_;
};

class TimerWheelOracle : public testing::TestWithParam<Tick> {};

TEST_P(TimerWheelOracle, AgreesOverAMillionOperations) {
  constexpr int kOperations = 1'000'000;
  const auto oracle = std::make_unique<Oracle>(GetParam(), GetParam() ^ 20'250'101);
  for (int i = 0; i < kOperations && !HasFatalFailure(); ++i) oracle->Step();
  oracle->Finish();
}

INSTANTIATE_TEST_SUITE_P(Starts, TimerWheelOracle,
                         testing::Values(Tick{0}, 12 * kDay, (Tick{1} << 32) - 3, Tick{1} << 32,
                                         Tick{1} << 36, Tick{1} << 42, (Tick{1} << 63) - 5));

}  // namespace
}  // namespace orchestrate
