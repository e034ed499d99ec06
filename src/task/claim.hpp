#pragma once

#include <orchestrate/task/detail/task_core.hpp>

namespace orchestrate::inline v1::detail {

// What a look for work that a wait can do itself came to.
enum class Claimed : std::uint8_t { Nothing, Ran, NoStack };

// Runs what the end of `core` depends on, on the thread that waits for it: a queued task itself; before a
// continuation its predecessor; of a task that another ends (flattened, followed, timed) that one; a share of
// a job. So long as it finds one that it may run.
Claimed Claim(TaskCore& core) noexcept;

}  // namespace orchestrate::inline v1::detail
