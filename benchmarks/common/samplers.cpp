#include "samplers.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

#include "measure.hpp"

namespace bench {
namespace {

using std::chrono::milliseconds;

double Micros(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// All threads but the calling one, which only measures.
double CpuMicros() { return Micros(CLOCK_PROCESS_CPUTIME_ID) - Micros(CLOCK_THREAD_CPUTIME_ID); }

double StatusBytes(const char* field) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  char line[256];
  double kib = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, field, std::strlen(field)) == 0)
      std::sscanf(line + std::strlen(field), "%lf", &kib);
  }
  std::fclose(file);
  return kib * 1024;
}

// The calls that fill `min_time`, found by doubling; this is also the first warm-up.
std::size_t Calibrate(milliseconds min_time, const std::function<void(std::size_t)>& body) {
  const double goal = std::chrono::duration<double, std::nano>(min_time).count();
  for (std::size_t calls = 1;; calls *= 2) {
    const auto start = Clock::now();
    body(calls);
    if (NanosSince(start) >= goal / 2) return calls * 2;
  }
}

}  // namespace

Sampler Loop(const Setup& setup, Per per, std::function<void(std::size_t)> body) {
  return [=, calls = std::size_t{0}]() mutable -> Sample {
    if (calls == 0) calls = setup.calls != 0 ? setup.calls : Calibrate(setup.min_time, body);
    body(std::max<std::size_t>(calls / 10, 1));
    const double operations = static_cast<double>(calls) * per.operations;
    const Costs costs;
    const auto start = Clock::now();
    body(calls);
    const double value = NanosSince(start) / operations / per.ns_in_unit;
    Sample sample = costs.Since(operations);
    sample.metrics = {{"", value, per.unit}};
    return sample;
  };
}

Sampler WithMemory(double operations, Sampler sampler) {
  return [=, base = StatusBytes("VmRSS:")] {
    Sample sample = sampler();
    sample.metrics.push_back({"_memory", (StatusBytes("VmHWM:") - base) / operations, "B"});
    return sample;
  };
}

Sampler Growth(double count, std::vector<Held> kinds) {
  return [=, metrics = std::vector<Metric>{}]() mutable -> Sample {
    const Costs costs;
    std::vector<std::shared_ptr<void>> held;  // all to the end: none uses the memory of another
    if (metrics.empty()) {
      for (const Held& kind : kinds) {
        const double before = StatusBytes("VmRSS:");
        held.push_back(kind.make());
        metrics.push_back({kind.suffix, (StatusBytes("VmRSS:") - before) / count, "B"});
      }
    }
    Sample sample = costs.Since(count);
    sample.metrics = metrics;
    return sample;
  };
}

Sampler AfterIdle(const Setup& setup, std::function<void()> body) {
  return [=] {
    const milliseconds gap{2};
    const auto rounds = static_cast<std::size_t>(std::max<std::int64_t>(setup.min_time / gap, 5));
    std::vector<double> times(rounds);
    body();
    const Costs costs;
    for (double& time : times) {
      std::this_thread::sleep_for(gap);
      const auto start = Clock::now();
      body();
      time = NanosSince(start) / 1e3;
    }
    Sample sample = costs.Since(static_cast<double>(rounds));
    std::sort(times.begin(), times.end());
    sample.metrics = {{"", Percentile(times, 0.5), "us"}};
    return sample;
  };
}

Sampler Idle(const Setup& setup, std::shared_ptr<void> pool) {
  return [window = setup.min_time * 10, pool] {
    // What was woken before may spin for a while before it sleeps.
    std::this_thread::sleep_for(milliseconds(20));
    const Costs costs;
    const double cpu = CpuMicros();
    std::this_thread::sleep_for(window);
    const double used = std::max(CpuMicros() - cpu, 0.0) / std::chrono::duration<double>(window).count();
    Sample sample = costs.Since(1);
    sample.metrics = {{"", used, "us/s"}};
    return sample;
  };
}

}  // namespace bench
