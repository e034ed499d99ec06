#include <orchestrate/task/after.hpp>
#include <orchestrate/task/task.hpp>

#include <orchestrate/time/ticks.hpp>
#include "exec/forked.hpp"
#include "exec/observer_use.hpp"
#include "exec/runtime_core.hpp"
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {
namespace {

Error EmptyHandle(const char* function) noexcept {
  return Error(Errc::InvalidArgument, "the task handle is empty").WithContext(function);
}

}  // namespace

Error EmptyTask(const char* verb) noexcept {
  return Error(Errc::InvalidArgument, "the task is empty").WithContext(verb);
}

Error EmptyFunction(const char* verb) noexcept {
  return Error(Errc::InvalidArgument, "the function is empty").WithContext(verb);
}

void FailAtBirth(TaskCore& core, Error error, const Where& where) noexcept {
  core.error.TrySet(std::move(error));
  core.state.store(kFailed | ContextNode::kNoBody, sync::memory_order_relaxed);
  try {
    SetName(core, where.Name());
    if (WhereAccess::NamesPlace(where))
      WhereAccess::WithParent(where, [&core](ContextNode& parent) { Adopt(core, parent); });
  } catch (...) {  // then its report has no name, or goes to standard error
  }
}

// ---- refusals ----

Error RefusalOf(const char* verb, ContextNode& parent) noexcept {
  if (IsForked()) return ForkedError(verb);
  if (ExecutorOf(parent).IsRunning()) return {};
  if (const Error ended = EndOf(parent); ended && !ended.Is(Errc::ShutDown)) return {};
  return ShutDownError(parent).WithContext(verb);
}

Error EndRefusalOf(const char* verb, ContextNode& parent) noexcept {
  return EndOf(parent) ? RefusalOf(verb, parent) : Error();
}

Error EndOrRefusalOf(const char* verb, ContextNode& parent) noexcept {
  Error ended = EndOf(parent);
  if (!ended) return {};
  Error refusal = RefusalOf(verb, parent);
  return refusal ? refusal : ended;
}

Error RefusalAt(const char* verb, const Where& where) {
  return WhereAccess::WithParent(where, [verb](ContextNode& parent) { return RefusalOf(verb, parent); });
}

Error RefuseAfter(const char* verb, const Where& where, const TaskCore& before) {
  const auto refusal = [verb](ContextNode& parent) { return EndRefusalOf(verb, parent); };
  if (WhereAccess::NamesPlace(where)) return WhereAccess::WithParent(where, refusal);
  // A task has its parent for good once it was queued; before, or without one, it follows later.
  if (before.PhaseNow() < kQueued || before.parent == nullptr) return {};
  return refusal(*before.parent);
}

// ---- the handle ----

void TaskHandle::RunIn(const Where& where) const {
  if (core_ == nullptr) EmptyHandle("Task::Run").Rethrow();
  if (core_->PhaseNow() != kCreated) return;
  SetName(*core_, where.Name());
  WhereAccess::WithParent(where, [this](ContextNode& parent) { Start(*core_, parent); });
}

Error TaskHandle::SettleSlowly() const noexcept {
  if (core_ == nullptr) return EmptyHandle("Task");
  if (Error failure = Await(*core_)) return failure;
  return ReadError(*core_);
}

Error TaskHandle::Wait() const noexcept { return Settle(); }

Error TaskHandle::Wait(const Context& context) const noexcept {
  if (core_ == nullptr) return EmptyHandle("Task");
  if (Error failure = AwaitUnder(*core_, ContextAccess::Node(context))) return failure;
  return ReadError(*core_);
}

bool TaskHandle::WaitUntil(TimePoint deadline) const noexcept {
  if (core_ == nullptr) return false;
  Error failure;
  return AwaitUntil(*core_, deadline, failure);
}

TimePoint TaskHandle::ClockNow() const noexcept { return core_ != nullptr ? NowOf(*core_) : TimePoint(); }

bool TaskHandle::Cancel(const Error& cause) const noexcept {
  const TaskHandle keep(*this);  // whoever waits for the task may destroy this handle before the call returns
  return keep.core_ != nullptr && CancelTask(*keep.core_, cause);
}

TaskState TaskHandle::State() const noexcept {
  if (core_ == nullptr) return TaskState::Created;
  EndIfContextEnded(*core_);
  return StateOf(*core_);
}

std::chrono::nanoseconds TaskHandle::Duration() const noexcept {
  return core_ != nullptr ? DurationOf(*core_) : std::chrono::nanoseconds{};
}

std::uint64_t TaskHandle::Id() const noexcept { return core_ != nullptr ? IdOf(*core_) : 0; }

std::string_view TaskHandle::Name() const noexcept {
  return core_ != nullptr ? NameOf(*core_) : std::string_view();
}

// ---- between task and executor ----

bool PostTask(TaskCore& core, PostFn post) noexcept {
  if (IsForked()) return false;
  if (RuntimeCore* own = t_thread.runtime;
      own != nullptr && t_thread.slot != nullptr && own == RuntimeOf(core)) {
    // A worker keeps its runtime.
    if (!own->IsRunning()) return false;
    own->Enqueue(core);
    return true;
  }
  const ExecutorUse executor(core);
  if (!executor->IsRunning()) return false;
  post(*executor, core);
  return true;
}

void NoteSpawned(TaskCore& core) noexcept {
  const ObserverUse observer(LastingRuntimeOf(core));
  if (!observer || (core.flags & ContextNode::kSpawned) != 0) return;
  core.flags |= ContextNode::kSpawned;
  core.ticks.store(ReadTicks(), sync::memory_order_relaxed);
  observer->TaskSpawned(IdOf(core), NameOf(core));
}

void NoteStarted(TaskCore& core) noexcept {
  const ObserverUse observer(LastingRuntimeOf(core));
  if (!observer) return;
  const auto queued = core.ticks.load(sync::memory_order_relaxed);
  observer->TaskStarted(IdOf(core),
                        queued != 0 ? TicksToDuration(ReadTicks() - queued) : std::chrono::nanoseconds{});
}

void NoteEnded(TaskCore& core) noexcept {
  if ((core.flags & ContextNode::kSpawned) == 0) return;
  const ObserverUse observer(LastingRuntimeOf(core));
  if (!observer) return;
  observer->TaskEnded(IdOf(core), TicksToDuration(core.ticks.load(sync::memory_order_relaxed)));
}

}  // namespace orchestrate::inline v1::detail
