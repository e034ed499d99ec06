#include <orchestrate/testkit/manual_executor.hpp>

#include <utility>

#include "exec/scheduling.hpp"

namespace orchestrate::inline v1 {

using detail::MutexLock;

ManualExecutor::ManualExecutor(TimePoint start)
    : clock_(ManualClock::ByHand, start), timers_(clock_, TimersByHand()) {}

ManualExecutor::~ManualExecutor() {
  Shutdown(ShutdownMode::Cancel);
  Detach();
}

void ManualExecutor::Post(Work work) noexcept {
  const MutexLock lock(mutex_);
  if (closed_) return;  // `work` outlives the lock: its task ends outside of it
  queue_.Push(*work.Release());
  ++queued_;
}

bool ManualExecutor::RunOne() noexcept {
  timers_.FireDue();
  detail::WorkNode* node = nullptr;
  {
    const MutexLock lock(mutex_);
    node = queue_.Pop();
    if (node == nullptr) return false;
    --queued_;
  }
  node->ops->run(*node);
  return true;
}

std::size_t ManualExecutor::RunUntilIdle() noexcept {
  std::size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

std::size_t ManualExecutor::AdvanceTo(TimePoint to) noexcept {
  std::size_t count = RunUntilIdle();
  for (TimePoint next = timers_.NextDue(); next <= to && next != TimePoint::max(); next = timers_.NextDue()) {
    clock_.AdvanceTo(next);
    count += RunUntilIdle();
  }
  clock_.AdvanceTo(to);
  return count + RunUntilIdle();
}

void ManualExecutor::Shutdown(ShutdownMode mode) noexcept {
  running_.store(false, std::memory_order_release);
  if (mode == ShutdownMode::Drain) RunUntilIdle();
  if (mode == ShutdownMode::Cancel) {
    auto& attachment = detail::ExecutorAccess::AttachmentOf(*this);
    if (auto* root = attachment.load(std::memory_order_acquire)) root->CancelAll();
  }
  timers_.Stop();
  do {
    RunUntilIdle();
  } while (!CloseIfEmpty());
}

bool ManualExecutor::CloseIfEmpty() noexcept {
  const MutexLock lock(mutex_);
  closed_ = queue_.Empty();
  return closed_;
}

std::size_t ManualExecutor::Queued() const noexcept {
  const MutexLock lock(mutex_);
  return queued_;
}

}  // namespace orchestrate::inline v1
