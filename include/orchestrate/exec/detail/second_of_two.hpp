#pragma once

#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

// Two parties leave something, in no known order, and the one that is left to clean up is the later: for
// example who arms a timer, and the timer.
class SecondOfTwo {
 public:
  // For the next two; nobody else looks at it yet.
  void Reset() noexcept { first_left_.store(false, sync::memory_order_relaxed); }

  // Called once by each. True for the later one, which may destroy everything: release and acquire show it
  // what the other has done before.
  [[nodiscard]] bool Leave() noexcept { return first_left_.exchange(true, sync::memory_order_acq_rel); }

 private:
  sync::atomic<bool> first_left_{false};
};

}  // namespace orchestrate::inline v1::detail
