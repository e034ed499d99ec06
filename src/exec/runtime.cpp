#include <orchestrate/exec/runtime.hpp>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

#include <orchestrate/exec/timer_service.hpp>
#include "base/counted.hpp"
#include "exec/forked.hpp"
#include "exec/scheduling.hpp"

#include "process_limit.hpp"
#include "runtime_core.hpp"

namespace orchestrate::inline v1 {

using detail::RuntimeCore;

// ---- Executor ----

Executor::~Executor() { Detach(); }

TimerService& Executor::Timers() noexcept {
  if (detail::IsForked()) return detail::ClosedTimers();
  try {
    return Runtime::Default().GetExecutor().Timers();
  } catch (...) {
    return detail::ClosedTimers();
  }
}

TimePoint Executor::Now() noexcept {
  const TimerService& timers = Timers();
  return detail::AreClosedTimers(timers) ? Clock::now() : timers.Now();
}

Error detail::TimersFailure(Executor& executor, const char* function) noexcept {
  if (IsForked()) return ForkedError(function);
  if (!AreClosedTimers(executor.Timers())) return {};
  return Error(Errc::OutOfResources, "no thread for the timers of the default runtime").WithContext(function);
}

void Executor::Detach() noexcept {
  if (auto* attachment = attachment_.exchange(nullptr, std::memory_order_acq_rel))
    attachment->ExecutorEnded();
}

// ---- Runtime ----

namespace {

// Around a wait for a whole runtime: inside a task of another one it gives that worker away, as what it waits
// for may need it.
class AwayFromWork {
 public:
  explicit AwayFromWork(const char* verb) noexcept {
    if (detail::t_thread.runtime == nullptr) return;
    section_.emplace(nullptr, verb);
    if (!section_->Failure()) section_->Suspend();
  }
  [[nodiscard]] Error Failure() const noexcept { return section_ ? section_->Failure() : Error(); }

 private:
  std::optional<detail::BlockingSection> section_;
};

// By what may not throw.
template <class Sentence>
void ReportWhatRemains(RuntimeCore& core, Sentence sentence) noexcept {
  try {
    const std::string what = sentence();
    core.SendReport({.what = what});
  } catch (...) {  // without memory for the sentence
  }
}

}  // namespace

Runtime::Runtime(Options options) : core_(std::make_unique<RuntimeCore>(std::move(options))) {}

Runtime::~Runtime() {
  if (detail::IsForked()) {
    (void)core_.release();  // its threads are the parent's
    return;
  }
  if (core_->IsInside()) {
    core_.release()->EndFromInside();
    return;
  }
  const AwayFromWork away("~Runtime");
  const std::size_t remaining = core_->Shutdown(ShutdownMode::Cancel, core_->Grace());
  if (remaining == 0 && !core_->SomebodyLeft()) {
    core_.release()->Bury();
    return;
  }
  if (remaining != 0) {
    ReportWhatRemains(*core_, [&] {
      return detail::Counted(remaining, "body still runs", "bodies still run") +
             " after the grace period of runtime " + core_->Options().name;
    });
  }
  core_.release()->Abandon();  // they may come back to it
}

namespace {

void StopDefault() noexcept {
  if (detail::IsForked()) return;
  auto& core = static_cast<RuntimeCore&>(Runtime::Default().GetExecutor());
  const std::size_t remaining = core.Shutdown(ShutdownMode::Cancel, core.Grace());
  if (remaining != 0) {
    ReportWhatRemains(core, [remaining] {
      return detail::Counted(remaining, "body of the default runtime still runs",
                             "bodies of the default runtime still run") +
             " at exit";
    });
  }
}

Runtime& MakeDefault() {
  RuntimeOptions options;
  options.grace = std::chrono::seconds(2);
  auto* runtime = new Runtime(std::move(options));
  std::atexit([] { StopDefault(); });
  return *runtime;
}

}  // namespace

// Not a static of the function: another thread that is just making it would leave the child of a fork
// waiting.
Runtime& Runtime::Default() {
  static constinit std::atomic<Runtime*> made{nullptr};
  // Acquire pairs with the release below: the runtime is complete.
  if (Runtime* runtime = made.load(std::memory_order_acquire)) return *runtime;
  detail::WatchForks();
  const std::lock_guard lock(detail::g_default_mutex);
  if (Runtime* runtime = made.load(std::memory_order_relaxed)) return *runtime;
  Runtime& runtime = MakeDefault();
  made.store(&runtime, std::memory_order_release);
  return runtime;
}

Executor& Runtime::GetExecutor() noexcept { return *core_; }

Error Runtime::Run() {
  if (detail::IsForked()) return detail::ForkedError("Runtime::Run");
  if (core_->IsInside()) {
    return {Errc::NotSupported, "Runtime::Run: called by a worker of the same runtime"};
  }
  const AwayFromWork away("Runtime::Run");
  if (Error failure = away.Failure()) return failure;
  if (core_->IsVirtual()) core_->OutsideSleeps();
  (void)core_->WaitIdle(std::nullopt, RuntimeCore::Idle::NothingSleeps);
  if (core_->IsVirtual()) core_->OutsideWakes();
  return {};
}

Result<std::size_t> Runtime::ShutdownIn(ShutdownMode mode, std::chrono::nanoseconds grace) {
  if (core_->IsInside()) {
    return Error(Errc::NotSupported, "Runtime::Shutdown: called by a worker of the same runtime");
  }
  if (detail::IsForked()) return detail::ForkedError("Runtime::Shutdown");
  if (grace < std::chrono::nanoseconds::zero()) {
    return Error(Errc::InvalidArgument,
                 "Runtime::Shutdown: grace " + std::to_string(grace.count()) + " ns, must be >= 0");
  }
  const AwayFromWork away("Runtime::Shutdown");  // without a spare worker this one stays
  return core_->Shutdown(mode, grace);
}

bool Runtime::IsRunning() const noexcept { return core_->IsRunning(); }

std::size_t Runtime::Workers() const noexcept { return core_->Width(); }

}  // namespace orchestrate::inline v1
