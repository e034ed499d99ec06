#include "task/wait_cycle.hpp"

#include <mutex>

#include "exec/scheduling.hpp"

#include "task/wait_search.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// The job that has admitted `core`; null when one of its places may be waited for as well.
TaskCore* UnlimitedJobOf(const TaskCore& core) noexcept {
  constexpr auto kNoLimit = ~std::size_t{0};
  auto* job = static_cast<TaskCore*>(const_cast<ContextNode*>(JobOf(core)));  // NOLINT: it is not const
  const bool has_places = job == nullptr || job->Ops().width == nullptr || job->Ops().width(*job) != kNoLimit;
  return has_places ? nullptr : job;
}

int CountInsiders(TaskCore& core) noexcept {
  int count = 0;
  core.waiters.WithLock([&count](Waiter*& first) {
    for (Waiter* at = first; at != nullptr; at = at->next) count += IsOutsider(*at) ? 0 : 1;
  });
  return count;
}

// Whether a body that waits, or another task, may wait for the end of `core`. One that comes later sees what
// this thread has entered before: a waiter by the list's lock, another task by this release, which pairs with
// the acquire in NoteWaited().
bool IsAwaited(TaskCore& core) noexcept {
  for (TaskCore* at = &core;;) {
    const bool is_admitted = (at->flags & ContextNode::kAdmitted) != 0;
    TaskCore* const job = is_admitted ? UnlimitedJobOf(*at) : nullptr;
    if (is_admitted && job == nullptr) return true;
    const auto state = at->state.fetch_or(0, sync::memory_order_acq_rel);
    const int of_job = job != nullptr ? 1 : 0;  // by which it hears of the end
    if ((state & ContextNode::kNeeded) != 0 || CountInsiders(*at) > of_job) return true;
    if (job == nullptr) return false;
    at = job;
  }
}

// Whether no other wait can depend on this thread.
bool NothingDepends() noexcept {
  for (const Frame* frame = CurrentFrame(); frame != nullptr; frame = frame->outer) {
    if (frame->piece != nullptr || RuntimeOf(*frame->core) == nullptr || IsAwaited(*frame->core))
      return false;
  }
  return true;
}

// Of a task whose body leaves, or has left.
bool ReturnedFromAPlace(const TaskCore& core) noexcept {
  const Frame* frame = CurrentFrame();
  while (frame != nullptr && frame->core != &core) frame = frame->outer;
  return frame == nullptr || KeepsPlace(*frame);
}

std::uint64_t NextNumber() noexcept {
  static constinit sync::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, sync::memory_order_relaxed) + 1;
}

}  // namespace

// ---- waits ----

WaitTargets TargetsOf(TaskCore& core) noexcept {
  const auto at = [](const void* data, std::size_t /*index*/) noexcept {
    return static_cast<TaskCore*>(const_cast<void*>(data));  // NOLINT: it is not const
  };
  return {.at = at, .data = &core, .count = 1};
}

bool BlockedWait::Publish(const WaitTargets& targets) noexcept {
  if (CurrentFrame() == nullptr) return false;
  record_ = PublishFrames();
  if (record_ == nullptr) return false;
  number_ = NextNumber();
  const std::lock_guard lock(record_->mutex);
  record_->number = number_;
  record_->told = false;
  record_->targets = targets;
  record_->sleeper = &sleeper_;
  return true;
}

void BlockedWait::Leave() noexcept {
  if (number_ == 0) return;
  number_ = 0;
  const std::lock_guard lock(record_->mutex);
  record_->number = 0;
  record_->sleeper = nullptr;
}

Error BlockedWait::Enter(const WaitTargets& targets) noexcept {
  if (!Publish(targets)) return {};
  try {
    for (;;) {
      WaitSearch search;
      search.FromThread(*record_, number_, NothingDepends);
      if (!search.FoundCycle()) return {};
      if (search.TryTell()) break;
    }
  } catch (...) {  // without memory nothing is found
    return {};
  }
  return {Errc::WouldDeadlock, "Wait: the task waits, through others, for itself"};
}

void BlockedWait::EnterPiece(const ForkPiece& piece) noexcept {
  if (!Publish({.piece = &piece})) return;
  try {
    WaitSearch search;
    search.FromThread(*record_, number_, NothingDepends);
    if (search.FoundCycle()) search.TellOthers();
  } catch (...) {  // the same
  }
}

// ---- dependencies ----

bool Dependency::Begin(TaskCore& outer, TaskCore& inner, Kind kind) noexcept {
  of_task_.key = &outer;
  of_task_.task = &inner;
  of_task_.is_timed = kind == Kind::Timed;
  AddWaitLink(of_task_);
  if (const ContextNode* job = JobOf(outer)) {
    of_job_.key = static_cast<const TaskCore*>(job);
    of_job_.task = &inner;
    of_job_.is_timed = of_task_.is_timed;
    of_job_.keeps_place = ReturnedFromAPlace(outer);
    AddWaitLink(of_job_);
  }
  if (kind == Kind::Timed || !NoteWaited(inner, ContextNode::kNeeded) || !IsAwaited(outer)) return true;
  try {
    for (;;) {
      WaitSearch search;
      search.FromTask(outer);
      if (!search.FoundCycle()) {
        search.TellOthers();  // what a body returned keeps its place from others, too
        return true;
      }
      if (search.TryRefuse(*this)) return false;
    }
  } catch (...) {  // without memory nothing is found
    return true;
  }
}

void Dependency::End() noexcept {
  for (WaitLink* link : {&of_task_, &of_job_}) {
    if (link->key == nullptr) continue;
    RemoveWaitLink(*link);
    link->key = nullptr;
  }
}

// ---- what one look tells ----

bool WorksOn(const Frame* frames, const ContextNode& root) noexcept {
  for (; frames != nullptr; frames = frames->outer) {
    bool found = false;
    ForEachForeignRoot(*frames->core, [&](const ContextNode& at) { found = found || &at == &root; });
    if (found) return true;
  }
  return false;
}

bool IsBehind(const Frame* frames, const TaskCore& core) noexcept {
  const auto phase = core.PhaseNow();
  const bool is_job = core.Ops().help != nullptr && phase == kRunning;
  if (frames == nullptr || (phase != kQueued && !is_job)) return false;
  bool behind = false;
  ForEachForeignRoot(core, [&](const ContextNode& root) {
    behind = behind || (WorksOn(frames, root) && !ExecutorOf(root).GetCapabilities().parallel);
  });
  return behind;
}

bool Keeps(const Frame* frames, const TaskCore& core) noexcept {
  if (core.PhaseNow() != kRunning) return false;
  const bool is_job = core.Ops().help != nullptr;
  for (; frames != nullptr; frames = frames->outer) {
    if (frames->core == &core || (is_job && JobOf(*frames->core) == &core)) return true;
  }
  return false;
}

}  // namespace orchestrate::inline v1::detail
