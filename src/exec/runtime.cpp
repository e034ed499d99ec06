#include <orchestrate/exec/runtime.hpp>

#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>

#include <orchestrate/exec/detail/scheduling.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include "exec/closed_timers.hpp"
#include "exec/forked.hpp"

#include "process_limit.hpp"
#include "runtime_core.hpp"

namespace orchestrate::inline v1 {

using detail::RuntimeCore;

// ---- Executor ----

Executor::~Executor() { Detach(); }

TimerService& Executor::Timers() noexcept {
  try {
    if (!detail::IsForked()) return Runtime::Default().GetExecutor().Timers();
  } catch (...) {  // there is no memory or no thread for the default runtime
  }
  return detail::ClosedTimers();
}

TimePoint Executor::Now() noexcept { return Timers().Now(); }

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
  AwayFromWork() noexcept {
    if (detail::t_thread.runtime == nullptr) return;
    section_.emplace(nullptr);
    if (!section_->Failure()) section_->Suspend();
  }
  [[nodiscard]] Error Failure() const noexcept { return section_ ? section_->Failure() : Error(); }

 private:
  std::optional<detail::BlockingSection> section_;
};

}  // namespace

Runtime::Runtime(Options options) : core_(std::make_unique<RuntimeCore>(std::move(options))) {}

Runtime::~Runtime() {
  if (detail::IsForked()) {
    (void)core_.release();  // its threads are the parent's
    return;
  }
  const AwayFromWork away;
  const std::size_t remaining = core_->Shutdown(ShutdownMode::Cancel, core_->Options().grace);
  if (remaining == 0 && !core_->SomebodyLeft()) {
    core_->Retire();
    auto* root = detail::ExecutorAccess::AttachmentOf(*core_).load(std::memory_order_acquire);
    if (root != nullptr) root->Keep(*core_.release());
    return;
  }
  if (remaining != 0) {
    core_->SendReport({.what = std::to_string(remaining) +
                               " bodies still run after the grace period of runtime " +
                               core_->Options().name});
  }
  core_.release()->Abandon();  // they may come back to it
}

namespace {

void StopDefault() noexcept {
  if (detail::IsForked()) return;
  auto& core = static_cast<RuntimeCore&>(Runtime::Default().GetExecutor());
  const std::size_t remaining = core.Shutdown(ShutdownMode::Cancel, core.Options().grace);
  if (remaining != 0) {
    core.SendReport({.what = std::to_string(remaining) + " bodies of the default runtime still run at exit"});
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
  if (detail::t_thread.runtime == core_.get()) {
    return {Errc::NotSupported, "Runtime::Run: called by a worker of the same runtime"};
  }
  const AwayFromWork away;
  if (Error failure = away.Failure()) return failure;
  if (core_->IsVirtual()) core_->OutsideSleeps();
  (void)core_->WaitIdle(std::nullopt, true);
  if (core_->IsVirtual()) core_->OutsideWakes();
  return {};
}

Result<std::size_t> Runtime::Shutdown(ShutdownMode mode, std::chrono::nanoseconds grace) {
  if (detail::t_thread.runtime == core_.get()) {
    return Error(Errc::NotSupported, "Runtime::Shutdown: called by a worker of the same runtime");
  }
  if (detail::IsForked()) return detail::ForkedError("Runtime::Shutdown");
  if (grace < std::chrono::nanoseconds::zero()) {
    return Error(Errc::InvalidArgument,
                 "Runtime::Shutdown: grace " + std::to_string(grace.count()) + " ns, must be >= 0");
  }
  const AwayFromWork away;  // without a spare worker this one stays
  return core_->Shutdown(mode, grace);
}

bool Runtime::IsRunning() const noexcept { return core_->IsRunning(); }

std::size_t Runtime::Workers() const noexcept { return core_->Width(); }

}  // namespace orchestrate::inline v1
