#include "exec/shared_queue.hpp"

namespace orchestrate::inline v1::detail {

WorkNode* SharedQueue::TryPop() noexcept {
  if (HasFront()) {
    // Acquire pairs with PutInFront(): the node is as its producer has left it.
    if (WorkNode* node = front_.exchange(nullptr, std::memory_order_acquire)) return node;
  }
  if (!of_many_.Empty()) {
    // Two threads that read the same take one kind twice, and then the other one.
    const bool of_many = of_many_next_.load(std::memory_order_relaxed);
    of_many_next_.store(!of_many, std::memory_order_relaxed);
    if (WorkNode* node = of_many ? of_many_.TryPop() : nullptr) return node;
  }
  if (WorkNode* node = single_.TryPop()) return node;
  return of_many_.TryPop();
}

}  // namespace orchestrate::inline v1::detail
