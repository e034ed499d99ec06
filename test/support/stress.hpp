#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

#include <orchestrate/exec/runtime.hpp>
#include <test/support/gate.hpp>
#include <test/support/with_runtime.hpp>

// Stress tests: ORCHESTRATE_STRESS_SECONDS says for how long, ORCHESTRATE_STRESS_SEED with which choices.
namespace orchestrate::test {

inline std::uint64_t StressSeed() {
  const char* wanted = std::getenv("ORCHESTRATE_STRESS_SEED");  // NOLINT(concurrency-mt-unsafe)
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device{}();
}

class Chance {
 public:
  Chance(std::uint64_t seed, int stream) : random_(seed * 1000 + static_cast<std::uint64_t>(stream)) {}
  // From 0 to `limit` - 1.
  int operator()(int limit) { return static_cast<int>(random_() % static_cast<std::uint64_t>(limit)); }

 private:
  std::mt19937_64 random_;
};

class Stress : public testing::TestWithParam<std::size_t> {
 protected:
  Stress() { std::printf("ORCHESTRATE_STRESS_SEED=%llu\n", static_cast<unsigned long long>(seed_)); }

  // A third of the time for each width.
  [[nodiscard]] bool InTime() const { return std::chrono::steady_clock::now() < end_; }

  const std::uint64_t seed_ = StressSeed();

 private:
  const std::chrono::steady_clock::time_point end_ = std::chrono::steady_clock::now() + StressTime() / 3;
};

inline void IgnoreReport(const Report& /*report*/) {}

// A runtime of so many workers that reports nothing: errors that nobody reads are what one tries for.
inline RuntimeOptions Silent(std::size_t workers) {
  RuntimeOptions options(workers);
  options.on_report = Function<void(const Report&)>(&IgnoreReport);
  return options;
}

}  // namespace orchestrate::test
