#include "flow/crew.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <string>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/task/detail/mirror.hpp>
#include "exec/forked.hpp"
#include "exec/scheduling.hpp"
#include "task/context_end.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"
#include "task/scopes.hpp"

namespace orchestrate::inline v1::detail {
namespace {

std::size_t MembersSize(std::size_t limit) noexcept { return sizeof(Member) * (limit + 1); }

}  // namespace

// How long a member works before others get their turn.
std::uint64_t TurnTicks() noexcept {
  constexpr std::uint64_t kSample = std::uint64_t{1} << 30;
  // Without a guard, in which a fork could meet another thread: two that work it out get the same.
  static constinit std::atomic<std::uint64_t> known{0};
  std::uint64_t turn = known.load(std::memory_order_relaxed);
  if (turn == 0) {
    const auto sample = static_cast<double>(TicksToDuration(kSample).count());
    turn = static_cast<std::uint64_t>(static_cast<double>(kSample) * 1e6 / sample);
    known.store(turn, std::memory_order_relaxed);
  }
  return turn;
}

// ---- before the start ----

Crew::~Crew() {
  if (members_ != nullptr) FreeBlock(members_, MembersSize(limit_));
}

void Crew::Allocate(std::size_t limit) {
  limit_ = limit;
  auto* memory = static_cast<Member*>(AllocateBlock(MembersSize(limit)));
  for (std::size_t i = 0; i <= limit; ++i) {
    auto* member = ::new (static_cast<void*>(memory + i)) Member{};
    member->ops = i < limit ? &kMemberOps : &kSweeperOps;
    member->crew = this;
  }
  members_ = memory;
}

void Crew::Bind(TaskCore& owner, JobState* state, Setup setup) {
  owner_ = &owner;
  parent_ = &owner;
  state_ = state != nullptr ? state : &own_state_;
  verb_ = setup.verb;
  if (!setup.where.Name().empty()) SetName(owner, setup.where.Name());
  WhereAccess::WithParent(setup.where, [&owner](ContextNode& parent) { Adopt(owner, parent); });
  executor_ = &ExecutorOf(owner);
  if (setup.options.progress) {
    reporter_ =
        std::make_unique<ProgressReporter>(*this, std::move(setup.options.progress), setup.options.interval);
  }
  const std::size_t limit = ConcurrencyAccess::Resolve(setup.count, setup.zero, *executor_);
  if (limit != ConcurrencyAccess::kUnlimited) Allocate(std::min(limit, setup.most));
  if (setup.options.on_error == OnError::Stop) {
    scope_ = new ChildScope(owner);
    parent_ = scope_;
  }
  try {
    WatchContext();
  } catch (...) {
    if (scope_ != nullptr) UnrefNode(*std::exchange(scope_, nullptr));  // it refers to the owner
    throw;
  }
}

void Crew::WatchContext() {
  link_.crew = this;
  link_.fire = [](Link& link) noexcept -> Deferred* { return &static_cast<EndLink&>(link); };
  link_.run = [](Deferred& deferred) noexcept { static_cast<EndLink&>(deferred).crew->ContextEnded(); };
  Join();
  if (!AddLink(*parent_, link_)) parties_.store(0, sync::memory_order_relaxed);  // it has ended already
}

bool Crew::Refused() const noexcept { return !executor_->IsRunning() || IsForked(); }

Error Crew::RefusedError() const noexcept {
  if (Error refusal = RefusalOf(verb_, *owner_)) return refusal;
  if (Error ended = EndOf(*owner_)) return ended;
  return ShutDownError(*owner_).WithContext(verb_);
}

void Crew::Begin() noexcept {
  owner_->ticks.store(EndOf(*owner_) ? 0 : ReadTicks(), sync::memory_order_relaxed);
  owner_->state.store(kRunning, sync::memory_order_release);
  Join();
  const bool refused = Refused();
  Prepare();
  if (reporter_ != nullptr) reporter_->Start();
  std::uint32_t gate = kClosed;
  // Acquire and release pair with ContextEnded(): whoever comes second posts the sweeper.
  if (!gate_.compare_exchange_strong(gate, kOpen, sync::memory_order_acq_rel)) StartSweep();
  if (members_ == nullptr && Ended()) EndBodiless();
  if (refused) {
    Abandon(RefusedError());
  } else if (members_ != nullptr && HasMore()) {
    Join();
    StartFirst();
  }
  Leave();
}

Error CheckOptions(const char* verb, const JobOptions& options) noexcept {
  if (options.interval > Nanoseconds::zero()) return {};
  if (options.interval == Nanoseconds::min()) {  // what WithProgress() makes of one that is not a number
    return Error(Errc::InvalidArgument, "progress interval is not a finite number, must be > 0")
        .WithContext(verb);
  }
  return MakeError([&]() -> Error {
    return {Errc::InvalidArgument, std::string(verb) + ": progress interval " +
                                       std::to_string(options.interval.count()) + " ns, must be > 0"};
  });
}

// ---- the end of the context ----

void Crew::ContextEnded() noexcept {
  if (gate_.exchange(kFired, sync::memory_order_acq_rel) == kOpen) StartSweep();
}

// With the link's party. Urgent, for the members may all be in bodies that do not listen.
void Crew::StartSweep() noexcept {
  if (members_ != nullptr) return PostUrgentBelow(*owner_, members_[limit_]);
  EndBodiless();
  if (LeaveAsLast()) PostUrgentBelow(*owner_, *owner_);
}

void Crew::RunSweeper(WorkNode& node) noexcept {
  auto& sweeper = static_cast<Member&>(node);
  sweeper.crew->Sweep(sweeper);
  sweeper.crew->SweepQueued();
  sweeper.crew->Leave();
}

// What is queued need not wait for a worker. Acquire and release pair with Post() and Take().
void Crew::SweepQueued() noexcept {
  const Error ended = Ended();
  for (std::size_t i = std::max<std::size_t>(AllStarted(), 1); i-- > 0;) {
    Member& member = members_[i];
    if ((member.place.exchange(Member::kSwept, sync::memory_order_acq_rel) & Member::kQueued) == 0) continue;
    GiveUp(member, ended);
    (void)LeaveAsLast();  // the caller itself is still there
  }
}

void Crew::GiveUp(Member& member, const Error& error) noexcept {
  if (member.Task() != nullptr) Settle(member);
  GiveBack(member, error);
}

// ---- members ----

Member* Crew::StartMember() noexcept {
  auto index = started_.load(sync::memory_order_relaxed);
  while (index < limit_) {
    // Acquire and release pair with AllStarted().
    if (started_.compare_exchange_weak(index, index + 1, sync::memory_order_acq_rel,
                                       sync::memory_order_relaxed)) {
      return &members_[index];
    }
  }
  return nullptr;
}

std::size_t Crew::StartedMembers() const noexcept { return started_.load(sync::memory_order_relaxed); }

// For who has ended the context, or stopped the crew: a member that starts after this read-modify-write reads
// from it, and so sees the end before it waits. A load might miss one that does not see the end either.
std::size_t Crew::AllStarted() noexcept { return started_.fetch_add(0, sync::memory_order_acq_rel); }

// With a share that is `member`'s from now on.
void Crew::StartFirst() noexcept {
  Ref(*owner_);
  Post(*StartMember());
}

// By somebody who has not left. The first one is waited for; the others join when they begin, so that one
// that is still queued when the work is done does not delay its end.
Member* Crew::StartAnother() noexcept {
  Member* member = StartMember();
  if (member == nullptr) return nullptr;
  if ((member->place.fetch_or(Member::kToBegin, sync::memory_order_relaxed) & Member::kSwept) != 0)
    return nullptr;
  Ref(*owner_);
  PostBelow(*owner_, *member);
  return member;
}

// As soon as it is queued the sweeper may leave for it; where that came first, a worker need not.
void Crew::Post(Member& member, void (*post)(const ContextNode&, WorkNode&) noexcept) noexcept {
  const auto was = member.place.fetch_or(Member::kQueued, sync::memory_order_acq_rel);
  ((was & Member::kSwept) != 0 ? PostUrgentBelow : post)(*owner_, member);
}

bool Crew::Take(Member& member) noexcept {
  const auto was = member.LeaveQueue();
  if ((was & Member::kQueued) != 0 || ((was & Member::kToBegin) != 0 && TryJoin())) return true;
  Unref(*owner_);
  return false;
}

void Crew::End() noexcept {
  TaskCore& owner = *owner_;
  Leave();
  Unref(owner);
}

// There is no work left for `member`: out of the queue with it, if it can still be found there.
void Crew::CallBack(Member& member) noexcept {
  RuntimeCore* runtime = ExecutorAccess::RuntimeOf(*executor_);
  if (runtime == nullptr || !Unqueue(*runtime, member)) return;
  // One that has begun meanwhile, and was posted again, has to come back by itself.
  (member.LeaveQueue() & Member::kQueued) != 0 ? Post(member) : Unref(*owner_);
  NoteRan(*runtime);
}

void Crew::RunMember(WorkNode& node) noexcept {
  auto& member = static_cast<Member&>(node);
  if (member.crew->Take(member)) member.crew->Work(member, Stint::Posted);
}

void Crew::DropMember(WorkNode& node) noexcept {
  auto& member = static_cast<Member&>(node);
  Crew& crew = *member.crew;
  if (!crew.Take(member)) return;
  const Error error = crew.RefusedError();
  crew.Abandon(error);
  crew.GiveUp(member, error);  // after the other members have stopped waiting: it would only come back
  crew.End();
}

TaskCore* Crew::PostMember(Waiter& waiter, TaskCore& /*task*/, Notice notice) noexcept {
  auto& member = static_cast<Member&>(waiter);
  if (notice == Notice::Ended) member.crew->Post(member);
  return nullptr;
}

bool Crew::Park(Member& member) noexcept {
  member.notify = PostMember;
  return AddWaiter(*member.Task(), member);
}

// Through a mirror: the job does not wait for what it did not start when its context has ended.
bool Crew::ParkOther(Member& member) noexcept {
  member.notify = PostMember;
  return AddMirroredWaiter(*member.Task(), *parent_, member);
}

// A body that leaves after the failure has ended its context is Cancelled, whatever it made of that. For a
// task that was not started here the job does not wait then.
bool Crew::WasStopped(const TaskCore& task) const noexcept {
  const auto phase = task.PhaseNow();
  return failed_.load(sync::memory_order_acquire) && (phase == kCancelled || phase < kCompleted);
}

// A waiter that helps goes on as long as nothing else is overdue; then a runner goes on with its member.
bool Crew::IsTurnOver(Stint stint) const noexcept {
  if (stint != Stint::Helping) return stint == Stint::Posted;
  RuntimeCore* runtime = ExecutorAccess::RuntimeOf(*executor_);
  return runtime != nullptr && OwesATurn(*runtime);
}

void Crew::NoteFailure(const Error& error, std::size_t number) noexcept {
  const Error ended = Ended();
  if (ended && error == ended) {
    state_->failures.fetch_add(1, sync::memory_order_relaxed);
    return;
  }
  state_->NoteFailure(error);
  if (scope_ == nullptr || failed_.exchange(true, sync::memory_order_acq_rel)) return;
  stop_cause_ = number;
  EndScope(*scope_, Errc::Cancelled);
}

void PutFirst(std::vector<IndexedError>& parts, std::size_t index) noexcept {
  const auto at = std::find_if(parts.begin(), parts.end(),
                               [index](const IndexedError& part) { return part.index == index; });
  if (at != parts.end()) std::rotate(parts.begin(), at, at + 1);
}

// ---- those who wait ----

// Unless the last one has left.
bool Crew::TryJoin() noexcept {
  auto parties = parties_.load(sync::memory_order_relaxed);
  while (parties != 0) {
    // Acquire pairs with the release in LeaveAsLast(), as for every one that takes over a share.
    if (parties_.compare_exchange_weak(parties, parties + 1, sync::memory_order_acquire)) return true;
  }
  return false;
}

void Crew::Help() noexcept {
  // Asked of the owner, for the job may have ended since it was seen to run, and a strand be gone. A runtime
  // stays in memory.
  RuntimeCore* runtime = RuntimeOf(*owner_);
  if (runtime == nullptr) return;
  if (members_ == nullptr) {
    if (!TryJoin()) return;
    HelpAlone();
    return Leave();
  }
  ClaimRight right(runtime);
  if (!right) return;
  if (Unqueue(*runtime, members_[0])) {
    if (Take(members_[0])) Work(members_[0], Stint::Helping);
    return right.CountRun();
  }
  if (!TryJoin()) return;
  Member* member = HasMore() ? StartMember() : nullptr;
  if (member == nullptr) return Leave();
  Ref(*owner_);
  Work(*member, Stint::Helping);
}

// ---- the end ----

bool Crew::LeaveAsLast() noexcept {
  auto parties = parties_.load(sync::memory_order_relaxed);
  for (;;) {
    // The other one may be the link: when it can be removed it has not fired and never will. The caller's own
    // share keeps everything alive meanwhile.
    if (parties == 2 && RemoveLink(*parent_, link_)) {
      return parties_.fetch_sub(2, sync::memory_order_acq_rel) == 2;
    }
    // Release and acquire: the last one sees what all others did.
    if (parties_.compare_exchange_weak(parties, parties - 1, sync::memory_order_acq_rel,
                                       sync::memory_order_relaxed)) {
      return parties == 1;
    }
  }
}

void Crew::Complete() noexcept {
  if (reporter_ != nullptr) return reporter_->Last();
  Finish();
}

void Crew::Finish() noexcept {
  TaskCore& owner = *owner_;
  BodyResult result;
  Collect(result);
  if (scope_ != nullptr) UnrefNode(*std::exchange(scope_, nullptr));
  parent_ = owner_;
  FinishJob(owner, result);
  Unref(owner);  // this object may be gone
}

Progress Crew::Now() const noexcept {
  Progress progress{.done = state_->done.load(sync::memory_order_relaxed),
                    .failures = state_->failures.load(sync::memory_order_relaxed),
                    .total = state_->total.load(sync::memory_order_relaxed)};
  Count(progress);
  return progress;
}

void Crew::Count(Progress& progress) const noexcept {
  if (members_ == nullptr) {
    progress.running = progress.total - progress.done;
    return;
  }
  const auto add = [&progress](const Member& member) {
    // Acquire pairs with the release in CountDone(): a task that counts as done does not count as running.
    progress.done += member.done.load(sync::memory_order_acquire);
    if (member.Task() != nullptr) ++progress.running;
  };
  for (std::size_t i = 0; i < StartedMembers(); ++i) add(members_[i]);
  add(members_[limit_]);
}

// ---- for the templates ----

void HelpCrew(Crew& crew) noexcept { crew.Help(); }
std::size_t WidthOfCrew(const Crew& crew) noexcept { return crew.Width(); }
void CloseCrew(Crew& crew) noexcept { crew.Close(); }
void DeleteCrew(Crew& crew) noexcept { delete &crew; }

void FinishCrew(Crew& crew) noexcept { crew.Complete(); }

}  // namespace orchestrate::inline v1::detail
