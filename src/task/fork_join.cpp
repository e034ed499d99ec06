#include <orchestrate/task/fork_join.hpp>

#include <cstdlib>
#include <string>
#include <thread>

#include <orchestrate/time/ticks.hpp>
#include "exec/forked.hpp"
#include "exec/fresh_stack.hpp"
#include "task/fork_region.hpp"
#include "task/frame.hpp"
#include "task/thread_wait.hpp"
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
      if ((core.flags & ContextNode::kObserved) != 0) NoteSpawned(core);
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

Error BackwardRange(const char* verb, std::uint64_t items) noexcept {
  return MakeError([&]() -> Error {
    return {Errc::InvalidArgument,
            std::string(verb) + ": -" + std::to_string(items) + " items, must be >= 0"};
  });
}

Error HugeRange(const char* verb) noexcept {
  return MakeError([&]() -> Error {
    return {Errc::InvalidArgument, std::string(verb) + ": more items than a std::size_t counts"};
  });
}

Error RunRegion(const char* verb, const Where& where, void (*body)(void*, Fork&), void* data) {
  if (Error refusal = RefusalAt(verb, where)) return refusal;
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

Fork::~Fork() {
  if (has_contexts_) region_.DropContexts(*this, 0);
}

Context Fork::GetContext() {
  CheckThread("Fork::GetContext");
  return region_.ContextOf(*this);
}

void Fork::DropContexts() noexcept { region_.DropContexts(*this, Depth() + 1); }

void Fork::ThrowForeign(const char* verb) {
  Error(Errc::InvalidArgument,
        std::string(verb) +
            ": the Fork belongs to a call on another thread; a child uses the Fork that "
            "it is given, fn(Fork&)")
      .Rethrow();
  std::abort();
}

void Fork::Answer() {
  if (!TakeQuestion()) return;
  CheckUse();
  if (!ShareOldest()) Ask();
}

// Throws when the context has ended or somebody does not want the work here any more.
void Fork::CheckUse() {
  if (Error ended = detail::EndOf(region_.Core())) ended.Rethrow();
  bool is_stopped = failed_.load(sync::memory_order_acquire) != 0;
  for (const detail::ForkPiece* at = piece_; at != nullptr && !is_stopped; at = at->owner->piece_) {
    is_stopped = at->stopped.load(sync::memory_order_acquire);
  }
  if (!is_stopped) return;
  told_.store(true, sync::memory_order_relaxed);
  Error(Errc::Cancelled).Rethrow();
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
  region_.LeaveFailedJoin(*this, piece.depth);
  told_.store(piece.told, sync::memory_order_relaxed);  // what is thrown is that piece's
  error.Rethrow();
}

void Fork::AwaitShared(detail::ForkPiece& piece) {
  WaitFor(piece, true);
  --shared_;
  Await(piece);  // it has ended
}

void Fork::FailJoin(std::uint32_t depth) noexcept {
  const bool was_told = told_.load(sync::memory_order_relaxed);
  region_.FailJoin(*this, depth);
  told_.store(was_told, sync::memory_order_relaxed);  // the failure here is no echo of itself
}

Error Fork::Stop(detail::ForkPiece& piece) noexcept {
  if (TakeBack(piece)) return {};
  // Acquire pairs with the release in NoteFailure(). What fails later was stopped, or may have been.
  const bool had_failed = piece.failed_at.load(sync::memory_order_acquire) != 0;
  // Release pairs with the acquire in Answer(), as does the question.
  piece.stopped.store(true, sync::memory_order_release);
  detail::AskSharers(region_.Runtime());
  WaitFor(piece, false);
  Error error = std::move(piece.error);
  if (!error) return {};
  failed_.fetch_sub(1, sync::memory_order_relaxed);
  return !had_failed || piece.told || error.Is(Errc::Cancelled) ? Error() : error;
}

void Fork::GoOnThrowing(const Error& of_sibling, std::uint32_t depth) {
  region_.LeaveFailedJoin(*this, depth);
  if (!of_sibling) throw;
  // What was thrown here may be no more than the echo of the sibling's failure, whatever it looks like.
  const bool is_echo = told_.exchange(false, sync::memory_order_relaxed);
  if (is_echo || Error::FromCurrentException().Is(Errc::Cancelled)) of_sibling.Rethrow();
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
  detail::ThreadWait wait(region_.Runtime(), "Join");
  if (wait.Failure()) {  // no spare worker: it keeps its own
    detail::BlockedWait blocked(wait);
    blocked.EnterPiece(piece);
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
