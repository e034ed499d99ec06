#include <mutex>

#include <orchestrate/exec/blocking.hpp>
#include <orchestrate/exec/detail/sharer.hpp>

#include "exec/observer_use.hpp"

#include "runtime_core.hpp"

// Work that threads keep to themselves until somebody asks for it.
namespace orchestrate::inline v1::detail {

Sharer::Sharer(RuntimeCore* runtime, void (*share_all)(Sharer&) noexcept) noexcept
    : runtime_(runtime), outer_(t_thread.sharer), share_all_(share_all) {
  ShareAllOfThread();  // while this one is here, nobody looks at the flag of an outer one
  t_thread.sharer = this;
  if (runtime_ != nullptr) runtime_->AddSharer(*this);
}

Sharer::~Sharer() {
  if (runtime_ != nullptr) runtime_->RemoveSharer(*this);
  t_thread.sharer = outer_;
}

void ShareAllOfThread() noexcept {
  for (Sharer* sharer = t_thread.sharer; sharer != nullptr; sharer = sharer->outer_) {
    sharer->share_all_(*sharer);
  }
}

void AskSharers(RuntimeCore* runtime) noexcept {
  if (runtime != nullptr) runtime->AskSharers();
}

// The entry first, then the look at the permits. Who becomes idle gives its permit back first and then asks:
// one of the two sees the other.
void RuntimeCore::AddSharer(Sharer& sharer) noexcept {
  {
    const std::lock_guard lock(sharers_mutex_);
    sharers_.PushBack(sharer);
    sharing_.fetch_add(1, std::memory_order_seq_cst);
  }
  if (permits_.AvailableNow() > 0 && !permits_.SpinningNow()) sharer.Ask();
}

void RuntimeCore::RemoveSharer(Sharer& sharer) noexcept {
  const std::lock_guard lock(sharers_mutex_);
  sharer.Unlink();
  sharing_.fetch_sub(1, std::memory_order_seq_cst);
}

void RuntimeCore::AskSharers() noexcept {
  if (!AnySharers()) return;
  const std::lock_guard lock(sharers_mutex_);
  for (Sharer* sharer = sharers_.Front(); sharer != nullptr; sharer = sharers_.Next(*sharer)) sharer->Ask();
}

// In virtual time the place is kept: while `fn` works the clock must not jump.
BlockingCall::BlockingCall() noexcept {
  RuntimeCore* runtime = t_thread.runtime;
  if (runtime == nullptr) return;
  ShareAllOfThread();
  if (runtime->IsVirtual() || !runtime->BeginBlocked()) return;
  gave_ = runtime;
  if (const ObserverUse observer(runtime); observer) observer->WorkerBlocked();
  runtime->ReturnPermit();
}

BlockingCall::~BlockingCall() {
  if (gave_ == nullptr) return;
  gave_->TakePermitBack();
  gave_->EndBlocked();
  if (const ObserverUse observer(gave_); observer) observer->WorkerResumed();
}

}  // namespace orchestrate::inline v1::detail
