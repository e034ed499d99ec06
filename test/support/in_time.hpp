#pragma once

#include <cstdio>

namespace orchestrate::test {

inline constexpr int kTries = 3;

// Real time on a loaded machine: says whether `attempt()` keeps its upper bound (returns true) in one of
// three tries, and prints each that did not; the closing line of `./dev test` counts them. Whatever must
// never happen, such as being early or one call too many, the attempt expects each time. So it does with
// counts: it waits for the third call, say, and returns whether that came in time.
template <class Attempt>
[[nodiscard]] bool InTimeOnce(Attempt attempt) {
  for (int i = 1; i <= kTries; ++i) {
    if (attempt()) return true;
    std::printf("late: try %d of %d\n", i, kTries);
  }
  return false;
}

}  // namespace orchestrate::test
