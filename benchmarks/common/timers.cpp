#include "timers.hpp"

#include <time.h>

#include <algorithm>
#include <random>

#include "measure.hpp"

namespace bench {
namespace {

using std::chrono::milliseconds;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// In no order, so that no contestant gets them sorted.
std::vector<Clock::time_point> Deadlines(milliseconds first, milliseconds span) {
  std::vector<Clock::time_point> all(kTimers);
  const auto begin = Clock::now() + first;
  for (std::size_t i = 0; i < kTimers; ++i)
    all[i] = begin + std::chrono::nanoseconds(span) * static_cast<long>(i) / static_cast<long>(kTimers);
  std::shuffle(all.begin(), all.end(), std::mt19937_64(1));
  return all;
}

double NsEach(Clock::time_point start) { return NanosSince(start) / static_cast<double>(kTimers); }

}  // namespace

double Lateness::Worst() const { return static_cast<double>(*std::max_element(late_.begin(), late_.end())); }

double Lateness::P99() const {
  std::vector<double> sorted(late_.begin(), late_.end());
  std::sort(sorted.begin(), sorted.end());
  return Percentile(sorted, 0.99);
}

Sampler TimerSchedule(const Setup& setup, const MakeTimerSet& make) {
  return [timers = std::shared_ptr(make(setup))] {
    const auto deadlines = Deadlines(milliseconds(10'000), milliseconds(90'000));
    const Costs costs;
    const auto start = Clock::now();
    timers->Arm(deadlines);
    const double each = NsEach(start);
    Sample sample = costs.Since(static_cast<double>(kTimers));
    sample.metrics = {{"", each, "ns"}};
    timers->CancelAll();
    return sample;
  };
}

Sampler TimerCancel(const Setup& setup, const MakeTimerSet& make) {
  return [timers = std::shared_ptr(make(setup))] {
    timers->Arm(Deadlines(milliseconds(10'000), milliseconds(90'000)));
    const Costs costs;
    const auto start = Clock::now();
    timers->CancelAll();
    const double each = NsEach(start);
    Sample sample = costs.Since(static_cast<double>(kTimers));
    sample.metrics = {{"", each, "ns"}};
    return sample;
  };
}

Sampler TimerFire(const Setup& setup, const MakeTimerSet& make) {
  return [timers = std::shared_ptr(make(setup))] {
    Lateness late(kTimers);
    const auto deadlines = Deadlines(milliseconds(1'000), milliseconds(1'000));
    const Costs costs;
    const double cpu = CpuSeconds();
    timers->Arm(deadlines);
    timers->RunAll(late);
    const double used = CpuSeconds() - cpu;
    Sample sample = costs.Since(static_cast<double>(kTimers));
    sample.metrics = {{"_cpu", used, "s"}, {"_late", late.Worst(), "ms"}};
    return sample;
  };
}

Sampler Heartbeat(std::function<std::size_t(milliseconds)> beat) {
  return [beat = std::move(beat)] {
    constexpr milliseconds kFor{3'000};
    const Costs costs;
    const double cpu = CpuSeconds();
    const std::size_t beats = beat(kFor);
    const double used = CpuSeconds() - cpu;
    Require(beats >= kBeats, "there was no heartbeat");
    Sample sample = costs.Since(static_cast<double>(beats));
    sample.metrics = {{"", used * 1e6 / static_cast<double>(beats), "us"}};
    return sample;
  };
}

Sampler SleepTasks(std::function<void(Lateness&)> sleep) {
  return [sleep = std::move(sleep)] {
    Lateness late(kSleepers);
    const Costs costs;
    const double cpu = CpuSeconds();
    sleep(late);
    const double used = CpuSeconds() - cpu;
    Sample sample = costs.Since(static_cast<double>(kSleepers));
    sample.metrics = {{"", used * 1e6 / static_cast<double>(kSleepers), "us"},
                      {"_late_p99", late.P99(), "ms"}};
    return sample;
  };
}

}  // namespace bench
