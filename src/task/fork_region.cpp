#include "task/fork_region.hpp"

#include <algorithm>
#include <mutex>

#include "task/context_end.hpp"
#include "task/frame.hpp"
#include "task/thread_wait.hpp"

namespace orchestrate::inline v1::detail {

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
      if (!piece->Take()) continue;  // the thread that did takes it out
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
    Fork fork(*this, &piece);
    try {
      ForkAccess::CheckUse(fork);  // what came before it was entered did not ask this thread
      piece.run(piece, fork);
      piece.succeeded = true;
    } catch (...) {
      piece.error = Error::FromCurrentException();
      piece.told = ForkAccess::WasTold(fork);
    }
  }
  if (piece.error) NoteFailure(piece);
  // The last access to the region and to the fork that joins the piece: both may be gone then. Release pairs
  // with the acquire of the join: the value or the error is visible.
  const auto waiting = piece.end.exchange(ForkPiece::kEnded, sync::memory_order_acq_rel);
  if (waiting != 0) reinterpret_cast<ThreadWait*>(waiting)->Finish();  // NOLINT: what WaitFor() put there
}

// ---- the contexts of its forks ----

Context ForkRegion::ContextOf(Fork& fork) {
  const std::uint32_t depth = fork.Depth();
  {
    const std::lock_guard lock(mutex_);
    for (auto* at = contexts_.Front(); at != nullptr; at = contexts_.Next(*at)) {
      if (at->fork == &fork && at->depth == depth) return ContextAccess::Share(*at->scope);
    }
  }
  ChildScope& scope = *AddContext(std::make_unique<ForkContext>(core_, fork, depth)).scope;
  fork.has_contexts_ = true;
  return ContextAccess::Share(scope);
}

ForkContext& ForkRegion::AddContext(std::unique_ptr<ForkContext> made) noexcept {
  ForkContext& context = *made.release();
  bool is_stopped = false;
  {
    const std::lock_guard lock(mutex_);
    contexts_.PushBack(context);
    is_stopped = IsStopped(context);
  }
  if (is_stopped) {
    context.fork->told_.store(true, sync::memory_order_relaxed);
    EndScope(*context.scope, Errc::Cancelled);
  }
  return context;
}

// True when what it was handed out to, or what that belongs to, has failed or is not wanted any more.
bool ForkRegion::IsStopped(const ForkContext& context) noexcept {
  std::uint32_t depth = context.depth;
  for (const Fork* at = context.fork;;) {
    if (at->failed_depth_ <= depth) return true;
    const ForkPiece* piece = at->piece_;
    if (piece == nullptr) return false;
    if (piece->stopped.load(sync::memory_order_acquire)) return true;
    depth = piece->depth;
    at = piece->owner;
  }
}

void ForkRegion::DropContexts(Fork& fork, std::uint32_t kept) noexcept {
  IntrusiveList<ForkContext> dropped;
  fork.has_contexts_ = false;
  {
    const std::lock_guard lock(mutex_);
    for (auto* at = contexts_.Front(); at != nullptr;) {
      ForkContext& context = *at;
      at = contexts_.Next(context);
      if (context.fork != &fork) continue;
      if (context.depth < kept && !IsMarkedEnded(*context.scope)) {
        fork.has_contexts_ = true;
        continue;
      }
      context.Unlink();
      dropped.PushBack(context);
    }
  }
  while (ForkContext* context = dropped.PopFront()) delete context;
}

// Whether `context` was handed out at or below the join of `fork` at `depth`, or to the caller of that join.
bool ForkRegion::IsOfJoin(const ForkContext& context, const Fork& fork, std::uint32_t depth) noexcept {
  if (context.fork == &fork) return context.depth + 1 >= depth;
  const Fork* at = context.fork;
  std::uint32_t below = context.depth;
  while (at != &fork) {
    if (at->piece_ == nullptr) return false;
    below = at->piece_->depth;
    at = at->piece_->owner;
  }
  return below >= depth;
}

// One that has not ended, with a reference; its fork is marked as told.
ChildScope* ForkRegion::ShareLiveContext(const Fork& fork, std::uint32_t depth) noexcept {
  for (auto* at = contexts_.Front(); at != nullptr; at = contexts_.Next(*at)) {
    if (!IsOfJoin(*at, fork, depth) || IsMarkedEnded(*at->scope)) continue;
    at->fork->told_.store(true, sync::memory_order_relaxed);
    RefNode(*at->scope);
    return at->scope;
  }
  return nullptr;
}

void ForkRegion::FailJoin(Fork& fork, std::uint32_t depth) noexcept {
  for (;;) {
    ChildScope* scope = nullptr;
    {
      const std::lock_guard lock(mutex_);
      fork.failed_depth_ = std::min(fork.failed_depth_, depth);
      scope = ShareLiveContext(fork, depth);
    }
    if (scope == nullptr) return;
    EndScope(*scope, Errc::Cancelled);  // may run call-backs of a std::stop_token
    UnrefNode(*scope);
  }
}

void ForkRegion::LeaveFailedJoin(Fork& fork, std::uint32_t depth) noexcept {
  const std::lock_guard lock(mutex_);
  if (fork.failed_depth_ >= depth) fork.failed_depth_ = Fork::kNoDepth;
}

void ForkRegion::NoteFailure(ForkPiece& piece) noexcept {
  {
    const std::lock_guard lock(mutex_);
    // Release pairs with the acquire in Fork::Stop(): the error is visible.
    piece.failed_at.store(++failures_, sync::memory_order_release);
  }
  ForkAccess::NoteFailure(*piece.owner);
  FailJoin(*piece.owner, piece.depth);
}

}  // namespace orchestrate::inline v1::detail
