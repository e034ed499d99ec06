// Small parts that the samplers share.
#pragma once

#include <cstddef>
#include <vector>

#include "alloc_count.hpp"
#include "harness.hpp"

namespace bench {

inline double NanosSince(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

inline double Percentile(const std::vector<double>& sorted, double share) {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

/// Returns a sample without figures: what was allocated since `before`, for each operation.
inline Sample CostsSince(Allocated before, double operations) {
  const Allocated after = TotalAllocated();
  return {{},
          static_cast<double>(after.calls - before.calls) / operations,
          static_cast<double>(after.bytes - before.bytes) / operations};
}

}  // namespace bench
