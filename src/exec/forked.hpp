#pragma once

#include <atomic>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/export.hpp>
#include <orchestrate/base/mutex.hpp>

namespace orchestrate::inline v1::detail {

// True in a child that was forked while a runtime was up: its threads exist in the parent only.
extern ORCHESTRATE_API constinit std::atomic<bool> g_forked;

[[nodiscard]] inline bool IsForked() noexcept { return g_forked.load(std::memory_order_relaxed); }

// Held while the default runtime is being made.
extern constinit Mutex g_default_mutex;

// What new work and waits fail with in such a child.
[[nodiscard]] ORCHESTRATE_API Error ForkedError(const char* function) noexcept;

}  // namespace orchestrate::inline v1::detail
