#include <orchestrate/flow/wait.hpp>

#include <algorithm>
#include <memory>
#include <new>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/scheduling.hpp"
#include "task/context_nudge.hpp"
#include "task/frame.hpp"
#include "task/thread_wait.hpp"
#include "task/wait_cycle.hpp"

namespace orchestrate::inline v1::detail {
namespace {

constexpr int kSpins = 200;  // as long as a wait for one task looks before it sleeps

// One thread that waits until several tasks have ended.
struct Countdown : ThreadWait {
  explicit Countdown(RuntimeCore* served) noexcept : ThreadWait(served, "WaitAll") {}
  sync::atomic<std::size_t> left{1};
};

struct CountdownNode : Waiter {
  Countdown* countdown = nullptr;
};

void CountDown(Countdown& countdown) noexcept {
  // Release and acquire: the waiter, woken by the last one, sees the outcome of all.
  if (countdown.left.fetch_sub(1, sync::memory_order_acq_rel) == 1) countdown.Finish();
}

}  // namespace

// ---- all ----

JoinWait::JoinWait(Nanoseconds timeout) noexcept : is_bound_(true), timeout_(timeout) {}

JoinWait::JoinWait(const Context& context) noexcept
    : is_bound_(true), context_(&ContextAccess::Node(context)) {}

void JoinWait::Note(std::size_t index, Error error) noexcept {
  if (!error) return;
  try {
    sorted_ = sorted_ && (errors_.empty() || errors_.back().index < index);
    errors_.push_back({index, std::move(error)});
  } catch (...) {
    out_of_memory_ = true;
  }
}

void JoinWait::Add(const TaskHandle& task) noexcept {
  TaskCore* core = TaskAccess::Core(task);
  if (core != nullptr) {
    ++total_;
    is_bound_ ? AddBound(*core) : AddUnbound(*core);
  }
  ++index_;
}

void JoinWait::AddUnbound(TaskCore& core) noexcept {
  Error failure = PrepareAwait(core);
  if (failure) return Note(index_, std::move(failure));
  if (core.IsTerminal()) return Note(index_, ReadError(core));
  places_[pending_++] = {&core, index_};
  if (pending_ == kTogether) Flush();
}

void JoinWait::AddBound(TaskCore& core) noexcept {
  if (!core.IsTerminal() && !ended_) {
    if (Error failure = AwaitBound(core)) return Note(index_, std::move(failure));
  }
  if (core.IsTerminal()) Note(index_, ReadError(core));
}

// An error when the task may not be waited for. `ended_` is set when it has not ended and no other needs to
// be waited for.
Error JoinWait::AwaitBound(TaskCore& core) noexcept {
  Error failure;
  if (context_ == nullptr) {
    if (until_ == TimePoint{}) until_ = SaturatingAdd(NowOf(core), timeout_);
    if (!AwaitUntil(core, until_, failure) && !failure) ended_ = Errc::DeadlineExceeded;
    return failure;
  }
  failure = AwaitUnder(core, *context_);
  if (failure) ended_ = EndOf(*context_);
  return ended_ ? Error() : failure;
}

// A task that nobody has started may never end: it is waited for alone, so that it is noticed when its last
// other handle goes.
void JoinWait::Flush() noexcept {
  // Inside a task they are waited for one by one, so that each says whether it can end.
  const Error failure = CurrentTask() != nullptr ? Error() : Block();
  for (std::size_t i = 0; i < pending_; ++i) {
    TaskCore& core = *places_[i].core;
    Error error = failure;
    if (!error && !core.IsTerminal()) error = Await(core);
    Note(places_[i].index, core.IsTerminal() ? ReadError(core) : std::move(error));
  }
  pending_ = 0;
}

// Waits for all but the created ones.
Error JoinWait::Block() noexcept {
  std::array<CountdownNode, kTogether> nodes;
  Countdown countdown(pending_ != 0 ? ServedBy(*places_[0].core) : nullptr);
  if (countdown.Failure()) return countdown.Failure();
  for (std::size_t i = 0; i < pending_; ++i) {
    TaskCore& core = *places_[i].core;
    if (core.PhaseNow() == kCreated) continue;
    nodes[i].countdown = &countdown;
    nodes[i].notify = [](Waiter& waiter, TaskCore& /*core*/, Notice notice) noexcept -> TaskCore* {
      if (notice == Notice::Ended) CountDown(*static_cast<CountdownNode&>(waiter).countdown);
      return nullptr;
    };
    countdown.left.fetch_add(1, sync::memory_order_relaxed);
    if (!AddWaiter(core, nodes[i])) countdown.left.fetch_sub(1, sync::memory_order_acq_rel);
  }
  CountDown(countdown);
  for (int spin = 0; spin < kSpins && !countdown.Finished(); ++spin) sync::Relax();
  while (!countdown.Finished()) countdown.Sleep();
  return {};
}

Error JoinWait::Finish() noexcept {
  if (pending_ != 0) Flush();
  if (ended_) return ended_;
  if (out_of_memory_) return Errc::OutOfResources;
  if (!sorted_) {
    std::sort(errors_.begin(), errors_.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  }
  return Error::Join(std::move(errors_), {.failures = 0, .total = total_});
}

// ---- any ----

namespace {

constexpr std::size_t kNone = ~std::size_t{0};

struct AnyWait : ThreadWait {
  explicit AnyWait(RuntimeCore* served) noexcept : ThreadWait(served, "WaitAny") {}
  sync::atomic<std::size_t> winner{kNone};
};

struct AnyNode : Waiter {
  AnyWait* wait = nullptr;
  std::size_t index = 0;
  sync::atomic<bool> told{false};  // the notification's last access
};

TaskCore* TellAny(Waiter& waiter, TaskCore& /*core*/, Notice notice) noexcept {
  auto& node = static_cast<AnyNode&>(waiter);
  if (notice == Notice::Look) {
    node.wait->Nudge();
    return nullptr;
  }
  std::size_t none = kNone;
  if (node.wait->winner.compare_exchange_strong(none, node.index, sync::memory_order_acq_rel))
    node.wait->Finish();
  node.told.store(true, sync::memory_order_release);
  return nullptr;
}

// The tasks of one WaitAny, empty handles left out.
class AnyOf {
 public:
  // False without memory.
  [[nodiscard]] bool Reserve(std::size_t count) noexcept {
    if (count <= kFew) return true;
    many_.reset(new (std::nothrow) Place[count]);
    places_ = many_.get();
    return places_ != nullptr;
  }
  void Add(TaskCore& core, std::size_t index) noexcept {
    places_[size_].core = &core;
    places_[size_++].node.index = index;
  }
  // `context` may be null.
  [[nodiscard]] Result<std::size_t> Wait(ContextNode* context) noexcept;

 private:
  static constexpr std::size_t kFew = 16;
  struct Place {
    TaskCore* core = nullptr;
    AnyNode node;
  };

  [[nodiscard]] std::size_t FirstEnded() const noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      TaskCore& core = *places_[i].core;
      if (core.IsTerminal() || EndIfContextEnded(core)) return places_[i].node.index;
    }
    return kNone;
  }
  // Set when none of them can ever end.
  [[nodiscard]] Error CannotEndAny() const noexcept {
    Error error;
    for (std::size_t i = 0; i < size_; ++i) {
      error = CannotEnd(*places_[i].core);
      if (!error) return {};
    }
    return error;
  }
  // One task of the caller's own batch takes its admission over.
  void Lend() noexcept {
    std::size_t i = 0;
    while (i < size_ && !LendAdmission(*places_[i].core)) ++i;
  }
  // Until one or the context has ended, or none ever can.
  [[nodiscard]] Error WaitBlocked(AnyWait& wait, ContextNode* context) noexcept {
    const ContextNudge nudge(context, wait);
    const auto at = [](const void* data, std::size_t index) noexcept {
      return static_cast<const Place*>(data)[index].core;
    };
    for (BlockedWait blocked(wait); !wait.Finished(); blocked.Leave()) {
      if (Error error = nudge.Ended()) return error;
      if (Error error = CannotEndAny()) return error;
      if (context != nullptr) {  // whose end may end a wait that nothing else can
        wait.Sleep();
        continue;
      }
      const WaitTargets any{.at = at, .data = places_, .count = size_, .kind = WaitTargets::Kind::Any};
      if (Error error = blocked.Enter(any)) return error;
      wait.Sleep();
    }
    return {};
  }
  void RemoveNodes(std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      AnyNode& node = places_[i].node;
      if (places_[i].core->waiters.Remove(node)) continue;
      while (!node.told.load(sync::memory_order_acquire)) sync::Relax();
    }
  }

  Place few_[kFew];
  std::unique_ptr<Place[]> many_;
  Place* places_ = few_;
  std::size_t size_ = 0;
};

Result<std::size_t> AnyOf::Wait(ContextNode* context) noexcept {
  if (size_ == 0) return Error(Errc::InvalidArgument, "WaitAny: there is no task, must be at least 1");
  if (const std::size_t ended = FirstEnded(); ended != kNone) return ended;
  if (size_ == 1) {  // which runs it, if it can
    TaskCore& only = *places_[0].core;
    if (Error error = context == nullptr ? Await(only) : AwaitUnder(only, *context)) return error;
    return places_[0].node.index;
  }
  if (context != nullptr) {  // before the worker's permit is given away for nothing
    if (Error ended = EndOf(*context)) return ended;
  }
  if (Error error = CannotEndAny()) return error;
  Lend();
  RuntimeCore* const served = ServedBy(*places_[0].core);
  AnyWait wait(context == nullptr || RuntimeOf(*context) == served ? served : nullptr);
  if (wait.Failure()) return wait.Failure();
  std::size_t added = 0;
  for (; added < size_; ++added) {
    AnyNode& node = places_[added].node;
    node.wait = &wait;
    node.notify = TellAny;
    if (AddWaiter(*places_[added].core, node)) continue;
    std::size_t none = kNone;
    if (wait.winner.compare_exchange_strong(none, node.index, sync::memory_order_acq_rel)) wait.Finish();
    break;
  }
  Error error = WaitBlocked(wait, context);
  RemoveNodes(added);
  const std::size_t winner = wait.winner.load(sync::memory_order_acquire);
  if (winner == kNone) return error;
  return winner;
}

}  // namespace

Result<std::size_t> WaitForAny(const TaskHandle* const* tasks, std::size_t count,
                               const Context* context) noexcept {
  AnyOf any;
  if (!any.Reserve(count)) return Error(Errc::OutOfResources);
  for (std::size_t i = 0; i < count; ++i) {
    if (TaskCore* core = TaskAccess::Core(*tasks[i])) any.Add(*core, i);
  }
  return any.Wait(context != nullptr ? &ContextAccess::Node(*context) : nullptr);
}

}  // namespace orchestrate::inline v1::detail
