#include "flow/consumer.hpp"

#include <algorithm>
#include <mutex>
#include <string>

#include <orchestrate/base/slab_pool.hpp>
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

// ---- what all share ----

void Consumer::Allocate(std::size_t limit) {
  Crew::Allocate(limit);
  elsewhere_.resize(limit + 1);
}

Pull Consumer::Accept(Member& member, TaskCore* core, std::uint64_t number) noexcept {
  if (core == nullptr) return Pull::Skip;
  RefNode(*parent_);
  const bool is_mine = TryAdoptBatched(*core, *parent_);
  if (!is_mine) UnrefNode(*parent_);  // started before
  member.mark = static_cast<std::uintptr_t>(2 * number + (is_mine ? 0 : 1));
  member.task.store(core, sync::memory_order_relaxed);
  return Pull::Task;
}

bool Consumer::RunElsewhere(Member& member) noexcept {
  if (IsOthers(member) && !NoteElsewhere(member)) {
    SettleWith(member, {Errc::WouldDeadlock, "Consume: the task waits for this job"});
    return true;
  }
  if (IsOthers(member) ? ParkOther(member) : Park(member)) return false;
  Settle(member);  // it has ended
  return true;
}

bool Consumer::NoteElsewhere(const Member& member) noexcept {
  auto& dependency = elsewhere_[static_cast<std::size_t>(&member - members_)];
  try {
    dependency = std::make_unique<Dependency>();
  } catch (...) {  // then a cycle through it is not found
    return true;
  }
  return dependency->Begin(Owner(), *member.Task());
}

void Consumer::Settle(Member& member) noexcept {
  TaskCore& core = *member.Task();
  Error error;
  if (core.PhaseNow() != kCompleted) error = core.IsTerminal() ? ReadError(core) : Ended();
  SettleWith(member, WasStopped(core) ? Error() : error);
}

void Consumer::SettleWith(Member& member, const Error& error) noexcept {
  TaskCore& core = *member.Task();
  elsewhere_[static_cast<std::size_t>(&member - members_)].reset();
  if (error) {
    KeepError(member.mark / 2, error);
    NoteFailure(error, member.mark / 2);
  }
  member.task.store(nullptr, sync::memory_order_relaxed);
  CountDone(member);
  Unref(core);
}

void Consumer::KeepError(std::uint64_t number, const Error& error) noexcept {
  const Error ended = Ended();
  if (ended && error == ended) return;
  Error left_out;  // is the user's: it is destroyed without the lock
  const std::lock_guard lock(mutex_);
  ++failures_;
  if (kept_ == kKept && errors_[kKept - 1].index < number) return;
  kept_ < kKept ? void(++kept_) : std::swap(left_out, errors_[kKept - 1].error);
  std::size_t at = kept_ - 1;
  for (; at > 0 && errors_[at - 1].index > number; --at) errors_[at] = std::move(errors_[at - 1]);
  errors_[at] = {static_cast<std::size_t>(number), error};
}

void Consumer::Stop(const Error& error) noexcept {
  const std::lock_guard lock(mutex_);
  if (!stop_error_) stop_error_ = error;
  stopped_.store(true, sync::memory_order_relaxed);
}

void Consumer::Collect(BodyResult& result) noexcept {
  const std::size_t done = Now().done;
  if (total_ == 0) state_->total.store(done, sync::memory_order_relaxed);
  Error joined;
  try {
    std::vector<IndexedError> parts(errors_.begin(), errors_.begin() + static_cast<std::ptrdiff_t>(kept_));
    PutFirst(parts, StopCause());
    joined = Error::Join(std::move(parts), {.failures = failures_, .total = done});
  } catch (...) {
    joined = Errc::OutOfResources;
  }
  if (stop_error_) joined = stop_error_.WithCause(std::move(joined));
  if (joined) Fail(result, std::move(joined));
}

// ---- a channel ----

ChannelConsumer::~ChannelConsumer() {
  if (places_ != nullptr) FreeBlock(places_, sizeof(Place) * limit_);
  channel_.Unref();
}

void ChannelConsumer::Allocate(std::size_t limit) {
  Consumer::Allocate(limit);
  places_ = static_cast<Place*>(AllocateBlock(sizeof(Place) * limit));
  for (std::size_t i = 0; i < limit; ++i) {
    Place& place = *::new (static_cast<void*>(places_ + i)) Place;
    place.member = &members_[i];
    place.item = place.memory;
    place.notify = [](ChannelWaiter& waiter) noexcept {
      Member& member = *static_cast<Place&>(waiter).member;
      static_cast<ChannelConsumer*>(member.crew)->Post(member);
    };
  }
}

Pull ChannelConsumer::Next(Member& member) noexcept {
  Place& place = PlaceOf(member);
  if (std::exchange(place.waits, false)) return Arrived(member, place);
  if (IsOver()) return Pull::End;
  place.context = parent_;
  if (channel_.TryRecvInto(place)) return Accept(member, extract_(place.item), place.number - first_);
  return Wait(member, place);
}

// The node was notified: it holds an item, or the channel is closed, or the context has ended.
Pull ChannelConsumer::Arrived(Member& member, Place& place) noexcept {
  if (place.result != ChannelWait::Done) return Pull::End;
  // What came too late goes to the next who receives.
  const bool given_back = IsOver() && channel_.PutBack(place.item);
  TaskCore* core = extract_(place.item);
  return given_back ? Pull::End : Accept(member, core, place.number - first_);
}

Pull ChannelConsumer::Wait(Member& member, Place& place) noexcept {
  Join();  // `member` is somebody else's once it waits, and this thread still looks at the crew
  place.waits = true;
  if (channel_.RecvOrWait(place) != ChannelWait::Waiting) {
    (void)LeaveAsLast();
    place.waits = false;
    return Arrived(member, place);
  }
  // Whoever ends the context comes before this look, or its sweeper finds the node.
  if (IsOver() && channel_.CancelWait(place)) {
    (void)LeaveAsLast();
    place.waits = false;
    return Pull::End;
  }
  Leave();
  return Pull::Wait;
}

void ChannelConsumer::Abandon(const Error& error) noexcept {
  Consumer::Abandon(error);
  Sweep(members_[limit_]);
}

// Where nothing was swept, all have left before. A channel that was drained is closed already.
void ChannelConsumer::Collect(BodyResult& result) noexcept {
  EndEarly();
  Consumer::Collect(result);
}

// Its item goes to the next who receives, like all that comes too late.
void ChannelConsumer::GiveBack(Member& member, const Error& error) noexcept {
  Place& place = PlaceOf(member);
  if (!std::exchange(place.waits, false) || place.result != ChannelWait::Done) return;
  const bool given_back = channel_.PutBack(place.item);
  TaskCore* core = extract_(place.item);
  if (given_back || Accept(member, core, place.number - first_) != Pull::Task) return;
  // There is no memory for that. Nobody will come for the task.
  if (EndUnrun(*core, kBatched, error, Ended() ? kCancelled : kFailed) || core->IsTerminal())
    return Settle(member);
  member.task.store(nullptr, sync::memory_order_relaxed);  // somebody else has started it
  Unref(*core);
}

void ChannelConsumer::Sweep(Member& /*sweeper*/) noexcept {
  EndEarly();  // before the running tasks have left: one of them may be sending
  for (std::size_t i = AllStarted(); i-- > 0;) {
    if (!channel_.CancelWait(places_[i])) continue;
    places_[i].waits = false;
    EndAnother();
  }
}

// ---- a function ----

bool PullConsumer::TryTurn(Member& member) noexcept {
  const std::lock_guard lock(turn_mutex_);
  if (!taken_) return taken_ = true;
  static_cast<WorkNode&>(member).next = waiting_;
  waiting_ = &member;
  return false;
}

void PullConsumer::EndTurn() noexcept {
  WorkNode* next = nullptr;
  {
    const std::lock_guard lock(turn_mutex_);
    taken_ = false;
    next = waiting_;
    if (next != nullptr) waiting_ = std::exchange(next->next, nullptr);
  }
  if (next != nullptr) Post(static_cast<Member&>(*next));
}

// It may have been posted as the next one that looks.
void PullConsumer::GiveBack(Member& /*member*/, const Error& /*error*/) noexcept {
  {
    const std::lock_guard lock(turn_mutex_);
    if (std::exchange(taken_, true)) return;
  }
  EndTurn();
}

bool PullConsumer::Call(TaskCore*& core) noexcept {
  ++t_thread.turn;                  // the function's time is not the next task's
  const FrameScope frame(Owner());  // its waits are the job's
  try {
    Context context = ContextAccess::Borrow(*parent_);
    return pull_(context, core);
  } catch (...) {
    Stop(Error::FromCurrentException());
    return false;
  }
}

Pull PullConsumer::Next(Member& member) noexcept {
  if (!TryTurn(member)) return Pull::Wait;
  TaskCore* core = nullptr;
  const bool found = !HasMore() || IsOver() ? false : Call(core);
  const std::uint64_t number = number_;
  if (found) {
    if (core != nullptr) ++number_;
  } else {
    at_end_.store(true, sync::memory_order_relaxed);
  }
  EndTurn();
  return found ? Accept(member, core, number) : Pull::End;
}

// ---- the verb ----

namespace {

constexpr std::size_t kMostConsumers = 65536;
constexpr std::size_t kUnlimitedConsumers = 1024;

Error CheckCount(Concurrency count, const Executor& executor) noexcept {
  const std::size_t members = ConcurrencyAccess::Resolve(count, Concurrency::Workers(), executor);
  if (members == ConcurrencyAccess::kUnlimited || members <= kMostConsumers) return {};
  return MakeError([members]() -> Error {
    return {Errc::InvalidArgument, "Consume: concurrency " + std::to_string(members) +
                                       ", must be <= " + std::to_string(kMostConsumers)};
  });
}

template <class MakeCrew>
Job StartConsumer(const Where& where, Concurrency count, JobOptions&& options, MakeCrew make) {
  auto& core = MakeCrewBlock<void>(where);
  Job job = JobAccess::Take(core);
  core.count = [](const JobCore& self, Progress& progress) noexcept {
    static_cast<const CrewBlock<void>&>(self).crew->Count(progress);
  };
  try {
    core.crew = make();
    const Concurrency members = count == Concurrency::Unlimited() ? Concurrency(kUnlimitedConsumers) : count;
    core.crew->Bind(core, &core.state_of_job,
                    {where, options, "Consume", members, Concurrency::Workers(), kMostConsumers});
  } catch (...) {
    Unref(core);  // the crew's
    throw;
  }
  core.crew->Begin();
  return job;
}

Error CheckArguments(const Where& where, Concurrency count, const JobOptions& options) {
  if (Error error = CheckOptions("Consume", options)) return error;
  return WhereAccess::WithParent(where, [count](ContextNode& parent) {
    Error error = CheckCount(count, ExecutorOf(parent));
    return error ? error : RefusalOf("Consume", parent);
  });
}

}  // namespace

Job ConsumeChannel(const Where& where, Concurrency count, ChannelCore& channel, ExtractFn extract,
                   ConsumeOptions&& options) {
  if (Error error = CheckArguments(where, count, options)) return MakeFailedJob(std::move(error), where);
  const EarlyEnd early_end = options.early_end;
  return StartConsumer(where, count, std::move(options),
                       [&] { return new ChannelConsumer(channel, extract, early_end); });
}

Job ConsumePulled(const Where& where, Concurrency count, PullFn&& pull, std::size_t total,
                  JobOptions&& options) {
  Error error = pull ? CheckArguments(where, count, options) : EmptyFunction("Consume");
  if (error) return MakeFailedJob(std::move(error), where);
  return StartConsumer(where, count, std::move(options),
                       [&] { return new PullConsumer(std::move(pull), total); });
}

}  // namespace orchestrate::inline v1::detail
