#pragma once

#include <cstdint>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/sync.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/task/detail/atomic_error.hpp>
#include <orchestrate/time/clock.hpp>

namespace orchestrate::inline v1::detail {

struct ScopeNode;
struct ContextLinks;
struct TaskCore;

// A place in the tree of contexts: a scope (made by a With… function), a root, or a running task.
//
// A node ends by its own flag, by its deadline, or because an ancestor ended. Nothing is pushed down for
// that: readers poll upwards, and only nodes that somebody wants to be told about are linked into their
// parents.
struct ContextNode {
  // Bits of `state`.
  static constexpr std::uint32_t kPhaseMask = 15;  // a task's Phase
  static constexpr std::uint32_t kEnded = 16;      // ended by itself; `error` says why
  static constexpr std::uint32_t kRead = 32;       // somebody has seen the task's error
  static constexpr std::uint32_t kTaken = 64;      // the task's value was moved out
  static constexpr std::uint32_t kNoBody = 128;    // completed from outside
  static constexpr std::uint32_t kBodyGone = 256;  // of a kNoBody task: the callable was destroyed at its end
  static constexpr std::uint32_t kPinned = 512;    // a task without a body on a thread keeps its parent
  static constexpr std::uint32_t kWaited = 1024;   // the task's list of waiters is looked at, or was
  static constexpr std::uint32_t kOpen = 2048;     // of an adopting task: others may set flags meanwhile
  static constexpr std::uint32_t kFollows = 4096;  // a waiter has to hear of the end of the task's context
  static constexpr std::uint32_t kUncalled = 8192;  // of an ended task: its callable is still to be destroyed
  static constexpr std::uint32_t kNeeded = 16384;   // the end of another task depends on this one's, or did
  // Bits of `flags`, fixed once others can see the node.
  static constexpr std::uint32_t kTask = 1;
  static constexpr std::uint32_t kRoot = 2;
  static constexpr std::uint32_t kShield = 4;     // does not see its ancestors' end
  static constexpr std::uint32_t kDeadline = 8;   // it or an ancestor has one
  static constexpr std::uint32_t kObserved = 16;  // its runtime has an observer
  static constexpr std::uint32_t kSpawned = 32;   // the observer was told of the task
  static constexpr std::uint32_t kAdmitted = 64;  // of a job: the nearest task upwards, which waits for it

  ContextNode(ContextNode* parent_node, ScopeNode* nearest_scope, std::uint32_t node_flags,
              std::uint32_t first_refs) noexcept
      : refs(first_refs), flags(node_flags), parent(parent_node), scope(nearest_scope) {}

  sync::atomic<std::uint32_t> refs;
  sync::atomic<std::uint32_t> state{0};
  sync::atomic<std::uint32_t> seen_epoch{0};  // no ancestor had ended when the end epoch had this value
  std::uint32_t flags;
  sync::plain<ContextNode*> parent;  // holds a reference; null at a root and in a task that was not started
  sync::plain<ScopeNode*> scope;     // the nearest node upwards, itself included, that is not a task
  sync::atomic<ContextLinks*> links{nullptr};
  AtomicError error;
};

// What tells two keys of context values apart.
struct KeyId {
  const void* address;
  const void* type;
  friend bool operator==(const KeyId&, const KeyId&) noexcept = default;
};

// A node that is not a task: carries what tasks inherit.
struct ScopeNode : ContextNode {
  ScopeNode(ContextNode* parent_node, std::uint32_t node_flags) noexcept
      : ContextNode(parent_node, this, node_flags, 1) {}
  ScopeNode(const ScopeNode&) = delete;
  ScopeNode& operator=(const ScopeNode&) = delete;
  virtual ~ScopeNode() = default;

  // Tells a node with own means of ending (a timer, a signal) that somebody now wants to be told.
  virtual void Activate() noexcept {}
  [[nodiscard]] virtual const void* ValueOf(const KeyId& /*key*/) const noexcept { return nullptr; }

  ScopeNode* home = this;  // the root of its executor; holds a reference where it was named
  sync::atomic<Executor*> executor{nullptr};  // of a root
  RuntimeCore* runtime = nullptr;             // of a root: its executor, when that is a runtime's
  TimePoint deadline = TimePoint::max();      // the earliest of this scope and its ancestors
};

// Counts the ends of all nodes of the process. A node whose `seen_epoch` equals it cannot have ended since.
extern ORCHESTRATE_API constinit sync::atomic<std::uint32_t> g_end_epoch;

ORCHESTRATE_API void RefNode(ContextNode& node) noexcept;
ORCHESTRATE_API void UnrefNode(ContextNode& node) noexcept;
ORCHESTRATE_API bool TryRefNode(ContextNode& node) noexcept;

ORCHESTRATE_API Error SlowEndOf(ContextNode& node) noexcept;

// False: `node` has not ended.
[[nodiscard]] inline bool MayHaveEnded(const ContextNode& node) noexcept {
  // Acquire pairs with the release increment in PublishEnd(): whoever sees the new epoch sees the flag.
  const auto epoch = g_end_epoch.load(sync::memory_order_acquire);
  return epoch != node.seen_epoch.load(sync::memory_order_relaxed) ||
         (node.scope->flags & ContextNode::kDeadline) != 0 ||
         (node.state.load(sync::memory_order_relaxed) & ContextNode::kEnded) != 0;
}

// Why `node` has ended, empty while it has not. O(1) unless something ended or a deadline is near the top.
[[nodiscard]] inline Error EndOf(ContextNode& node) noexcept {
  return MayHaveEnded(node) ? SlowEndOf(node) : Error();
}

// True when `node`, or an ancestor that it sees, was marked as ended. Reads no clock and runs no user code,
// so it may be called under a lock; a deadline that has passed counts once EndOf() has seen it.
[[nodiscard]] ORCHESTRATE_API bool IsMarkedEnded(ContextNode& node) noexcept;

// One that refuses everything once the executor has ended, which it may at any moment after its last task.
[[nodiscard]] inline Executor& ExecutorOf(const ContextNode& node) noexcept {
  return *node.scope->home->executor.load(sync::memory_order_acquire);
}

// Queues work that was accepted before on the executor of `node`, which keeps it until this returns.
ORCHESTRATE_API void PostBelow(const ContextNode& node, WorkNode& work) noexcept;

// The runtime that is its executor, or null; the node keeps it in memory.
[[nodiscard]] inline RuntimeCore* RuntimeOf(const ContextNode& node) noexcept {
  return node.scope->home->runtime;
}

// The runtime at the bottom, below all strands, or null. It stays there also when it and the task have ended.
[[nodiscard]] ORCHESTRATE_API RuntimeCore* LastingRuntimeOf(const ContextNode& node) noexcept;

// The root context of `executor`, made on first use; the reference is borrowed.
ORCHESTRATE_API ScopeNode& RootOf(Executor& executor);
// The root of the default runtime.
ORCHESTRATE_API ScopeNode& DefaultRoot();

// Something to be told when a node ends: a child, a call-back, a blocked thread.
struct Link {
  Link* prev = nullptr;
  Link* next = nullptr;
  ContextLinks* in = nullptr;  // guarded by that list's lock
  // Called once under the lock of the list, which it has just left. Runs no user code and does not block;
  // what it returns is run after the lock was released.
  struct Deferred* (*fire)(Link&) noexcept = nullptr;
};

struct Deferred {
  Deferred* after = nullptr;
  void (*run)(Deferred&) noexcept = nullptr;
  bool runs_user_code = false;  // then it comes when everything below the node has heard of its end
};

// Adds `link`; false when the node has ended already, then nothing was added. Throws std::bad_alloc.
ORCHESTRATE_API bool AddLink(ContextNode& node, Link& link);
// True when `link` was still in place; false when it has fired (it is not firing any more).
ORCHESTRATE_API bool RemoveLink(ContextNode& node, Link& link) noexcept;

}  // namespace orchestrate::inline v1::detail
