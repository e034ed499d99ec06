#include "exec/scheduling.hpp"

#include <cstdio>
#include <string>

#include "base/counted.hpp"
#include "exec/observer_use.hpp"

#include "runtime_core.hpp"

namespace orchestrate::inline v1::detail {

void PostNode(Executor& executor, WorkNode& node) noexcept {
  if (auto* runtime = ExecutorAccess::RuntimeOf(executor)) return runtime->Enqueue(node);
  executor.Post(Work(node));
}

void PostFollower(Executor& executor, WorkNode& node, const WorkNode& ending) noexcept {
  if (auto* runtime = ExecutorAccess::RuntimeOf(executor)) return runtime->EnqueueFollower(node, ending);
  executor.Post(Work(node));
}

void PostLast(Executor& executor, WorkNode& node) noexcept {
  if (auto* runtime = ExecutorAccess::RuntimeOf(executor)) return runtime->EnqueueLast(node);
  executor.Post(Work(node));
}

void PostOfMany(Executor& executor, WorkNode& node) noexcept {
  if (auto* runtime = ExecutorAccess::RuntimeOf(executor)) return runtime->EnqueueOfMany(node);
  executor.Post(Work(node));
}

void PostUrgentNode(Executor& executor, WorkNode& node) noexcept { executor.PostUrgent(Work(node)); }

bool Unqueue(RuntimeCore& runtime, WorkNode& node) noexcept { return runtime.Unqueue(node); }

bool PostBeside(RuntimeCore& runtime, WorkNode& node) noexcept { return runtime.EnqueueBeside(node); }

bool NoteTaken(RuntimeCore& runtime) noexcept {
  if (t_thread.slot != nullptr) return false;  // the waiting body is counted already
  runtime.NoteTaken();
  return true;
}

void NoteTimedWait(RuntimeCore& runtime, int change) noexcept { runtime.NoteTimedWait(change); }

void NoteRan(RuntimeCore& runtime) noexcept { runtime.NoteRan(); }

bool OwesATurn(RuntimeCore& runtime) noexcept {
  if (!runtime.OwesATurn()) return false;
  if (t_thread.frame == nullptr) return true;
  runtime.LendATurn();
  return false;
}

// ---- claims ----

ClaimRight::ClaimRight(RuntimeCore* runtime) noexcept : runtime_(runtime) {
  if (runtime == nullptr) return;
  RuntimeCore* own = t_thread.runtime;
  if (own == runtime) {
    granted_ = !OwesATurn(*own);
    return;
  }
  // For its own runtime a worker that runs somebody else's work is blocked: that work may wait for work here.
  if (own != nullptr && !own->BeginBlocked()) return;
  granted_ = runtime->TryBorrow();
  if (!granted_) {
    if (own != nullptr) own->EndBlocked();
    return;
  }
  WatchForExit();
  borrowed_ = runtime;
  outer_runtime_ = std::exchange(t_thread.runtime, runtime);
  outer_slot_ = std::exchange(t_thread.slot, nullptr);
  if (own != nullptr) own->ReturnPermit();
}

void ClaimRight::Return() noexcept {
  (void)borrowed_->OwesATurn();  // then ReturnPermit() hands it to a runner
  t_thread.runtime = outer_runtime_;
  t_thread.slot = outer_slot_;
  if (outer_runtime_ != nullptr) {
    outer_runtime_->TakePermitBack();
    outer_runtime_->EndBlocked();
  }
  borrowed_->ReturnPermit(ran_);
}

// ---- blocking ----

namespace {

Error NoSpareLeft(const char* verb, RuntimeCore& runtime) noexcept {
  return MakeError([=, &runtime]() -> Error {
    const auto blocked = static_cast<std::size_t>(runtime.Options().spare_workers);
    return {Errc::OutOfResources, std::string(verb) + ": " +
                                      Counted(blocked, "worker is blocked", "workers are blocked") +
                                      " and none is left to go on in place of this one; raise "
                                      "RuntimeOptions::spare_workers"};
  });
}

}  // namespace

BlockingSection::BlockingSection(RuntimeCore* served, const char* verb, NoSpare no_spare) noexcept {
  if (RuntimeCore* own = t_thread.runtime) {
    if (!own->BeginBlocked()) {
      // Virtual time would stand still.
      if (no_spare == NoSpare::Fails || own->IsVirtual()) failure_ = NoSpareLeft(verb, *own);
      return;
    }
    worker_of_ = own;
    // A thread from outside that runs the task it waits for still waits from outside: virtual time may pass.
    if (t_thread.slot == nullptr && own->IsVirtual()) watched_ = own;
    if (const ObserverUse observer(own); observer) observer->WorkerBlocked();
  } else if (served == nullptr) {
    is_stranger_ = RuntimeCore::AnyIsVirtual();
  } else if (served->IsVirtual()) {
    watched_ = served;
  }
}

void BlockingSection::Suspend() noexcept {
  if (worker_of_ == nullptr && watched_ == nullptr && !is_stranger_) return;
  State running = State::Running;
  if (!state_.compare_exchange_strong(running, State::Suspended, std::memory_order_acq_rel)) return;
  if (worker_of_ != nullptr) worker_of_->ReturnPermit();
  if (watched_ != nullptr) watched_->OutsideSleeps();
  if (is_stranger_) RuntimeCore::StrangerSleeps();
}

void BlockingSection::Resume() noexcept {
  if (state_.exchange(State::Woken, std::memory_order_acq_rel) != State::Suspended) return;
  if (worker_of_ != nullptr) worker_of_->TakePermitBack();
  if (watched_ != nullptr) watched_->OutsideWakes();
  if (is_stranger_) RuntimeCore::StrangerWakes();
}

void BlockingSection::Rearm() noexcept {
  State woken = State::Woken;
  state_.compare_exchange_strong(woken, State::Running, std::memory_order_acq_rel);
}

BlockingSection::~BlockingSection() {
  Resume();
  if (worker_of_ == nullptr) return;
  worker_of_->EndBlocked();
  if (const ObserverUse observer(worker_of_); observer) observer->WorkerResumed();
}

TimerService* BlockingSection::VirtualTimers() const noexcept {
  RuntimeCore* runtime = worker_of_ != nullptr ? worker_of_ : watched_;
  return runtime != nullptr && runtime->IsVirtual() ? &runtime->Timers() : nullptr;
}

// ---- the rest ----

bool IsDraining(const RuntimeCore& runtime) noexcept { return runtime.IsDraining(); }

void SendReport(RuntimeCore* runtime, const Report& report) noexcept {
  if (runtime != nullptr) return runtime->SendReport(report);
  PrintReport(report);
}

RuntimeCore* RuntimeBelow(Executor& executor) noexcept {
  for (Executor* at = &executor; at != nullptr; at = ExecutorAccess::BaseOf(*at)) {
    if (RuntimeCore* runtime = ExecutorAccess::RuntimeOf(*at)) return runtime;
  }
  return nullptr;
}

Observer* ObserverOf(Executor& executor) noexcept {
  const RuntimeCore* runtime = RuntimeBelow(executor);
  return runtime != nullptr ? runtime->GetObserver() : nullptr;
}

std::size_t WidthOf(const Executor& executor) noexcept {
  if (const auto* runtime = ExecutorAccess::RuntimeOf(executor)) return runtime->Width();
  return executor.GetCapabilities().parallel ? AvailableCpus() : 1;
}

}  // namespace orchestrate::inline v1::detail
