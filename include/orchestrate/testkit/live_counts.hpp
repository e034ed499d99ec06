#pragma once

#include <cstddef>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1 {

/// Counts what the library holds in the whole process at one moment.
struct LiveCounts {
  std::size_t tasks = 0;   ///< Pooled blocks that are in use: tasks, and what waits for them.
  std::size_t timers = 0;  ///< Armed timers of all runtimes and executors.

  [[nodiscard]] friend bool operator==(const LiveCounts&, const LiveCounts&) = default;
};

/// Counts the live tasks and timers; exact while no other thread uses the library.
[[nodiscard]] ORCHESTRATE_API LiveCounts CountLive() noexcept;

/// Waits until no more is alive than `limit` says, for workers still let go of what ended a moment ago.
///
/// @return the counts seen last, after ten seconds of real time at most.
/// @par Blocks  The calling thread, which looks again and again.
[[nodiscard]] ORCHESTRATE_API LiveCounts WaitForLive(LiveCounts limit) noexcept;

}  // namespace orchestrate::inline v1
