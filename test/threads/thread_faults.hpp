#pragma once

namespace orchestrate::test {

// From now on every pthread_create() of the process fails with EAGAIN, after `more` that do not.
void FailThreads(int more) noexcept;

// Fails none any more; gives how many it failed.
int StopFailingThreads() noexcept;

}  // namespace orchestrate::test
