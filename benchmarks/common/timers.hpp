// A million timers, ten thousand heartbeats, ten thousand sleepers: what all timer benchmarks do alike.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "harness.hpp"

namespace bench {

inline constexpr std::size_t kTimers = 1'000'000;
inline constexpr std::size_t kBeats = 10'000;
inline constexpr std::chrono::milliseconds kBeatEvery{100};
inline constexpr std::size_t kSleepers = 10'000;

/// How long the `i`-th of the sleepers sleeps: 1 to 100 ms.
constexpr std::chrono::milliseconds SleepOf(std::size_t i) {
  return std::chrono::milliseconds(1 + i * 37 % 100);
}

/// Notes how late each timer or sleeper was; may be called by several threads at once.
class Lateness {
 public:
  explicit Lateness(std::size_t most) : late_(most) {}
  Lateness(const Lateness&) = delete;
  Lateness& operator=(const Lateness&) = delete;

  /// Of timer `i`, now.
  void Note(std::size_t i, Clock::time_point deadline) {
    late_[i] = std::chrono::duration<float, std::milli>(Clock::now() - deadline).count();
  }
  /// In milliseconds.
  [[nodiscard]] double Worst() const;
  [[nodiscard]] double P99() const;

 private:
  std::vector<float> late_;
};

/// The timers of one contestant.
class TimerSet {
 public:
  virtual ~TimerSet() = default;
  /// Arms the timer `i` for `deadlines[i]`.
  virtual void Arm(const std::vector<Clock::time_point>& deadlines) = 0;
  virtual void CancelAll() = 0;
  /// Returns when all have fired and told `late`.
  virtual void RunAll(Lateness& late) = 0;
};
using MakeTimerSet = std::function<std::unique_ptr<TimerSet>(const Setup&)>;

/// Measures what arming one of a million costs, due in 10 to 100 s and in no order.
Sampler TimerSchedule(const Setup& setup, const MakeTimerSet& make);
/// Measures what cancelling it costs.
Sampler TimerCancel(const Setup& setup, const MakeTimerSet& make);
/// Arms a million that are due within 1 s: `_cpu` in seconds, `_late` of the latest in ms.
Sampler TimerFire(const Setup& setup, const MakeTimerSet& make);

/// Measures the CPU time a beat of `beat(duration)`, which has kBeats timers fire every kBeatEvery for so
/// long and returns how often they did.
Sampler Heartbeat(std::function<std::size_t(std::chrono::milliseconds)> beat);

/// Measures `sleep(late)`, which has kSleepers sleep at a time: CPU time a wake, and `_late_p99`.
Sampler SleepTasks(std::function<void(Lateness&)> sleep);

}  // namespace bench
