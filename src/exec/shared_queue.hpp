#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <orchestrate/exec/work.hpp>
#include "base/concurrent_queue.hpp"

namespace orchestrate::inline v1::detail {

// What lies in no worker's deque. The tasks of a batch, of which there may be any number, would stand in
// front of everything that comes after them; so they have a queue of their own, and the two are taken from in
// turn. Each is first in, first out per producer. Nothing here allocates after construction.
//
// `Empty()` has the promise of ConcurrentQueue.
class SharedQueue {
 public:
  void Push(WorkNode& node) noexcept { single_.Push(node); }
  void PushOfMany(WorkNode& node) noexcept { of_many_.Push(node); }
  // What was taken out of it and keeps its turn: stands before all of it. The place must be free.
  void PutInFront(WorkNode& node) noexcept { front_.store(&node, std::memory_order_seq_cst); }

  [[nodiscard]] WorkNode* TryPop() noexcept;
  [[nodiscard]] bool TryPopIf(const WorkNode& node) noexcept {
    return single_.TryPopIf(node) || of_many_.TryPopIf(node);
  }

  [[nodiscard]] bool HasFront() const noexcept { return front_.load(std::memory_order_relaxed) != nullptr; }
  [[nodiscard]] bool Empty() const noexcept {
    return front_.load(std::memory_order_seq_cst) == nullptr && single_.Empty() && of_many_.Empty();
  }
  // Snapshots; what stands in front does not count.
  [[nodiscard]] std::size_t Size() const noexcept { return single_.Size() + of_many_.Size(); }
  [[nodiscard]] std::uint64_t Pushed() const noexcept { return single_.Pushed() + of_many_.Pushed(); }
  [[nodiscard]] std::uint64_t Popped() const noexcept { return single_.Popped() + of_many_.Popped(); }

 private:
  ConcurrentQueue<WorkNode> single_{4096};
  ConcurrentQueue<WorkNode> of_many_{1024};
  std::atomic<WorkNode*> front_{nullptr};
  std::atomic<bool> of_many_next_{false};
};

}  // namespace orchestrate::inline v1::detail
