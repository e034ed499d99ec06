#include <orchestrate/task/detail/task_core.hpp>

#include <bit>
#include <new>
#include <string>

#include <orchestrate/time/ticks.hpp>
#include "base/error_rep.hpp"
#include "exec/forked.hpp"
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "task/context_end.hpp"
#include "task/deferred_delete.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

// ---- identity ----

namespace {

struct SiteInfo {
  std::source_location location;
  std::string name;
};

static_assert(sizeof(std::source_location) == sizeof(std::uintptr_t));

SiteInfo* InfoOf(std::uintptr_t site) noexcept {
  return (site & 1) != 0 ? reinterpret_cast<SiteInfo*>(site & ~std::uintptr_t{1}) : nullptr;  // NOLINT
}

}  // namespace

TaskCore::TaskCore(const TaskOps& task_ops, std::source_location location, std::uint32_t first_refs) noexcept
    : WorkNode{&task_ops, nullptr},
      ContextNode(nullptr, nullptr, kTask, first_refs),
      site(std::bit_cast<std::uintptr_t>(location)) {}  // NOLINT: a pointer

void SetName(TaskCore& core, std::string_view name) {
  if (name.empty()) return;
  auto plain = core.site.load(sync::memory_order_acquire);
  if (InfoOf(plain) != nullptr) return;
  auto* info = new SiteInfo{SiteOf(core), std::string(name)};
  // Release pairs with the acquire in SiteOf(). The first of several concurrent Run() names the task.
  if (!core.site.compare_exchange_strong(plain, reinterpret_cast<std::uintptr_t>(info) | 1,  // NOLINT
                                         sync::memory_order_release, sync::memory_order_relaxed)) {
    delete info;
  }
}

std::string_view NameOf(const TaskCore& core) noexcept {
  const auto* info = InfoOf(core.site.load(sync::memory_order_acquire));
  return info != nullptr ? std::string_view(info->name) : std::string_view();
}

std::source_location SiteOf(const TaskCore& core) noexcept {
  const auto site = core.site.load(sync::memory_order_acquire);
  if (const auto* info = InfoOf(site)) return info->location;
  return std::bit_cast<std::source_location>(site);
}

std::uint64_t IdOf(TaskCore& core) noexcept {
  static constinit sync::atomic<std::uint64_t> next{1};
  auto id = core.id.load(sync::memory_order_relaxed);
  if (id != 0) return id;
  const auto fresh = next.fetch_add(1, sync::memory_order_relaxed);
  return core.id.compare_exchange_strong(id, fresh, sync::memory_order_relaxed) ? fresh : id;
}

// ---- what others see ----

Error ReadError(TaskCore& core) noexcept {
  const auto state = core.state.load(sync::memory_order_acquire);
  const auto phase = state & ContextNode::kPhaseMask;
  if (phase == kCompleted) return {};
  if ((state & ContextNode::kRead) == 0) core.state.fetch_or(ContextNode::kRead, sync::memory_order_relaxed);
  return core.error.Get();
}

bool IsOfBody(const TaskCore& core) noexcept {
  const ContextNode* parent = core.parent;
  if (parent == nullptr || (parent->flags & ContextNode::kTask) == 0) return false;
  return (parent->state.load(sync::memory_order_acquire) & ContextNode::kPhaseMask) < kCompleted;
}

TaskState StateOf(const TaskCore& core) noexcept {
  const auto state = core.state.load(sync::memory_order_acquire);
  switch (state & ContextNode::kPhaseMask) {
    case kRunning:
      return (state & ContextNode::kEnded) != 0 ? TaskState::Cancelled : TaskState::Running;
    case kAdopting:
      return (state & ContextNode::kNoBody) != 0 ? TaskState::Running : TaskState::Created;
    case kCompleted:
      return TaskState::Completed;
    case kFailed:
      return TaskState::Failed;
    case kCancelled:
      return TaskState::Cancelled;
    default:
      return TaskState::Created;
  }
}

std::chrono::nanoseconds DurationOf(const TaskCore& core) noexcept {
  const auto phase = core.PhaseNow();
  if (phase < kRunning) return {};
  const auto ticks = core.ticks.load(sync::memory_order_relaxed);
  if (phase >= kCompleted) return TicksToDuration(ticks);
  const auto now = ReadTicks();
  // The body may have left meanwhile: then the field holds the duration already.
  if (core.IsTerminal()) return TicksToDuration(core.ticks.load(sync::memory_order_relaxed));
  return ticks == 0 || ticks > now ? std::chrono::nanoseconds{} : TicksToDuration(now - ticks);
}

// ---- the end of a block ----

namespace {

// What the program has ended itself, by cancelling or by shutting a runtime down, is no failure to tell of.
bool IsEndedByProgram(const Error& error) noexcept {
  const auto codes = ErrorReps::CodesOf(error);
  return (codes & ~(ErrorReps::BitOf(Errc::Cancelled) | ErrorReps::BitOf(Errc::ShutDown))) == 0;
}

void ReportUnread(TaskCore& core) noexcept {
  const Error error = core.error.Get();
  if (IsEndedByProgram(error)) return;
  const auto location = SiteOf(core);
  SendReport(core.scope != nullptr ? LastingRuntimeOf(core) : nullptr,
             {.what = "a task failed and nobody read its error",
              .task = NameOf(core),
              .file = location.file_name(),
              .line = location.line(),
              .error = error,
              .column = location.column()});
}

}  // namespace

void DestroyCore(TaskCore& core) noexcept {
  const auto state = core.state.load(sync::memory_order_acquire);
  if ((state & ContextNode::kPhaseMask) == kFailed && (state & ContextNode::kRead) == 0) ReportUnread(core);
  DiscardCallable(core);
  DestroyLinks(core);
  ContextNode* parent = core.parent;
  delete InfoOf(core.site.load(sync::memory_order_relaxed));
  core.Ops().release(core);
  if (parent != nullptr) UnrefNode(*parent);
}

void UnrefOnly(TaskCore& core) noexcept {
  // A linked core can be revived by its parent's end (TryRefNode) until its count is zero.
  if (core.links.load(sync::memory_order_acquire) != nullptr &&
      core.refs.fetch_sub(1, sync::memory_order_acq_rel) != 1) {
    return;
  }
  UnrefLast(core);
}

namespace {

// Most blocks: nobody is told of their end, nothing of the user's and no other task goes with them. (The
// parent may go when it is given up by all at this very moment, but not a chain of them.)
bool GoesAlone(const TaskCore& core) noexcept {
  const ContextNode* parent = core.parent;
  return core.Ops().plain && core.PhaseNow() == kCompleted && !core.error.IsSet() &&
         core.links.load(sync::memory_order_relaxed) == nullptr &&
         InfoOf(core.site.load(sync::memory_order_relaxed)) == nullptr &&
         (parent == nullptr || (parent->flags & ContextNode::kRoot) != 0 ||
          parent->refs.load(sync::memory_order_relaxed) > 1);
}

}  // namespace

void UnrefLast(TaskCore& core) noexcept {
  if (GoesAlone(core)) {
    ContextNode* parent = core.parent;
    core.Ops().release(core);
    if (parent != nullptr) UnrefNode(*parent);
    return;
  }
  DeleteLater(core);
}

void UnrefCreated(TaskCore& core) noexcept {
  // Under the lock of the list, so that a waiter which is told that its handle is the last one cannot free
  // the core before this call has let go of it. Whoever ends the task meanwhile waits for the lock, too.
  std::uint32_t before = 0;
  const bool open = NoteWaited(core) && core.waiters.WithLock([&core, &before](Waiter*& first) {
    before = core.refs.fetch_sub(1, sync::memory_order_acq_rel);
    if (before != 2) return;
    for (Waiter* at = first; at != nullptr; at = at->next) at->notify(*at, core, Notice::Look);
  });
  if (!open) before = core.refs.fetch_sub(1, sync::memory_order_acq_rel);
  if (before == 1) UnrefLast(core);
}

// ---- starting ----

void Adopt(TaskCore& core, ContextNode& parent) noexcept {
  RefNode(parent);
  core.parent = &parent;
  core.scope = parent.scope;
  core.flags |= parent.scope->flags & ContextNode::kObserved;
  core.seen_epoch.store(parent.seen_epoch.load(sync::memory_order_relaxed), sync::memory_order_relaxed);
}

void Submit(TaskCore& core) noexcept {
  if ((core.flags & ContextNode::kObserved) != 0) NoteSpawned(core);
  core.state.store(kQueued, sync::memory_order_release);
  if (!PostTask(core)) Refuse(core);
}

bool TryFlip(TaskCore& core, std::uint32_t from, std::uint32_t bits) noexcept {
  auto state = core.state.load(sync::memory_order_relaxed);
  for (;;) {
    if ((state & ContextNode::kPhaseMask) != from) return false;
    if ((state & ContextNode::kPinned) != 0) {
      sync::Relax();
      state = core.state.load(sync::memory_order_relaxed);
    } else if (core.state.compare_exchange_weak(state, state ^ bits, sync::memory_order_acquire,
                                                sync::memory_order_relaxed)) {
      return true;
    }
  }
}

namespace {

// Adopting → `to`. Release pairs with the acquire of whoever runs or cancels the task: parent and scope are
// set.
void LeaveAdopting(TaskCore& core, std::uint32_t to) noexcept {
  if ((core.flags & ContextNode::kObserved) == 0) {
    // Nobody else changes the state in this phase, so a store does.
    const auto state = core.state.load(sync::memory_order_relaxed);
    return core.state.store(state ^ (kAdopting ^ to), sync::memory_order_release);
  }
  // The observer is code of the user, for which nobody has to wait.
  core.state.fetch_or(ContextNode::kOpen, sync::memory_order_relaxed);
  NoteSpawned(core);
  core.state.fetch_xor((kAdopting ^ to) | ContextNode::kOpen, sync::memory_order_release);
}

// A waiter came before the task had a context.
void FollowIfWaited(TaskCore& core) noexcept {
  if ((core.state.load(sync::memory_order_relaxed) & ContextNode::kFollows) != 0) FollowContext(core);
}

}  // namespace

bool TryAdopt(TaskCore& core, std::uint32_t from, std::uint32_t to, ContextNode& parent,
              std::uint32_t more_flags) noexcept {
  if (!TryFlip(core, from, from ^ kAdopting)) return false;
  if (core.parent == nullptr) Adopt(core, parent);
  if (more_flags != 0) core.flags |= more_flags;
  if (from == kAttached) ForgetPlace(core);
  LeaveAdopting(core, to);
  FollowIfWaited(core);
  return true;
}

bool TryAdoptBatched(TaskCore& core, ContextNode& parent) noexcept {
  auto state = core.state.load(sync::memory_order_relaxed);
  do {
    if ((state & ContextNode::kPhaseMask) != kCreated) return false;
  } while (!core.state.compare_exchange_weak(state, state ^ (kCreated ^ kAdopting),
                                             sync::memory_order_acquire, sync::memory_order_relaxed));
  core.parent = &parent;
  core.scope = parent.scope;
  core.flags |= ContextNode::kAdmitted | (parent.scope->flags & ContextNode::kObserved);
  core.seen_epoch.store(parent.seen_epoch.load(sync::memory_order_relaxed), sync::memory_order_relaxed);
  LeaveAdopting(core, kBatched);
  FollowIfWaited(core);
  return true;
}

void Start(TaskCore& core, ContextNode& parent) noexcept {
  Ref(core);  // the queue's
  if (!TryAdopt(core, kCreated, kQueued, parent)) return Unref(core);
  NoteQueued(core);
  if (!PostTask(core)) Refuse(core, "Task::Run");
}

}  // namespace orchestrate::inline v1::detail
