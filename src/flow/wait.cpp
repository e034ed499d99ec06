#include <orchestrate/flow/wait.hpp>

#include <string>
#include <thread>

#include <orchestrate/task/detail/thread_wait.hpp>
#include "exec/forked.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {
namespace {

RuntimeCore* ServedBy(const TaskCore& core) noexcept {
  const auto phase = core.PhaseNow();
  return phase >= kQueued && core.scope != nullptr ? ExecutorAccess::RuntimeOf(ExecutorOf(core)) : nullptr;
}

// One thread in the lists of several tasks.
class AnyWait : public ThreadWait {
 public:
  AnyWait(RuntimeCore* served, const Cores& cores) : ThreadWait(served), cores_(cores), nodes_(cores.size()) {}

  // The index of a task that has ended, or why none ever will.
  Result<std::size_t> Run() noexcept {
    AddAll();
    Error hopeless;
    while (!Finished()) {
      hopeless = WhyHopeless();
      if (hopeless) break;
      Sleep();
    }
    RemoveAll();
    for (std::size_t i = 0; i < cores_.size(); ++i) {
      if (cores_[i] != nullptr && cores_[i]->IsTerminal()) return i;
    }
    return hopeless;
  }

 private:
  struct Node : Waiter {
    AnyWait* owner = nullptr;
    bool added = false;
  };

  static TaskCore* Notify(Waiter& waiter, TaskCore& /*core*/, Notice notice) noexcept {
    AnyWait& self = *static_cast<Node&>(waiter).owner;
    if (notice == Notice::Lonely) {
      self.Nudge();
    } else {
      if (!self.claimed_.exchange(true, sync::memory_order_acq_rel)) self.Finish();
      // Release pairs with the acquire in RemoveAll(): the last access of this notifier.
      self.listed_.fetch_sub(1, sync::memory_order_release);
    }
    return nullptr;
  }

  void AddAll() noexcept {
    for (std::size_t i = 0; i < cores_.size() && !Finished(); ++i) {
      if (cores_[i] == nullptr) continue;
      LendAdmission(*cores_[i]);
      nodes_[i].owner = this;
      nodes_[i].notify = Notify;
      listed_.fetch_add(1, sync::memory_order_relaxed);
      nodes_[i].added = cores_[i]->waiters.Add(nodes_[i]);
      if (nodes_[i].added) continue;
      (void)Notify(nodes_[i], *cores_[i], Notice::Ended);
      return;
    }
  }

  [[nodiscard]] Error WhyHopeless() const noexcept {
    Error last;
    for (TaskCore* core : cores_) {
      if (core == nullptr) continue;
      last = CannotEnd(*core);
      if (!last) return {};
    }
    return last;
  }

  // Afterwards nobody touches this object any more.
  void RemoveAll() noexcept {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].added && cores_[i]->waiters.Remove(nodes_[i])) listed_.fetch_sub(1, sync::memory_order_relaxed);
    }
    while (listed_.load(sync::memory_order_acquire) != 0) std::this_thread::yield();
  }

  const Cores& cores_;
  std::vector<Node> nodes_;
  sync::atomic<bool> claimed_{false};
  sync::atomic<std::size_t> listed_{0};
};

}  // namespace

TimePoint DeadlineFor(const Cores& cores, Nanoseconds timeout) noexcept {
  for (const TaskCore* core : cores) {
    if (core != nullptr && core->PhaseNow() >= kQueued && core->scope != nullptr) {
      return SaturatingAdd(ExecutorOf(*core).Now(), timeout);
    }
  }
  const TaskCore* current = CurrentTask();
  return SaturatingAdd(current != nullptr ? ExecutorOf(*current).Now() : Clock::now(), timeout);
}

Error WaitAllUntil(const Cores& cores, TimePoint deadline) {
  ErrorCollector errors;
  std::size_t open = 0;
  for (TaskCore* core : cores) {
    Error failure;
    if (core == nullptr) {
      errors.Add({});
    } else if (AwaitUntil(*core, deadline, failure)) {
      errors.Add(ReadError(*core));
    } else if (failure) {
      errors.Add(std::move(failure));
    } else {
      ++open;
    }
  }
  if (open == 0) return errors.Take();
  Error late(Errc::DeadlineExceeded, "WaitAllFor: " + std::to_string(open) + " of " + std::to_string(cores.size()) +
                                         " tasks have not ended");
  if (Error failed = errors.Take()) late = late.WithCause(std::move(failed));
  return late;
}

Result<std::size_t> WaitForAny(const Cores& cores) {
  RuntimeCore* served = nullptr;
  bool any = false;
  for (std::size_t i = 0; i < cores.size(); ++i) {
    if (cores[i] == nullptr) continue;
    if (cores[i]->IsTerminal()) return i;
    if (served == nullptr) served = ServedBy(*cores[i]);
    any = true;
  }
  if (!any) return Error(Errc::InvalidArgument, "WaitAny: 0 tasks, must be >= 1");
  if (IsForked()) return ForkedError("WaitAny");
  AnyWait wait(served, cores);
  if (wait.Failure()) return wait.Failure();
  return wait.Run();
}

}  // namespace orchestrate::inline v1::detail
