#include "task/context_end.hpp"

#include <string>
#include <utility>

#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

bool TryPin(TaskCore& core) noexcept {
  auto state = core.state.load(sync::memory_order_acquire);
  for (;;) {
    const auto phase = state & ContextNode::kPhaseMask;
    const bool passes_by = phase == kAdopting && (state & (ContextNode::kNoBody | ContextNode::kOpen)) == 0;
    if (!passes_by && !IsBodiless(state)) return false;
    if (passes_by || (state & ContextNode::kPinned) != 0) {
      sync::Relax();
      state = core.state.load(sync::memory_order_acquire);
    } else if (core.state.compare_exchange_weak(state, state | ContextNode::kPinned,
                                                sync::memory_order_acquire, sync::memory_order_acquire)) {
      return true;
    }
  }
}

namespace {

// A reference to a node of the tree of contexts.
class NodeRef {
 public:
  explicit NodeRef(ContextNode* node = nullptr) noexcept : node_(node) {}  // takes it over
  NodeRef(NodeRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodeRef() {
    if (node_ != nullptr) UnrefNode(*node_);
  }

  explicit operator bool() const noexcept { return node_ != nullptr; }
  [[nodiscard]] ContextNode& operator*() const noexcept { return *node_; }

 private:
  ContextNode* node_;
};

// The parent of a task that was started or attached; none when it has none yet.
NodeRef ParentOf(TaskCore& task) noexcept {
  const bool is_pinned = TryPin(task) || TryFlip(task, kRunning, ContextNode::kPinned);
  if (!is_pinned && !task.IsTerminal()) return NodeRef();
  ContextNode* const parent = task.parent;
  if (parent != nullptr) RefNode(*parent);
  if (is_pinned) Unpin(task);
  return NodeRef(parent);
}

// A continuation takes over at once what it would inherit from its predecessor.
void Inherit(TaskCore& core) noexcept {
  NodeRef parent;
  TaskCore* before = SharePredecessor(core);
  while (before != nullptr && !parent) {
    parent = ParentOf(*before);
    TaskCore* const next = SharePredecessor(*before);
    Unref(*std::exchange(before, next));
  }
  if (before != nullptr) Unref(*before);
  if (!parent || !TryFlip(core, kAttached, ContextNode::kPinned)) return;
  if (core.parent == nullptr) Adopt(core, *parent);
  Unpin(core);
}

// The context whose end is that of `core`, too; none while it is not bodiless or has none yet.
NodeRef ContextToFollow(TaskCore& core) noexcept {
  if (core.Ops().timed || !IsBodiless(core.state.load(sync::memory_order_acquire))) return NodeRef();
  NodeRef parent = ParentOf(core);
  if (parent) return parent;
  Inherit(core);
  return ParentOf(core);
}

}  // namespace

bool EndIfContextEnded(TaskCore& core) noexcept {
  if (const NodeRef parent = ContextToFollow(core)) {
    if (const Error ended = EndOf(*parent)) EndBound(core, ended);
  }
  return core.IsTerminal();
}

namespace {

// True where `own` is the sentence `ended`, which the body may have put something in front of.
bool IsEcho(const Error& own, const Error& ended) {
  if (own.Code() != ended.Code()) return false;
  const std::string said = own.Message();
  const std::string end = ended.Message();
  return said == end || said.ends_with(": " + end);
}

}  // namespace

Error EndWithOwn(const Error& ended, const Error& own) noexcept {
  return MakeError([&] {
    if (IsEcho(own, ended)) return own;
    const bool is_same_end = own.Code() == Errc::ShutDown && ended.Is(Errc::ShutDown);
    return is_same_end ? ended : ended.WithCause(own);
  });
}

void FollowContext(TaskCore& core) noexcept {
  try {
    while (const NodeRef parent = ContextToFollow(core)) {
      if (!TieTask(core, *parent)) continue;
      // Sequentially consistent: PublishEnd() moves the epoch on and then looks for links.
      (void)g_end_epoch.fetch_add(0, sync::memory_order_seq_cst);
      if (const Error ended = EndOf(*parent)) EndBound(core, ended);
      return;
    }
  } catch (...) {  // without memory: the next look at it ends the task
  }
}

}  // namespace orchestrate::inline v1::detail
