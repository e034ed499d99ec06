#pragma once

#include <cstdint>
#include <string_view>

namespace orchestrate::inline v1 {

/// Where a task stands; the last three are terminal and never change.
enum class TaskState : std::uint8_t { Created, Running, Completed, Failed, Cancelled };

/// Returns the state's name.
[[nodiscard]] constexpr std::string_view ToString(TaskState state) noexcept {
  constexpr std::string_view kNames[] = {"Created", "Running", "Completed", "Failed", "Cancelled"};
  return kNames[static_cast<std::uint8_t>(state)];
}

}  // namespace orchestrate::inline v1
