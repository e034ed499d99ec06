#pragma once

#include <orchestrate/task/detail/task_core.hpp>

namespace orchestrate::inline v1::detail {

// What a look for work that a wait can do itself came to.
enum class Claimed : std::uint8_t { Nothing, Ran, NoStack };

// Whether the task below a timeout is run, too, where another thread could: the wait then returns no earlier
// than that body leaves, so only one that could not block does it.
enum class BelowTimeouts : std::uint8_t { Leave, Run };

// Runs what the end of `core` depends on, on the thread that waits for it: a queued task itself; before a
// continuation its predecessor; of a task that another ends (flattened, followed, timed) that one; a share of
// a job. So long as it finds one that it may run.
Claimed Claim(TaskCore& core, BelowTimeouts below = BelowTimeouts::Leave) noexcept;

// By a body that is about to block: what it has left below a timeout begins next on another thread. What was
// queued before it may want a lock that this body holds.
void HandOverBelowTimeout(TaskCore& core) noexcept;

}  // namespace orchestrate::inline v1::detail
