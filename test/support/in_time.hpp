#pragma once

namespace orchestrate::test {

// Real time on a loaded machine: says whether `attempt()` keeps its upper bound (returns true) in one of ten
// tries. Whatever must never happen, such as being early, the attempt expects each time.
template <class Attempt>
[[nodiscard]] bool InTimeOnce(Attempt attempt) {
  for (int i = 0; i < 10; ++i) {
    if (attempt()) return true;
  }
  return false;
}

}  // namespace orchestrate::test
