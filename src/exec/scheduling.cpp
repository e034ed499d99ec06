#include <orchestrate/exec/detail/scheduling.hpp>

#include <pthread.h>

#include <cstdio>

#include "runtime_core.hpp"

namespace orchestrate::inline v1::detail {

void PostNode(Executor& executor, WorkNode& node) noexcept {
  if (auto* runtime = ExecutorAccess::RuntimeOf(executor)) return runtime->Enqueue(node);
  executor.Post(Work(node));
}

void PostNext(Executor& executor, WorkNode& node) noexcept { PostNode(executor, node); }

void PostUrgentNode(Executor& executor, WorkNode& node) noexcept { executor.PostUrgent(Work(node)); }

bool Unqueue(Executor& executor, WorkNode& node) noexcept {
  return ExecutorAccess::RuntimeOf(executor)->Unqueue(node);
}

void NoteRan(Executor& executor) noexcept { ExecutorAccess::RuntimeOf(executor)->NoteRan(); }

// ---- claims ----

ClaimRight::ClaimRight(Executor& executor) noexcept {
  RuntimeCore* runtime = ExecutorAccess::RuntimeOf(executor);
  if (runtime == nullptr) return;
  if (t_thread.runtime == runtime) {
    granted_ = true;
  } else if (runtime->TryBorrow()) {
    granted_ = true;
    borrowed_ = runtime;
    outer_runtime_ = std::exchange(t_thread.runtime, runtime);
    outer_slot_ = std::exchange(t_thread.slot, nullptr);
  }
}

void ClaimRight::Return() noexcept {
  t_thread.runtime = outer_runtime_;
  t_thread.slot = outer_slot_;
  borrowed_->ReturnPermit();
}

// ---- blocking ----

BlockingSection::BlockingSection(RuntimeCore* served) noexcept {
  if (RuntimeCore* own = t_thread.runtime) {
    if (!own->BeginBlocked()) {
      failure_ = Error(Errc::OutOfResources, "Wait: no spare worker is left to go on in place of this one");
      return;
    }
    worker_of_ = own;
    if (Observer* observer = own->GetObserver()) observer->WorkerBlocked();
  } else if (served != nullptr && served->IsVirtual()) {
    watched_ = served;
  }
}

void BlockingSection::Suspend() noexcept {
  if (worker_of_ == nullptr && watched_ == nullptr) return;
  if (suspended_.exchange(true, std::memory_order_acq_rel)) return;
  if (worker_of_ != nullptr) worker_of_->ReturnPermit();
  if (watched_ != nullptr) watched_->OutsideSleeps();
}

void BlockingSection::Resume() noexcept {
  if (!suspended_.exchange(false, std::memory_order_acq_rel)) return;
  if (worker_of_ != nullptr) worker_of_->TakePermitBack();
  if (watched_ != nullptr) watched_->OutsideWakes();
}

BlockingSection::~BlockingSection() {
  Resume();
  if (worker_of_ == nullptr) return;
  worker_of_->EndBlocked();
  if (Observer* observer = worker_of_->GetObserver()) observer->WorkerResumed();
}

TimerService* BlockingSection::VirtualTimers() const noexcept {
  RuntimeCore* runtime = worker_of_ != nullptr ? worker_of_ : watched_;
  return runtime != nullptr && runtime->IsVirtual() ? &runtime->Timers() : nullptr;
}

// ---- the rest ----

void SendReport(Executor* executor, const Report& report) noexcept {
  RuntimeCore* runtime = executor != nullptr ? ExecutorAccess::RuntimeOf(*executor) : nullptr;
  if (runtime != nullptr) return runtime->SendReport(report);
  PrintReport(report);
}

Observer* ObserverOf(Executor& executor) noexcept {
  const auto* runtime = ExecutorAccess::RuntimeOf(executor);
  return runtime != nullptr ? runtime->GetObserver() : nullptr;
}

std::size_t StackLeft() noexcept {
  // The low end of this thread's stack, asked for once.
  thread_local char* const low = [] {
    pthread_attr_t attributes;
    void* address = nullptr;
    std::size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
      pthread_attr_getstack(&attributes, &address, &size);
      pthread_attr_destroy(&attributes);
    }
    return static_cast<char*>(address);
  }();
  return static_cast<std::size_t>(static_cast<char*>(__builtin_frame_address(0)) - low);
}

}  // namespace orchestrate::inline v1::detail
