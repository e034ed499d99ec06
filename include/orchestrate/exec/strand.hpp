#pragma once

#include <memory>

#include <orchestrate/base/export.hpp>
#include <orchestrate/exec/executor.hpp>

namespace orchestrate::inline v1 {

/// Runs work one at a time, in the order of its arrival, on another executor.
///
/// It holds no thread: while it has work, one piece of work on the other executor runs it, up to 64 pieces or
/// until a millisecond has passed, whichever comes first; then others there get their turn.
/// Work that was accepted is run also after the strand was destroyed; the other executor outlives
/// both. A wait inside a task of the strand for a later one of it runs that one at once; for a job whose
/// tasks would run on the strand it gets `WouldDeadlock`. When the other executor shuts down, what was posted
/// under the strand's root context ends like what was posted there.
///
/// @par Thread safety  All members may be called from any thread.
class ORCHESTRATE_API Strand final : public Executor {
 public:
  /// Makes a strand on `executor`.
  explicit Strand(Executor& executor);
  ~Strand() override;

  void Post(Work work) noexcept override;
  void PostUrgent(Work work) noexcept override;
  [[nodiscard]] Capabilities GetCapabilities() const noexcept override;
  [[nodiscard]] TimerService& Timers() noexcept override;
  [[nodiscard]] bool IsRunning() const noexcept override;

 private:
  [[nodiscard]] Executor* Base() noexcept override;

  struct Core;
  Core* core_;
};

}  // namespace orchestrate::inline v1
