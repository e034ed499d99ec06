#pragma once

#include <cstddef>

namespace orchestrate::inline v1 {

/// Counts how far work over many tasks has come.
struct Progress {
  std::size_t done = 0;      ///< How many have ended, the failed ones included.
  std::size_t failures = 0;  ///< How many of `done` failed or were cancelled.
  std::size_t running = 0;   ///< How many run now.
  std::size_t total = 0;     ///< How many there will be; 0 = not known.
};

}  // namespace orchestrate::inline v1
