#pragma once

#include <vector>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/detail/wait_table.hpp>
#include "task/frame.hpp"
#include "task/thread_wait.hpp"

namespace orchestrate::inline v1::detail {

// What a wait waits for: `count` tasks, or one piece of a fork.
struct WaitTargets {
  enum class Kind : std::uint8_t { All, Any };

  TaskCore* (*at)(const void* data, std::size_t index) noexcept = nullptr;
  const void* data = nullptr;
  std::size_t count = 0;
  const ForkPiece* piece = nullptr;
  Kind kind = Kind::All;
};

// One thread whose bodies wait, or have waited. Records are used again and never freed, so that a search may
// look at one whose thread has gone on; `number` says whether it is still the same wait.
struct WaitRecord {
  Mutex mutex;
  std::uint64_t number = 0;       // under mutex: of the wait that lasts; 0: the thread does not wait
  bool told = false;              // under mutex: that wait will get an error
  WaitTargets targets;            // under mutex
  ThreadWait* sleeper = nullptr;  // under mutex
  WaitRecord* next_free = nullptr;
};

// The record of the calling thread, under which all its bodies can be found from now on. Null without memory,
// and inside GetCapabilities() of an executor that is asked on behalf of another wait.
[[nodiscard]] WaitRecord* PublishFrames() noexcept;

// Enters and takes out; under the lock of the key's part of the table only.
void AddWaitLink(WaitLink& link) noexcept;
void RemoveWaitLink(WaitLink& link) noexcept;

// Calls `visit(link)` for each link of `key`, under the lock of that part of the table.
void ForEachLink(const void* key, void (*visit)(WaitLink& link, void* data), void* data);
template <class Visit>
void ForEachLink(const void* key, Visit visit) {
  ForEachLink(
      key, [](WaitLink& link, void* data) { (*static_cast<Visit*>(data))(link); }, &visit);
}

// Wakes the threads whose bodies keep an executor that runs one thing at a time from `core`, which was just
// queued there: they can run it, or wait for what can never come now.
void TellOccupants(const TaskCore& core) noexcept;

// The task with whose end that of `outer` comes, with a reference; null when none is known or it has ended.
// `is_timed` says whether `outer` may end before.
[[nodiscard]] TaskCore* ShareInner(const TaskCore& outer, bool& is_timed) noexcept;

// Whether the body of `frame` has one of its job's places, which one that lies on another of the job's, or
// was queued because a wait has lent it the place of another, has not.
[[nodiscard]] bool KeepsPlace(const Frame& frame) noexcept;

// The job that has admitted `core`, or null.
[[nodiscard]] const ContextNode* JobOf(const TaskCore& core) noexcept;

// Calls `visit(root)` for the root of the executor of `core` and of those below it, down to a runtime's.
template <class Visit>
void ForEachForeignRoot(const TaskCore& core, Visit visit) {
  for (const ContextNode* at = core.scope->home; at != nullptr && RuntimeOf(*at) == nullptr; at = at->parent)
    visit(*at);
}

}  // namespace orchestrate::inline v1::detail
