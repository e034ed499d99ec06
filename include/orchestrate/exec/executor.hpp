#pragma once

#include <atomic>

#include <orchestrate/base/export.hpp>
#include <orchestrate/exec/work.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1 {

class TimerService;
class Context;
struct Report;

class Executor;

namespace detail {
class RuntimeCore;
struct ExecutorAccess;

// What a higher layer keeps with an executor (its root context); told when the executor ends.
class Attachment {
 public:
  virtual void CancelAll() noexcept = 0;  // the executor shuts down: everything below the root ends
  virtual void ExecutorEnded() noexcept = 0;
  // The executor has stopped for good; its memory stays while handles may lead to it.
  virtual void Keep(Executor& executor) noexcept = 0;
  // Adds the task that a thread's innermost `frame` belongs to, if any.
  virtual void Describe(const void* frame, Report& report) noexcept = 0;

 protected:
  ~Attachment() = default;
};
}  // namespace detail

/// What an executor can do beyond running work.
struct Capabilities {
  /// Work may run on several threads at once; else a wait inside a task for what is queued behind it runs
  /// that, or gets `WouldDeadlock`.
  bool parallel = false;
  bool blocking = false;  ///< A wait on the executor's own thread makes progress.
};

/// The narrow interface where work runs.
///
/// An executor outlives the tasks that were bound to it by name; once the end of the last one was seen it may
/// go, also while handles are left; one with timers of its own outlives calls that cancel a sleep there, too.
/// Whoever implements one calls `Work::operator()` exactly once for each work it accepted, from a thread of
/// its choice, and never inside `Post`.
class ORCHESTRATE_API Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor();

  /// Accepts `work`; dropping it refuses it, which ends its task.
  ///
  /// @par Thread safety  May be called from any thread.
  /// @par Blocks         Never.
  virtual void Post(Work work) noexcept = 0;

  /// Accepts work that has to start even when all workers are busy, such as a call-back at a context's end.
  virtual void PostUrgent(Work work) noexcept { Post(std::move(work)); }

  /// Returns what this executor can do.
  [[nodiscard]] virtual Capabilities GetCapabilities() const noexcept { return {}; }

  /// Returns the timers that serve this executor's tasks; by default those of the default runtime.
  ///
  /// Where that cannot be made, for want of a thread or in the child of a fork, they are closed ones: what
  /// sleeps, repeats or retries there fails with `OutOfResources` or `NotSupported`.
  [[nodiscard]] virtual TimerService& Timers() noexcept;

  /// Returns the time by the clock of its timers; by the system's where they are closed ones.
  [[nodiscard]] virtual TimePoint Now() noexcept;

  /// Says whether new work is accepted.
  [[nodiscard]] virtual bool IsRunning() const noexcept { return true; }

  /// Returns this executor's root context.
  [[nodiscard]] Context Background();

 protected:
  /// Ends the root context's tie to this executor, after waiting for the threads inside one of its functions.
  ///
  /// Each destructor of a derived class calls it first.
  void Detach() noexcept;

 private:
  friend struct detail::ExecutorAccess;

  // The executor that this one runs on, if any: the root context here ends with the one there.
  [[nodiscard]] virtual Executor* Base() noexcept { return nullptr; }

  detail::RuntimeCore* runtime_ = nullptr;  // set when this executor is a Runtime's arena
  std::atomic<detail::Attachment*> attachment_{nullptr};
};

}  // namespace orchestrate::inline v1
