#include <orchestrate/task/fork_join.hpp>

#include <mutex>
#include <string>
#include <thread>

#include <orchestrate/task/detail/thread_wait.hpp>
#include <orchestrate/time/ticks.hpp>
#include "exec/forked.hpp"
#include "exec/fresh_stack.hpp"
#include "task/fork_region.hpp"
#include "task/frame.hpp"
#include "task/wait_cycle.hpp"

namespace orchestrate::inline v1 {
namespace detail {
namespace {

constexpr std::size_t kHelpStack = std::size_t{128} * 1024;  // below that a join takes nothing else
constexpr auto kSpin = std::chrono::microseconds(50);        // then it gives its worker away
constexpr int kPauses = 16;                                  // between two looks, about 200 ns

void RunQueuedPiece(WorkNode& node) noexcept {
  auto& piece = static_cast<ForkPiece&>(node);
  if (piece.Take()) {
    ForkRegion& region = ForkAccess::RegionOf(*piece.owner);
    region.Forget(piece);
    region.Work(piece);
  }
  piece.Unref();
}

// Whoever joins it still can.
void DropQueuedPiece(WorkNode& node) noexcept { static_cast<ForkPiece&>(node).Unref(); }

bool IsStalePiece(const WorkNode& node) noexcept {
  return static_cast<const ForkPiece&>(node).taken.load(sync::memory_order_acquire);
}

constexpr WorkOps kPieceOps{RunQueuedPiece, DropQueuedPiece, IsStalePiece};

// Starts an adopted, unshared core with two references: on this thread when that may run it, so that a wait
// in the region sees whose body this is.
void StartHere(TaskCore& core) noexcept {
  Executor& executor = ExecutorOf(core);
  if (executor.IsRunning() && !IsForked() && StackLeft() > kHelpStack) {
    if (const ClaimRight right(ExecutorAccess::RuntimeOf(executor)); right) {
      if ((core.flags & ContextNode::kObserved) != 0) NoteSpawned(core, executor);
      core.state.store(kQueued, sync::memory_order_release);
      TryRun(core, kQueued);
      return Unref(core);
    }
  }
  Submit(core);
}

}  // namespace

ForkPiece::ForkPiece(Fork& fork, void (*run_part)(ForkPiece&, Fork&),
                     void (*release_part)(ForkPiece&) noexcept) noexcept
    : WorkNode{&kPieceOps, nullptr}, owner(&fork), run(run_part), release(release_part) {}

// ---- the region ----

void ForkRegion::Run(void (*body)(void*, Fork&), void* data) {
  struct EndLink : Link {
    Fork* first = nullptr;
  } link;
  Fork fork(*this, nullptr);
  link.first = &fork;
  // Every fork looks why it is asked.
  link.fire = [](Link& fired) noexcept -> Deferred* {
    ForkAccess::AskAll(*static_cast<EndLink&>(fired).first);
    return nullptr;
  };
  struct Tie {
    TaskCore& core;
    Link& link;
    ~Tie() { RemoveLink(core, link); }
  } const tie{core_, link};
  if (!AddLink(core_, link)) EndOf(core_).Rethrow();
  body(data, fork);
}

void ForkRegion::Offer(ForkPiece& piece) noexcept {
  {
    const std::lock_guard lock(mutex_);
    offered_.PushBack(piece);
  }
  PostBelow(core_, piece);
}

ForkRegion::Taken ForkRegion::TakeAny() noexcept {
  ForkPiece* piece = nullptr;
  {
    const std::lock_guard lock(mutex_);
    for (piece = offered_.Front(); piece != nullptr; piece = offered_.Next(*piece)) {
      if (!piece->Take()) continue;  // whoever did takes it out
      piece->Unlink();
      break;
    }
  }
  return {piece, piece != nullptr && Unqueue(*piece)};
}

bool ForkRegion::Unqueue(ForkPiece& piece) noexcept {
  if (runtime_ == nullptr || !detail::Unqueue(*runtime_, piece)) return false;
  NoteRan(*runtime_);
  return true;
}

void ForkRegion::Forget(ForkPiece& piece) noexcept {
  const std::lock_guard lock(mutex_);
  piece.Unlink();
}

void ForkRegion::Work(ForkPiece& piece) noexcept {
  {
    const FrameScope frame(core_, &piece);
    try {
      Fork fork(*this, &piece);
      ForkAccess::CheckUse(fork);  // what came before it was entered asked nobody here
      piece.run(piece, fork);
      piece.succeeded = true;
    } catch (...) {
      piece.error = Error::FromCurrentException();
    }
  }
  if (piece.error) ForkAccess::NoteFailure(*piece.owner);
  // The last access to the region and to whoever joins the piece: both may be gone then. Release pairs with
  // the acquire of the join: the value or the error is visible.
  const auto waiting = piece.end.exchange(ForkPiece::kEnded, sync::memory_order_acq_rel);
  if (waiting != 0) reinterpret_cast<ThreadWait*>(waiting)->Finish();  // NOLINT: what WaitFor() put there
}

Error BackwardRange(const char* verb, long long count) noexcept {
  return MakeError([&]() -> Error {
    return {Errc::InvalidArgument, std::string(verb) + ": " + std::to_string(count) + " items, must be >= 0"};
  });
}

Error RunRegion(const Where& where, void (*body)(void*, Fork&), void* data) {
  const auto task = MakeCall(
      [body, data](Context& context) {
        ForkRegion(static_cast<TaskCore&>(ContextAccess::Node(context))).Run(body, data);
      },
      where);
  TaskCore& core = TaskAccess::Core(task);
  WhereAccess::WithParent(where, [&core](ContextNode& parent) { Adopt(core, parent); });
  core.refs.store(2, sync::memory_order_relaxed);  // StartHere()'s, too; nobody else knows the task yet
  StartHere(core);
  Error error = task.Wait();
  // A wait that failed: the body may not outlive this call, which its references lead into.
  if (!task.IsDone() && !task.Cancel(error)) error = Errc::Cancelled;
  while (!task.IsDone()) std::this_thread::yield();
  return error;
}

}  // namespace detail

// ---- a fork ----

Fork::Fork(detail::ForkRegion& region, detail::ForkPiece* piece) noexcept
    : Sharer(region.Runtime(), ShareAll), region_(region), piece_(piece) {}

Context Fork::GetContext() const noexcept { return detail::ContextAccess::Share(region_.Core()); }

void Fork::Answer() {
  if (!TakeQuestion()) return;
  CheckUse();
  if (!ShareOldest()) Ask();
}

// Throws when the context has ended or somebody does not want the work here any more.
void Fork::CheckUse() const {
  if (Error ended = detail::EndOf(region_.Core())) ended.Rethrow();
  bool is_stopped = failed_.load(sync::memory_order_acquire) != 0;
  for (const detail::ForkPiece* at = piece_; at != nullptr && !is_stopped; at = at->owner->piece_) {
    is_stopped = at->stopped.load(sync::memory_order_acquire);
  }
  if (is_stopped) Error(Errc::Cancelled).Rethrow();
}

bool Fork::ShareOldest() noexcept {
  if (region_.Runtime() == nullptr) return false;
  for (detail::ForkJob* job = root_.newer; newest_ != &root_ && job != nullptr;) {
    detail::ForkJob* const next = job == newest_ ? nullptr : job->newer;
    if (detail::ForkPiece* piece = job->part(*job, *this)) {
      region_.Offer(*piece);
      return true;
    }
    job = next;
  }
  return false;
}

void Fork::ShareAll(Sharer& sharer) noexcept {
  auto& self = static_cast<Fork&>(sharer);
  while (self.ShareOldest()) {
  }
}

bool Fork::TakeBack(detail::ForkPiece& piece) noexcept {
  if (!piece.Take()) return false;
  region_.Forget(piece);
  if (region_.Unqueue(piece)) piece.Unref();
  return true;
}

void Fork::Await(detail::ForkPiece& piece) {
  WaitFor(piece, true);
  Error error = std::move(piece.error);
  if (!error) return;
  failed_.fetch_sub(1, sync::memory_order_relaxed);
  error.Rethrow();
}

Error Fork::Stop(detail::ForkPiece& piece) noexcept {
  if (TakeBack(piece)) return {};
  // Release pairs with the acquire in Answer(), as does the question.
  piece.stopped.store(true, sync::memory_order_release);
  detail::AskSharers(region_.Runtime());
  WaitFor(piece, false);
  Error error = std::move(piece.error);
  if (!error) return {};
  failed_.fetch_sub(1, sync::memory_order_relaxed);
  return error.Is(Errc::Cancelled) ? Error() : error;
}

void Fork::GoOnThrowing(const Error& of_sibling) {
  // What was thrown here may be no more than the echo of the sibling's failure.
  if (of_sibling && Error::FromCurrentException().Is(Errc::Cancelled)) of_sibling.Rethrow();
  throw;
}

void Fork::WaitFor(detail::ForkPiece& piece, bool helping) noexcept {
  using detail::ForkPiece;
  const auto has_ended = [&piece] { return piece.end.load(sync::memory_order_acquire) == ForkPiece::kEnded; };
  auto begin = Clock::now();
  auto asked = begin - detail::kAskAgain;
  while (!has_ended()) {
    if (helping && detail::StackLeft() > detail::kHelpStack) {
      if (const auto other = region_.TakeAny(); other.piece != nullptr) {
        region_.Work(*other.piece);
        if (other.unqueued) other.piece->Unref();
        begin = Clock::now();
        continue;
      }
    }
    const auto now = Clock::now();
    if (now - begin > detail::kSpin) break;
    if (helping && now - asked > detail::kAskAgain) {
      asked = now;
      detail::AskSharers(region_.Runtime());
    }
    for (int i = 0; i < detail::kPauses; ++i) sync::Relax();
  }
  if (has_ended()) return;
  detail::ThreadWait wait(region_.Runtime());
  if (wait.Failure()) {  // no spare worker: it keeps its own
    while (!has_ended()) std::this_thread::yield();
    return;
  }
  std::uintptr_t running = 0;
  if (!piece.end.compare_exchange_strong(running, reinterpret_cast<std::uintptr_t>(&wait),  // NOLINT
                                         sync::memory_order_acq_rel)) {
    return;
  }
  detail::BlockedWait blocked(wait);
  while (!wait.Finished()) {
    blocked.EnterPiece(piece);
    wait.Sleep();
    blocked.Leave();
  }
}

}  // namespace orchestrate::inline v1
