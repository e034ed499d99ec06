#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace orchestrate::inline v1 {

/// Sees what a runtime's tasks do; metrics and dumps are built on it.
///
/// It lives until the destructor of its runtime has returned, which waits for the threads that are inside.
///
/// @par Thread safety  Called from any thread, several at once; an implementation must not block.
class Observer {
 public:
  virtual ~Observer() = default;

  /// Tells that a task was handed to the runtime.
  virtual void TaskSpawned(std::uint64_t id, std::string_view name) noexcept { (void)id, (void)name; }
  /// Tells that a body begins, and how long its task was queued.
  virtual void TaskStarted(std::uint64_t id, std::chrono::nanoseconds queued) noexcept {
    (void)id, (void)queued;
  }
  /// Tells that a task became terminal, and how long its body ran.
  virtual void TaskEnded(std::uint64_t id, std::chrono::nanoseconds ran) noexcept { (void)id, (void)ran; }
  /// Tells that the thread of a running body blocks in a wait of the library.
  virtual void WorkerBlocked() noexcept {}
  /// Tells that it goes on.
  virtual void WorkerResumed() noexcept {}
};

}  // namespace orchestrate::inline v1
