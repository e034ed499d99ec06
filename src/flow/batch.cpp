#include "flow/batch.hpp"

#include <algorithm>

#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/task/detail/mirror.hpp>
#include "exec/thread_state.hpp"
#include "task/context_end.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

// ---- the list ----

namespace {

// A task's block lies in the second-level cache when its turn comes, and atomic read-modify-writes keep the
// processor from looking ahead by itself.
constexpr std::size_t kAhead = 6;

// So many may stand in front of what others queue.
constexpr std::size_t kFew = 8;

void FetchAhead(const std::vector<BatchEntry>& entries, std::size_t index) noexcept {
  if (index + kAhead >= entries.size()) return;
  const auto* core = reinterpret_cast<const char*>(entries[index + kAhead].core);  // NOLINT
  if (core == nullptr) return;
  __builtin_prefetch(core, 1);
  __builtin_prefetch(core + 64, 1);
}

}  // namespace

void TaskList::Clear() noexcept {
  const auto all = std::exchange(entries, {});
  for (std::size_t i = 0; i < all.size() && !borrowed; ++i) {
    FetchAhead(all, i);
    if (all[i].core != nullptr) Unref(*all[i].core);
  }
}

namespace {

// Collects failures; what lacks memory on the way becomes an error of its own.
class Failures {
 public:
  Failures(const Error& left_out, std::size_t stop_cause) noexcept
      : left_out_(left_out), stop_cause_(stop_cause) {}
  void Add(std::size_t index, TaskCore& core) noexcept {
    ++total_;
    const auto phase = core.PhaseNow();
    // One that has not ended was not started here: the job has ended without it.
    if (phase <= kCompleted) return;
    if (stop_cause_ != kNoTask && index != stop_cause_ && phase == kCancelled) return;  // it was just stopped
    Error error = ReadError(core);
    if (left_out_ && error == left_out_) return;
    try {
      parts_.push_back({index, std::move(error)});
    } catch (...) {
      out_of_memory_ = true;
    }
  }
  [[nodiscard]] Error Join() noexcept {
    PutFirst(parts_, stop_cause_);
    return out_of_memory_ ? Error(Errc::OutOfResources)
                          : Error::Join(std::move(parts_), {.failures = 0, .total = total_});
  }

 private:
  const Error& left_out_;
  const std::size_t stop_cause_;
  std::vector<IndexedError> parts_;
  std::size_t total_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace

Error JoinErrors(const TaskList& tasks, const Error& left_out) noexcept {
  Failures failures(left_out, tasks.stop_cause);
  for (std::size_t i = 0; i < tasks.entries.size(); ++i) {
    if (TaskCore* core = tasks.entries[i].core) failures.Add(i, *core);
  }
  return failures.Join();
}

// ---- the start ----

void Batch::Prepare() noexcept {
  size_ = tasks_.entries.size();
  std::size_t total = 0;
  for (const BatchEntry& entry : tasks_.entries) total += entry.core != nullptr ? 1 : 0;
  state_->total.store(total, sync::memory_order_relaxed);
  members_ != nullptr ? AdoptAll() : SubmitAll();
}

void Batch::AdoptAll() noexcept {
  // One step for all references to the parent.
  parent_->refs.fetch_add(static_cast<std::uint32_t>(size_), sync::memory_order_relaxed);
  std::uint32_t spare = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    FetchAhead(tasks_.entries, i);
    BatchEntry& entry = tasks_.entries[i];
    if (entry.core != nullptr && tasks_.borrowed) Ref(*entry.core);
    const bool mine = entry.core != nullptr && TryAdoptBatched(*entry.core, *parent_);
    entry.is_mine = mine;
    if (!mine) ++spare;
    if (entry.core != nullptr && !mine) NoteElsewhere(*entry.core);
  }
  tasks_.borrowed = false;
  // Never the last ones: the owner is referred to by the crew.
  if (spare != 0) parent_->refs.fetch_sub(spare, sync::memory_order_relaxed);
}

void Batch::SubmitAll() noexcept {
  const PostFn post = size_ > kFew ? PostOfMany : PostNode;
  for (const BatchEntry& entry : tasks_.entries) {
    if (entry.core != nullptr && tasks_.borrowed) Ref(*entry.core);
  }
  tasks_.borrowed = false;
  for (BatchEntry& entry : tasks_.entries) {
    if (entry.core == nullptr) continue;
    TaskCore& core = *entry.core;
    if (!TryAdopt(core, kCreated, kQueued, *parent_, ContextNode::kAdmitted)) {
      NoteElsewhere(core);
      WatchOther(entry);
      continue;
    }
    entry.is_mine = true;
    Watch(entry);
    Ref(core);  // the queue's
    if (!PostTask(core, post)) Refuse(core, Verb());
  }
}

// ---- members ----

Pull Batch::Next(Member& member) noexcept {
  const auto index = next_.fetch_add(1, sync::memory_order_relaxed);
  if (index >= size_) return Pull::End;
  BatchEntry& entry = tasks_.entries[index];
  FetchAhead(tasks_.entries, index);
  if (entry.core == nullptr) return Pull::Skip;
  member.mark = index;
  member.task.store(entry.core, sync::memory_order_relaxed);
  return Pull::Task;
}

bool Batch::RunElsewhere(Member& member) noexcept {
  member.task.store(nullptr, sync::memory_order_relaxed);
  BatchEntry& entry = tasks_.entries[member.mark];
  entry.is_mine ? Watch(entry) : WatchOther(entry);
  return true;
}

void Batch::Settle(Member& member) noexcept {
  TaskCore& core = *member.Task();
  if (core.PhaseNow() != kCompleted && !WasStopped(core)) NoteFailure(ReadError(core), member.mark);
  member.task.store(nullptr, sync::memory_order_relaxed);
  CountDone(member);
}

// ---- watched tasks ----

// Before the owner can be waited for. Not known as one of its tasks: a wait inside it may need the owner.
void Batch::NoteElsewhere(TaskCore& core) noexcept {
  if (core.IsTerminal()) return;
  try {
    if (elsewhere_ == nullptr) elsewhere_ = std::make_unique<std::deque<Dependency>>();
    (void)elsewhere_->emplace_back().Begin(Owner(), core);
  } catch (...) {  // then a cycle through it is not found
  }
}

// By a party that has not left. Without a limit EndBodiless() reaches the task, so that it costs no link.
void Batch::Watch(BatchEntry& entry) noexcept {
  Join();
  entry.crew = this;
  entry.notify = WatchedEnded;
  if (members_ == nullptr ? AddOwnWaiter(*entry.core, entry) : AddWaiter(*entry.core, entry)) return;
  NoteEnd(entry, ReadError(*entry.core));
  (void)LeaveAsLast();
}

void Batch::WatchOther(BatchEntry& entry) noexcept {
  Join();
  entry.crew = this;
  entry.notify = WatchedEnded;
  TaskCore& core = *entry.core;
  if (AddMirroredWaiter(core, *parent_, entry)) return;
  NoteEnd(entry, core.IsTerminal() ? ReadError(core) : Ended());
  (void)LeaveAsLast();
}

void Batch::NoteEnd(const BatchEntry& entry, const Error& error) noexcept {
  if (error && !WasStopped(*entry.core))
    NoteFailure(error, static_cast<std::size_t>(&entry - tasks_.entries.data()));
  state_->done.fetch_add(1, sync::memory_order_relaxed);
}

// The context has ended: ends the tasks that wait for a worker or for another task.
void Batch::EndBodiless() noexcept {
  const Error ended = Ended();
  for (const BatchEntry& entry : tasks_.entries) {
    if (entry.core != nullptr && entry.is_mine) EndBound(*entry.core, ended);
  }
}

TaskCore* Batch::WatchedEnded(Waiter& waiter, TaskCore& core, Notice notice) noexcept {
  if (notice != Notice::Ended) return nullptr;
  const auto& entry = static_cast<BatchEntry&>(waiter);
  auto& self = static_cast<Batch&>(*entry.crew);
  self.NoteEnd(entry, ReadError(core));  // of the task, or of its mirror
  TaskCore& owner = self.Owner();
  if (!self.LeaveAsLast()) return nullptr;
  // Posted: this thread is completing another task.
  if (!EndOf(owner)) return &owner;
  PostUrgentBelow(owner, owner);
  return nullptr;
}

// On a thread that waits for the owner: as if it waited for the tasks one by one. A worker has the newest one
// at hand, a thread from outside the oldest.
void Batch::HelpAlone() noexcept {
  const bool newest_first =
      t_thread.slot != nullptr && t_thread.runtime == ExecutorAccess::RuntimeOf(*executor_);
  for (;;) {
    const auto index = next_.fetch_add(1, sync::memory_order_relaxed);
    if (index >= size_) return;
    if (TaskCore* core = tasks_.entries[newest_first ? size_ - 1 - index : index].core)
      (void)PrepareAwait(*core);
  }
}

// ---- the end ----

void Batch::Abandon(const Error& error) noexcept {
  for (;;) {
    const auto index = next_.fetch_add(1, sync::memory_order_relaxed);
    if (index >= size_) return;
    BatchEntry& entry = tasks_.entries[index];
    if (entry.core == nullptr || members_ == nullptr) continue;
    EndUnrun(*entry.core, kBatched, error, kFailed);
    entry.is_mine ? Watch(entry) : WatchOther(entry);
  }
}

// The end of the job's context does not end tasks of others.
bool Batch::HaveAllEnded() const noexcept {
  return std::all_of(tasks_.entries.begin(), tasks_.entries.end(), [](const BatchEntry& entry) {
    return entry.core == nullptr || entry.core->IsTerminal();
  });
}

void Batch::Collect(BodyResult& result) noexcept {
  elsewhere_.reset();
  tasks_.stop_cause = StopCause();
  const Error ended = Ended();
  if (ended && collect_ != nullptr && !HaveAllEnded()) {
    Fail(result, ended);  // to read one that has not would wait
  } else if (collect_ != nullptr) {
    try {
      collect_(Owner(), tasks_, result);
    } catch (...) {
      Fail(result, Error::FromCurrentException());
    }
  } else if (Error error = TakeErrors(ended)) {
    Fail(result, std::move(error));
  }
  tasks_.Clear();
}

// JoinErrors() and Clear() in one walk.
Error Batch::TakeErrors(const Error& left_out) noexcept {
  Failures failures(left_out, tasks_.stop_cause);
  for (std::size_t i = 0; i < size_; ++i) {
    FetchAhead(tasks_.entries, i);
    TaskCore* core = std::exchange(tasks_.entries[i].core, nullptr);
    if (core == nullptr) continue;
    failures.Add(i, *core);
    Unref(*core);
  }
  return failures.Join();
}

// ---- the verb ----

Error CheckBatch(const char* verb, const Where& where, const TaskList& tasks, const JobOptions& options) {
  if (Error wrong = CheckOptions(verb, options)) return wrong;
  Error refusal = RefusalAt(verb, where);
  if (!refusal) return {};
  for (const BatchEntry& entry : tasks.entries) {
    if (entry.core != nullptr) EndUnrun(*entry.core, kCreated, refusal, kFailed);
  }
  return refusal;
}

void StartBatch(const char* verb, TaskCore& owner, Crew*& place, JobState* state, const Where& where,
                Concurrency count, TaskList&& tasks, JobOptions&& options, CollectFn collect) {
  try {
    auto* batch = new Batch(std::move(tasks), collect);
    place = batch;
    batch->Bind(owner, state, {where, options, verb, count, Concurrency::Unlimited(), batch->Size()});
  } catch (...) {
    Unref(owner);  // the crew's
    throw;
  }
  place->Begin();
}

namespace {

// A job whose tasks have all failed before it could begin.
Job MakeRefusedJob(const Error& refusal, const Where& where, const TaskList& tasks) {
  Job job = MakeFailedJob(refusal, where);
  JobState& state =
      static_cast<JobCore&>(*TaskAccess::Core(static_cast<const TaskHandle&>(job))).state_of_job;
  if (refusal.Is(Errc::InvalidArgument)) return job;  // then they are as they were
  for (const BatchEntry& entry : tasks.entries) {
    if (entry.core == nullptr) continue;
    state.NoteFailure(refusal);
    state.done.fetch_add(1, sync::memory_order_relaxed);
    state.total.fetch_add(1, sync::memory_order_relaxed);
  }
  return job;
}

}  // namespace

Job StartJob(const Where& where, Concurrency count, TaskList&& tasks, JobOptions&& options) {
  if (const Error error = CheckBatch("InvokeAll", where, tasks, options))
    return MakeRefusedJob(error, where, tasks);
  auto& core = MakeCrewBlock<void>(where);
  Job job = JobAccess::Take(core);
  core.count = [](const JobCore& self, Progress& progress) noexcept {
    static_cast<const CrewBlock<void>&>(self).crew->Count(progress);
  };
  StartBatch("InvokeAll", core, core.crew, &core.state_of_job, where, count, std::move(tasks),
             std::move(options), nullptr);
  return job;
}

}  // namespace orchestrate::inline v1::detail
