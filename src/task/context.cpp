#include <orchestrate/task/context.hpp>

#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include "exec/forked.hpp"
#include "exec/scheduling.hpp"
#include "task/context_end.hpp"
#include "task/context_links.hpp"
#include "task/root_node.hpp"
#include "task/scopes.hpp"

namespace orchestrate::inline v1 {

using detail::ContextAccess;
using detail::ContextNode;
using detail::ScopeNode;

namespace detail {

ChildScope::ChildScope(ContextNode& parent_node, std::uint32_t more_flags) noexcept
    : ScopeNode(&parent_node, more_flags | (parent_node.scope->flags & (kObserved | kDeadline))) {
  RefNode(parent_node);
  seen_epoch.store(parent_node.seen_epoch.load(sync::memory_order_relaxed), sync::memory_order_relaxed);
  home = parent_node.scope->home;
  deadline = parent_node.scope->deadline;
}

namespace {

// Ends by its own timer, which is armed only once somebody wants to be told; until then readers look at the
// clock.
struct DeadlineScope final : ChildScope, GuardedTimer {
  DeadlineScope(ContextNode& parent_node, TimePoint own) noexcept
      : ChildScope(parent_node, kDeadline), due(own) {
    deadline = std::min(deadline, own);
    acquire = [](GuardedTimer& timer) noexcept { return TryRefNode(static_cast<DeadlineScope&>(timer)); };
    fire = [](Timer& timer, TimerEvent event) noexcept {
      auto& self = static_cast<DeadlineScope&>(timer);
      if (event == TimerEvent::Expired) EndScope(self, Errc::DeadlineExceeded);
      self.timers.store(nullptr, sync::memory_order_release);  // the service may go before this context does
      UnrefNode(self);
    };
  }
  ~DeadlineScope() override {
    // Acquire pairs with the release in `fire`, which another owner's last reference may have followed.
    if (auto* armed = timers.load(sync::memory_order_acquire)) armed->Cancel(*this);
  }
  void Activate() noexcept override {
    if (is_activated.exchange(true, sync::memory_order_relaxed)) return;
    const ExecutorUse use(*this);
    auto& service = use->Timers();
    timers.store(&service, sync::memory_order_release);
    service.Schedule(*this, due);
  }

  TimePoint due;
  sync::atomic<bool> is_activated{false};
  sync::atomic<TimerService*> timers{nullptr};
};

struct ValueScope final : ChildScope {
  ValueScope(ContextNode& parent_node, const KeyId& value_key, std::shared_ptr<const void> shared) noexcept
      : ChildScope(parent_node, 0), key(value_key), value(std::move(shared)) {}
  [[nodiscard]] const void* ValueOf(const KeyId& wanted) const noexcept override {
    return wanted == key ? value.get() : nullptr;
  }
  KeyId key;
  std::shared_ptr<const void> value;
};

struct ShieldScope final : ChildScope {
  explicit ShieldScope(ContextNode& parent_node) noexcept : ChildScope(parent_node, kShield) {
    flags &= ~std::uint32_t{kDeadline};
    deadline = TimePoint::max();
  }
};

struct ExecutorScope final : ChildScope {
  ExecutorScope(ContextNode& parent_node, ScopeNode& own) noexcept : ChildScope(parent_node, 0) {
    home = &own;
    RefNode(own);
    flags = (flags & ~std::uint32_t{kObserved}) | (home->flags & kObserved);
  }
  ~ExecutorScope() override { UnrefNode(*home); }
};

struct StopScope final : ChildScope {
  struct End {
    StopScope* self;
    // The last handle may be dropped at this moment; the destructor waits for this call, unless it comes from
    // it.
    void operator()() const noexcept {
      StopScope& scope = *self;
      if (!TryRefNode(scope)) return;
      EndScope(scope, Errc::Cancelled);
      UnrefNode(scope);
    }
  };
  StopScope(ContextNode& parent_node, std::stop_token token) noexcept
      : ChildScope(parent_node, 0), on_stop(std::move(token), End{this}) {}
  std::stop_callback<End> on_stop;
};

}  // namespace

// A call-back of OnDone: a link until the context ends, then a piece of work. Shared by the Registration and
// whichever of the two it is.
struct DoneCallback final : Link, Deferred, WorkNode {
  DoneCallback(ContextNode& owner, Function<void()> callback) : node(&owner), fn(std::move(callback)) {
    ops = &kOps;
    Link::next = nullptr;
    // Posted without the lock of the list, as the executor may be the user's.
    fire = [](Link& link) noexcept -> Deferred* { return &static_cast<DoneCallback&>(link); };
    run = [](Deferred& deferred) noexcept { static_cast<DoneCallback&>(deferred).PostNow(); };
    runs_user_code = true;
    RefNode(owner);
  }
  void PostNow() noexcept { PostUrgentBelow(*node, *this); }
  void Drop() noexcept {
    if (refs.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
    UnrefNode(*node);
    delete this;
  }
  static void Run(WorkNode& work) noexcept {
    auto& self = static_cast<DoneCallback&>(work);
    try {
      self.fn();
    } catch (...) {
      SendReport(LastingRuntimeOf(*self.node), {.what = "a call-back of Context::OnDone threw",
                                                .task = {},
                                                .error = Error::FromCurrentException()});
    }
    self.Drop();
  }
  static void DropUnrun(WorkNode& work) noexcept { static_cast<DoneCallback&>(work).Drop(); }
  static constexpr WorkOps kOps{Run, DropUnrun};

  sync::atomic<std::uint32_t> refs{2};
  ContextNode* node;
  Function<void()> fn;
};

namespace {

// Passes a context's end on to a std::stop_source; one a node, made by the first StopToken().
struct StopBridge final : StopLink {
  // Once; what throws has another try at the next call. False when the node had ended.
  bool LinkTo(ContextNode& node) {
    const std::lock_guard lock(linking);
    if (linked) return true;
    const bool added = AddLink(node, *this);
    linked = true;
    return added;
  }
  StopBridge() {
    fire = [](Link& link) noexcept -> Deferred* {
      auto& self = static_cast<StopBridge&>(link);
      self.refs.fetch_add(1, sync::memory_order_relaxed);
      return &self;
    };
    run = [](Deferred& deferred) noexcept { RequestStop(static_cast<StopBridge&>(deferred)); };
    release = RequestStop;
    runs_user_code = true;
    drop = Drop;
  }
  static void Drop(StopLink& link) noexcept {
    auto& self = static_cast<StopBridge&>(link);
    if (self.refs.fetch_sub(1, sync::memory_order_acq_rel) == 1) delete &self;
  }
  static void RequestStop(ChainNode& node) noexcept {
    auto& self = static_cast<StopBridge&>(node);
    self.source.request_stop();
    Drop(self);
  }
  sync::atomic<std::uint32_t> refs{1};
  Mutex linking;
  bool linked = false;  // under linking
  std::stop_source source;
};

template <class Scope, class... Args>
Context Make(const Context& parent, Args&&... args) {
  static_assert(std::is_nothrow_constructible_v<Scope, ContextNode&, Args...>,
                "nobody would give back the reference to the parent");
  return ContextAccess::Take(*new Scope(ContextAccess::Node(parent), std::forward<Args>(args)...));
}

}  // namespace
}  // namespace detail

// ---- Registration ----

bool Registration::Reset() noexcept {
  auto* callback = std::exchange(callback_, nullptr);
  if (callback == nullptr) return false;
  const bool removed = detail::RemoveLink(*callback->node, *callback);
  if (removed) callback->Drop();  // the share of the link
  callback->Drop();
  return removed;
}

// ---- Context ----

Context::Context(const Context& other) noexcept : Context(other.Node()) { detail::RefNode(Node()); }

Context& Context::operator=(const Context& other) noexcept {
  Context copy(other);
  std::swap(word_, copy.word_);
  return *this;
}

Context::~Context() {
  if ((word_ & kBorrowed) == 0) detail::UnrefNode(Node());
}

Context Context::Background() { return ContextAccess::Share(detail::DefaultRoot()); }

Context Executor::Background() { return ContextAccess::Share(detail::RootOf(*this)); }

Context Runtime::Background() { return GetExecutor().Background(); }

Context Context::WithCancel() const { return detail::Make<detail::ChildScope>(*this); }

Context Context::WithDeadline(TimePoint deadline) const {
  // No caller could be told. In the child of a fork nothing new runs anyhow.
  const detail::ExecutorUse executor(Node());
  if (executor->IsRunning() && !detail::IsForked()) {
    if (Error none = detail::TimersFailure(*executor, "Context::WithDeadline")) none.Rethrow();
  }
  return detail::Make<detail::DeadlineScope>(*this, deadline);
}

Context Context::WithStopToken(std::stop_token token) const {
  return detail::Make<detail::StopScope>(*this, std::move(token));
}

Context Context::WithExecutor(Executor& executor) const {
  return detail::Make<detail::ExecutorScope>(*this, detail::RootOf(executor));
}

Context Context::Shield() const { return detail::Make<detail::ShieldScope>(*this); }

Context Context::WithSharedValue(detail::KeyId key, std::shared_ptr<const void> value) const {
  return detail::Make<detail::ValueScope>(*this, key, std::move(value));
}

const void* Context::SharedValue(detail::KeyId key) const noexcept {
  for (const ScopeNode* at = Node().scope; at != nullptr;
       at = at->parent != nullptr ? at->parent->scope : nullptr) {
    if (const void* value = at->ValueOf(key)) return value;
  }
  return nullptr;
}

bool Context::Cancel(Error cause) const noexcept {
  if (!cause) cause = Errc::Cancelled;
  const Context keep(*this);  // whoever sees the end may destroy this handle before the call returns
  ContextNode& node = keep.Node();
  if ((node.flags & ContextNode::kRoot) != 0) return false;
  if ((node.flags & ContextNode::kTask) != 0)
    return detail::CancelTask(static_cast<detail::TaskCore&>(node), cause);
  // What an ancestor or the deadline has ended stays ended for that reason.
  return !keep.IsDone() && detail::EndScope(node, std::move(cause));
}

std::optional<TimePoint> Context::Deadline() const noexcept {
  if (Node().scope->deadline == TimePoint::max()) return std::nullopt;
  return Node().scope->deadline;
}

Registration Context::OnDone(Function<void()> fn) const {
  if (!fn) Error(Errc::InvalidArgument, "Context::OnDone: the function is empty").Rethrow();
  auto callback = std::make_unique<detail::DoneCallback>(Node(), std::move(fn));
  if (!detail::AddLink(Node(), *callback)) callback->PostNow();
  return Registration(callback.release());
}

std::stop_token Context::StopToken() const {
  auto made = std::make_unique<detail::StopBridge>();
  auto& bridge = static_cast<detail::StopBridge&>(detail::ShareStopLink(Node(), *made));
  if (&bridge == made.get()) made.release();
  if (!bridge.LinkTo(Node()) || IsDone()) bridge.source.request_stop();
  return bridge.source.get_token();
}

}  // namespace orchestrate::inline v1
