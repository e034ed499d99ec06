#pragma once

#include <cstdint>

#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

// Those who use for a moment what its owner may take away. Who has entered and then finds it may use it until
// it leaves; the owner takes it away and then waits until nobody is inside.
//
// Sequentially consistent on both sides: of Enter() with the look that follows, and of the store that takes
// it away with IsEmpty(), the later one sees the other.
class Rundown {
 public:
  void Enter() noexcept { users_.fetch_add(1, sync::memory_order_seq_cst); }

  // Release pairs with the load of IsEmpty(): the owner sees all that was done inside.
  void Leave() noexcept { users_.fetch_sub(1, sync::memory_order_release); }

  [[nodiscard]] bool IsEmpty() const noexcept { return users_.load(sync::memory_order_seq_cst) == 0; }

 private:
  sync::atomic<std::uint32_t> users_{0};
};

}  // namespace orchestrate::inline v1::detail
