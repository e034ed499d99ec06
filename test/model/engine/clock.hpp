#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace orchestrate::model {

inline constexpr std::size_t kMaxThreads = 6;  // thread 0 sets a program up and looks at the end

// How much of each thread's past is known: the happens-before relation.
class VectorClock {
 public:
  [[nodiscard]] std::uint32_t operator[](std::size_t thread) const noexcept { return at_[thread]; }
  std::uint32_t Tick(std::size_t thread) noexcept { return ++at_[thread]; }
  [[nodiscard]] bool Knows(std::size_t thread, std::uint32_t time) const noexcept {
    return time <= at_[thread];
  }
  void Join(const VectorClock& other) noexcept {
    for (std::size_t i = 0; i < kMaxThreads; ++i) at_[i] = std::max(at_[i], other.at_[i]);
  }

 private:
  std::array<std::uint32_t, kMaxThreads> at_{};
};

}  // namespace orchestrate::model
