// Small parts that the samplers share.
#pragma once

#include <cstddef>
#include <vector>

#include "alloc_count.hpp"
#include "harness.hpp"

#ifdef BENCH_HAS_CALLGRIND
#include <valgrind/callgrind.h>
#else  // then nobody counts
#define CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_STOP_INSTRUMENTATION
#endif

namespace bench {

inline double NanosSince(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

inline double Percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// What is spent from its construction to `Since()`: allocations, and instructions when callgrind looks on.
class Costs {
 public:
  Costs() : before_(TotalAllocated()) { CALLGRIND_START_INSTRUMENTATION; }

  /// Returns a sample without figures: the costs so far, for each operation. May be called once.
  [[nodiscard]] Sample Since(double operations) const {
    CALLGRIND_STOP_INSTRUMENTATION;
    const Allocated after = TotalAllocated();
    return {{},
            static_cast<double>(after.calls - before_.calls) / operations,
            static_cast<double>(after.bytes - before_.bytes) / operations,
            operations};
  }

 private:
  Allocated before_;
};

}  // namespace bench
