#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <string_view>

#include <orchestrate/base/error.hpp>
#include <orchestrate/exec/work.hpp>
#include <orchestrate/task/detail/context_node.hpp>
#include <orchestrate/task/detail/wait_table.hpp>
#include <orchestrate/task/detail/waiter_list.hpp>
#include <orchestrate/task/task_state.hpp>

namespace orchestrate::inline v1::detail {

struct TaskCore;
struct ChainNode;
struct FollowNode;

// The lifecycle in the low bits of ContextNode::state. Only one thread at a time owns a transition:
//   Created   → Adopting → Queued                Run(), by whoever wins the first exchange
//   Created   → Attached → Adopting → Queued     a continuation, when its predecessor has ended
//   Created   → Batched  → Running               a task of a throttled batch
//   Queued    → Running → Completed | Failed | Cancelled
//   every state before Running → Cancelled       Cancel(), the context, or a predecessor or owner that ended
//   early
inline constexpr std::uint32_t kCreated = 0;
inline constexpr std::uint32_t kAdopting = 1;
inline constexpr std::uint32_t kAttached = 2;
inline constexpr std::uint32_t kBatched = 3;
inline constexpr std::uint32_t kQueued = 4;
inline constexpr std::uint32_t kRunning = 5;
inline constexpr std::uint32_t kCompleted = 6;
inline constexpr std::uint32_t kFailed = 7;
inline constexpr std::uint32_t kCancelled = 8;

enum class BodyEnd : std::uint8_t { Value, Failure, Cancelled, Pending };

// How a body left. Cancelled: the task that it returned was. Pending: somebody else finishes the task later
// (a job, a flattened task).
struct BodyResult {
  BodyEnd end = BodyEnd::Value;
  Error error;
};

inline constexpr unsigned kCallable = 1;
inline constexpr unsigned kValue = 2;

struct TaskOps : WorkOps {
  void (*invoke)(TaskCore&, BodyResult&) noexcept;
  void (*destroy)(TaskCore&, unsigned parts) noexcept;
  void (*release)(TaskCore&) noexcept;  // ends the block's life and returns its memory
  // Of a running job: does some of its work on the thread that waits for it.
  void (*help)(TaskCore&) noexcept = nullptr;
  bool light = false;  // destroying callable and value does nothing
  // Nor does destroying what has to outlive them: giving it back runs and frees nothing else.
  bool plain = false;
  bool timed = false;  // has no body: a timer ends it, also when its context has ended
  // Of a running job: how many of its tasks run at a time; more than there are when that is not limited.
  std::size_t (*width)(const TaskCore&) noexcept = nullptr;
};

using Waiter = WaiterOf<TaskCore>;

// The untyped part of a task's block. docs/adr/0001 holds the byte budget.
struct TaskCore : WorkNode, ContextNode {
  ORCHESTRATE_API TaskCore(const TaskOps& task_ops, std::source_location location,
                           std::uint32_t first_refs) noexcept;
  TaskCore(const TaskCore&) = delete;
  TaskCore& operator=(const TaskCore&) = delete;

  [[nodiscard]] const TaskOps& Ops() const noexcept { return static_cast<const TaskOps&>(*ops); }
  [[nodiscard]] std::uint32_t PhaseNow() const noexcept {
    return state.load(sync::memory_order_acquire) & kPhaseMask;
  }
  [[nodiscard]] bool IsTerminal() const noexcept { return PhaseNow() >= kCompleted; }

  WaiterList<TaskCore> waiters;
  // When queued (observed only) or started; once terminal: how long; while attached: the predecessor's
  // address.
  sync::atomic<std::uint64_t> ticks{0};
  sync::atomic<std::uintptr_t> site;  // a source_location, or with bit 0 set a SiteInfo with a name
  sync::atomic<std::uint64_t> id{0};  // given on first request
  union {
    ChainNode* place = nullptr;  // of an attached or flattened task: its node in the list of the other one
    TimerService* timers;        // of a sleep
  };
};

// ---- life ----
inline void Ref(TaskCore& core) noexcept { core.refs.fetch_add(1, sync::memory_order_relaxed); }
// Of a core that nobody else knows yet.
inline void RefUnshared(TaskCore& core) noexcept {
  core.refs.store(core.refs.load(sync::memory_order_relaxed) + 1, sync::memory_order_relaxed);
}
ORCHESTRATE_API void UnrefOnly(TaskCore& core) noexcept;
ORCHESTRATE_API void UnrefLast(TaskCore& core) noexcept;
ORCHESTRATE_API void UnrefCreated(TaskCore& core) noexcept;
inline void Unref(TaskCore& core) noexcept {
  // Acquire pairs with the release of the other owners' decrements: the last one sees all they did.
  if (core.refs.load(sync::memory_order_acquire) == 1) return UnrefOnly(core);
  if (core.PhaseNow() == kCreated) return UnrefCreated(core);
  if (core.refs.fetch_sub(1, sync::memory_order_acq_rel) == 1) UnrefLast(core);
}
// Names a task that has no name.
ORCHESTRATE_API void SetName(TaskCore& core, std::string_view name);
ORCHESTRATE_API std::source_location SiteOf(const TaskCore& core) noexcept;

// ---- starting ----
// Ties an unshared core to its parent.
ORCHESTRATE_API void Adopt(TaskCore& core, ContextNode& parent) noexcept;
// Hands an adopted, unshared core whose second reference is the queue's to its executor.
ORCHESTRATE_API void Submit(TaskCore& core) noexcept;
// The WorkOps of every task.
ORCHESTRATE_API void RunQueued(WorkNode& node) noexcept;
ORCHESTRATE_API void DropQueued(WorkNode& node) noexcept;
ORCHESTRATE_API bool IsStaleEntry(const WorkNode& node) noexcept;

// ---- ending ----
ORCHESTRATE_API bool CancelTask(TaskCore& core, const Error& cause) noexcept;
// Ends a task whose body is on no thread and whose context has ended; true when it is terminal then.
ORCHESTRATE_API bool EndIfContextEnded(TaskCore& core) noexcept;
// The body has left, or (Pending bodies) the last part of the work has.
ORCHESTRATE_API void FinishBody(TaskCore& core, BodyResult& result) noexcept;
// Completes a task without a body. BeginSet claims the right (so that the value can be stored), EndSet
// publishes.
ORCHESTRATE_API bool BeginSet(TaskCore& core) noexcept;
ORCHESTRATE_API void EndSet(TaskCore& core, BodyResult& result) noexcept;

// The body of `outer` has returned `node.followed`: LeaveBody(), and `node`, which has a `notify`, is told of
// the end of that one. False when LeaveBody() was.
ORCHESTRATE_API bool StartFollowing(TaskCore& outer, FollowNode& node) noexcept;
// By a node that is told after its successor was ended otherwise: the thread that ends that one may still
// look for the node in the list, as long as it keeps the successor in `phase`.
ORCHESTRATE_API void AwaitLeaving(const TaskCore& successor, std::uint32_t phase) noexcept;
// Ends the pin of LeaveBody() or TryPin(). Release pairs with the acquire of the next to change the state.
inline void Unpin(TaskCore& core) noexcept {
  core.state.fetch_and(~ContextNode::kPinned, sync::memory_order_release);
}
// Turns `ticks` from the start into the duration, for work whose end is not its body's.
ORCHESTRATE_API void StampEnd(TaskCore& core) noexcept;

// ---- waiting ----
// Blocks until `core` is terminal. An error when that can never be.
ORCHESTRATE_API Error Await(TaskCore& core) noexcept;
// The error of a terminal task, marked as read; empty when it completed.
ORCHESTRATE_API Error ReadError(TaskCore& core) noexcept;
// The innermost task that runs on this thread, or null.
ORCHESTRATE_API TaskCore* CurrentTask() noexcept;

// ---- continuations ----
// Waits in the list of a task whose end may be that of `successor`, too.
struct ChainNode : Waiter {
  TaskCore* successor = nullptr;                   // a reference
  void (*release)(ChainNode&) noexcept = nullptr;  // of a node that is nobody's part
};
// Publishes the outcome of `node.successor`, for which BeginSet() was true, and has it told by the outermost
// call of this thread, so that the length of a chain costs no stack. Gives up the reference.
ORCHESTRATE_API void EndSetChained(ChainNode& node, BodyResult& result) noexcept;

// Releases a node whose `release` runs code of the user: when all that were to be told of an end have been.
ORCHESTRATE_API void SettleLater(ChainNode& node) noexcept;

// Waits in the list of the task that the body of `successor` returned.
struct FollowNode : ChainNode {
  TaskCore* followed = nullptr;  // whose list holds the node as long as it is the place of `successor`
  Dependency dependency;
};

// Sits in a continuation's block and in its predecessor's list.
struct AfterNode : ChainNode {
  AfterNode() noexcept = default;
  AfterNode(const AfterNode&) = delete;
  AfterNode& operator=(const AfterNode&) = delete;
  ~AfterNode() {
    if (predecessor != nullptr) Unref(*predecessor);
  }
  TaskCore* predecessor = nullptr;  // a reference once the predecessor has ended
};
enum class AfterMode : std::uint8_t { OnValue, Always };
// Adds a node that is told of the end, also of one by the end of the task's context; false when the task has
// ended: then it is told nothing.
[[nodiscard]] ORCHESTRATE_API bool AddWaiter(TaskCore& core, Waiter& node) noexcept;
// Attaches `node.successor` (created, with a reference for the list) to `predecessor`.
ORCHESTRATE_API void Attach(AfterNode& node, TaskCore& predecessor, AfterMode mode) noexcept;

}  // namespace orchestrate::inline v1::detail
