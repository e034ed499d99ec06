#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/function.hpp>
#include <orchestrate/base/result.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/exec/observer.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

/// How a runtime treats what is queued when it shuts down.
enum class ShutdownMode : unsigned char {
  Drain,  ///< Runs what is queued; sleeps and repeats end when nothing but them is left to wait for.
  Cancel  ///< Cancels what is queued and what runs.
};

/// An error that nobody read, or another event that must not pass in silence.
///
/// Equal reports (the same sentence, place and code) are told once a second by the runtime's clock; those in
/// between are counted, and told with the next report or when the runtime ends. What the program itself has
/// ended, by shutting a runtime down or by cancelling, is not reported.
struct Report {
  std::string_view what;    ///< One sentence.
  std::string_view task{};  ///< The task's name, possibly empty.
  const char* file = "";    ///< Where the task was spawned.
  unsigned line = 0;
  Error error{};
  std::size_t count = 1;  ///< How many equal reports it stands for.
  unsigned column = 0;    ///< Where in the line.
};

/// How a runtime is made.
struct RuntimeOptions {
  std::size_t workers = 0;  ///< Threads that run work at a time; 0 = the CPUs that affinity and quota allow.
  std::size_t spare_workers = 256;  ///< Blocked waits inside tasks before a wait fails with `OutOfResources`.
  std::string name = "orchestrate";
  const ClockSource* clock = nullptr;       ///< Must outlive the runtime; null = the steady clock.
  Observer* observer = nullptr;             ///< Must outlive the runtime; null = none.
  Function<void(const Report&)> on_report;  ///< Called on any thread; empty = one line on stderr.
  std::chrono::milliseconds grace{5000};    ///< How long the destructor waits for running bodies.

  RuntimeOptions() = default;
  RuntimeOptions(std::size_t worker_count) : workers(worker_count) {}  // NOLINT: Runtime(4)
};

/// A pool of workers over a oneTBB arena, with its own timers.
///
/// Several runtimes stand side by side without sharing workers. The destructor cancels, waits up to the grace
/// period and reports what remains. Called inside one of the runtime's own bodies it does not wait for that
/// one, which it reports; what is left of the runtime goes when that body has left.
///
/// @par Thread safety  All members may be called from any thread.
class ORCHESTRATE_API Runtime {
 public:
  using Options = RuntimeOptions;

  /// Starts a runtime; throws `ErrorException` with `InvalidArgument` for more than 1024 workers, more than
  /// 4096 spare workers or a negative grace, with `OutOfResources` when there is no thread for its timers.
  explicit Runtime(Options options = {});
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  ~Runtime();

  /// Returns the runtime that serves everything that names no other; made on first use, never destroyed.
  [[nodiscard]] static Runtime& Default();

  /// Returns the context that all work of this runtime descends from.
  [[nodiscard]] Context Background();

  /// Returns the executor behind this runtime.
  [[nodiscard]] Executor& GetExecutor() noexcept;

  /// Blocks until nothing is queued, running or waiting for a timer; not for a worker of this runtime.
  ///
  /// @return `NotSupported` from a worker of this runtime, `OutOfResources` from one of another that has no
  ///         spare worker left, else no error.
  Error Run();

  /// Waits for `task` and returns its outcome; from inside a task of this runtime, too.
  template <class Task>
  auto BlockOn(const Task& task) {
    return task.Outcome();
  }

  /// Stops intake, ends what is queued by `mode`, and waits up to `grace` for running bodies; idempotent.
  ///
  /// @param grace  0 or more, of any duration's size; at its end running bodies are cancelled but not waited
  ///               for.
  /// @return how many pieces of work remain; `NotSupported` from a worker of this runtime, `InvalidArgument`
  ///         when `grace` is not a number.
  template <class Rep, class Period>
  Result<std::size_t> Shutdown(ShutdownMode mode, std::chrono::duration<Rep, Period> grace) {
    if (Error wrong = CheckNumber(grace, "Runtime::Shutdown: grace is not a number")) return wrong;
    return ShutdownIn(mode, SaturatingNanoseconds(grace));
  }

  /// Says whether new work is accepted.
  [[nodiscard]] bool IsRunning() const noexcept;

  /// Returns the number of workers.
  [[nodiscard]] std::size_t Workers() const noexcept;

 private:
  Result<std::size_t> ShutdownIn(ShutdownMode mode, std::chrono::nanoseconds grace);

  std::unique_ptr<detail::RuntimeCore> core_;
};

/// Returns how many CPUs the process may use, by affinity and by the control group's quota; at least 1.
[[nodiscard]] ORCHESTRATE_API std::size_t AvailableCpus() noexcept;

}  // namespace orchestrate::inline v1
