#include "task/root_node.hpp"

#include <mutex>
#include <thread>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/context.hpp>
#include "exec/forked.hpp"
#include "exec/runtime_core.hpp"
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "task/context_end.hpp"
#include "task/context_links.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// Takes the place of an executor that has ended: refuses everything.
class EndedExecutor final : public Executor {
 public:
  void Post(Work work) noexcept override { const Work refused = std::move(work); }
  [[nodiscard]] TimePoint Now() noexcept override { return Clock::now(); }
  [[nodiscard]] bool IsRunning() const noexcept override { return false; }
  // Those of the default runtime may not be made any more.
  [[nodiscard]] TimerService& Timers() noexcept override { return ClosedTimers(); }
};

EndedExecutor& Ended() noexcept {
  // Never destroyed: contexts in statics may outlive every other static.
  alignas(EndedExecutor) static unsigned char storage[sizeof(EndedExecutor)];
  static auto* const executor = ::new (static_cast<void*>(storage)) EndedExecutor;
  return *executor;
}

// Before main: a fork that met another thread in the guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_ended = Ended();

void DropRoot(RootNode& root, std::uint32_t count) noexcept {
  // Release pairs with the acquire of the last owner, which destroys the node.
  if (root.refs.fetch_sub(count, sync::memory_order_acq_rel) != count) return;
  DestroyLinks(root);
  if (root.kept != nullptr) {
    ExecutorAccess::AttachmentOf(*root.kept).store(nullptr, std::memory_order_relaxed);
    delete root.kept;
  }
  ContextNode* base = root.parent;
  delete &root;
  if (base != nullptr) UnrefNode(*base);
}

// A thread's stock of references to one root. Handed back when another root comes or the thread ends.
struct RootStock {
  RootNode* root = nullptr;
  std::uint32_t count = 0;
};
constexpr std::uint32_t kStock = 512;

constinit thread_local RootStock t_stock;
constinit thread_local bool t_stock_closed = false;

void Restock(RootNode* root, std::uint32_t count) noexcept {
  const RootStock old = std::exchange(t_stock, RootStock{root, count});
  if (old.root != nullptr && old.count != 0) DropRoot(*old.root, old.count);
}

struct StockGuard {
  ~StockGuard() {
    t_stock_closed = true;
    Restock(nullptr, 0);
  }
};

void OpenStock() noexcept { static thread_local const StockGuard guard; }

}  // namespace

void RefRoot(RootNode& root, std::uint32_t count) noexcept {
  if (t_stock.root == &root && t_stock.count > count) {
    t_stock.count -= count;
    return;
  }
  if (t_stock_closed) {
    root.refs.fetch_add(count, sync::memory_order_relaxed);
    return;
  }
  OpenStock();
  root.refs.fetch_add(kStock + count, sync::memory_order_relaxed);
  Restock(&root, kStock + (t_stock.root == &root ? std::exchange(t_stock.count, 0) : 0));
}

void UnrefRoot(RootNode& root, std::uint32_t count) noexcept {
  if (t_stock.root != &root) return DropRoot(root, count);
  t_stock.count += count;
  if (t_stock.count > 2 * kStock) {
    t_stock.count -= kStock;
    DropRoot(root, kStock);
  }
}

RootNode::RootNode(Executor& owner, ContextNode* base) noexcept : ScopeNode(base, kRoot) {
  if (base != nullptr) RefNode(*base);
  executor.store(&owner, sync::memory_order_release);
  runtime = ExecutorAccess::RuntimeOf(owner);
  if (ObserverOf(owner) != nullptr) flags |= kObserved;
}

void RootNode::Describe(const void* frame, Report& report) noexcept {
  if (frame == nullptr) return;
  const TaskCore& core = *static_cast<const Frame*>(frame)->core;
  const auto site = SiteOf(core);
  report.task = NameOf(core);
  report.file = site.file_name();
  report.line = site.line();
}

void RootNode::CancelAll() noexcept {
  EndScope(*this, Error(Errc::Cancelled).WithCause(ShutDownError(*this)));
}

void RootNode::ExecutorEnded() noexcept {
  executor.store(&Ended(), sync::memory_order_seq_cst);
  while (!users.IsEmpty()) std::this_thread::yield();
  DropRoot(*this, 1);
}

void RootNode::Keep(Executor& owner) noexcept {
  kept = &owner;
  DropRoot(*this, 1);
}

ExecutorUse::ExecutorUse(const ContextNode& node) noexcept
    : root_(static_cast<RootNode*>(static_cast<ScopeNode*>(node.scope->home))) {
  if (root_->runtime != nullptr) {
    executor_ = root_->executor.load(sync::memory_order_acquire);
    const bool is_worker = root_->runtime == t_thread.runtime && t_thread.slot != nullptr;
    is_worker ? void(root_ = nullptr) : RefRoot(*root_, 1);
    return;
  }
  RefRoot(*root_, 1);
  root_->users.Enter();
  executor_ = root_->executor.load(sync::memory_order_seq_cst);
  // What has ended refuses, which runs destructors of users; nobody has to wait for them.
  is_inside_ = executor_ != &Ended();
  if (!is_inside_) root_->users.Leave();
}

ExecutorUse::~ExecutorUse() {
  if (is_inside_) root_->users.Leave();
  if (root_ != nullptr) UnrefRoot(*root_, 1);
}

void PostBelow(const ContextNode& node, WorkNode& work) noexcept {
  const ExecutorUse executor(node);
  PostNode(*executor, work);
}

void PostLastBelow(const ContextNode& node, WorkNode& work) noexcept {
  const ExecutorUse executor(node);
  PostLast(*executor, work);
}

void PostStepBelow(TaskCore& core, WorkNode& step) noexcept {
  EndOf(core) ? PostUrgentBelow(core, step) : PostBelow(core, step);
}

void PostUrgentBelow(const ContextNode& node, WorkNode& work) noexcept {
  const ExecutorUse executor(node);
  PostUrgentNode(*executor, work);
}

ScopeNode& RootOf(Executor& executor) {
  auto& slot = ExecutorAccess::AttachmentOf(executor);
  // Acquire pairs with the release of the exchange below: the root is complete.
  Attachment* found = slot.load(sync::memory_order_acquire);
  if (found == nullptr) {
    Executor* base = ExecutorAccess::BaseOf(executor);
    auto* made = new RootNode(executor, base != nullptr ? &RootOf(*base) : nullptr);
    if (slot.compare_exchange_strong(found, made, sync::memory_order_acq_rel, sync::memory_order_acquire)) {
      // Nothing may run any more that is attached below it.
      if (ExecutorAccess::RuntimeOf(executor) != nullptr && !executor.IsRunning()) made->CancelAll();
      return *made;
    }
    if (made->parent != nullptr) UnrefNode(*made->parent);
    delete made;
  }
  return static_cast<RootNode&>(*found);
}

namespace {

const ContextNode& BottomOf(const ContextNode& node) noexcept {
  const ContextNode* root = node.scope->home;
  while (root->parent != nullptr) root = root->parent;  // the root of the executor below
  return *root;
}

}  // namespace

TimePoint NowBelow(const ContextNode& node) noexcept { return ExecutorUse(BottomOf(node))->Now(); }

RuntimeCore* LastingRuntimeOf(const ContextNode& node) noexcept { return RuntimeOf(BottomOf(node)); }

Error ShutDownError(const ContextNode& node) noexcept {
  RuntimeCore* runtime = LastingRuntimeOf(node);
  if (runtime == nullptr) return {Errc::ShutDown, "the executor takes no more work"};
  return MakeError([runtime]() -> Error {
    return {Errc::ShutDown, "runtime " + runtime->Options().name + " was shut down"};
  });
}

ScopeNode& DefaultRoot() {
  if (IsForked()) return RootOf(Ended());  // where no runtime can be made any more
  return RootOf(Runtime::Default().GetExecutor());
}

}  // namespace orchestrate::inline v1::detail
