#include "flow/batch.hpp"

#include <orchestrate/flow/invoke_all.hpp>
#include "exec/thread_state.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

// ---- the list ----

namespace {

// A task's block lies in the second-level cache when its turn comes, and atomic read-modify-writes keep the
// processor from looking ahead by itself.
constexpr std::size_t kAhead = 6;

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
  explicit Failures(const Error& left_out) noexcept : left_out_(left_out) {}
  void Add(std::size_t index, TaskCore& core) noexcept {
    ++total_;
    if (core.PhaseNow() == kCompleted) return;
    Error error = ReadError(core);
    if (left_out_ && error == left_out_) return;
    try {
      parts_.push_back({index, std::move(error)});
    } catch (...) {
      out_of_memory_ = true;
    }
  }
  [[nodiscard]] Error Join() noexcept {
    return out_of_memory_ ? Error(Errc::OutOfResources)
                          : Error::Join(std::move(parts_), {.failures = 0, .total = total_});
  }

 private:
  const Error& left_out_;
  std::vector<IndexedError> parts_;
  std::size_t total_ = 0;
  bool out_of_memory_ = false;
};

}  // namespace

Error JoinErrors(const TaskList& tasks, const Error& left_out) noexcept {
  Failures failures(left_out);
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
    TaskCore* core = tasks_.entries[i].core;
    if (core != nullptr && tasks_.borrowed) Ref(*core);
    if (core != nullptr && TryAdoptBatched(*core, *parent_)) continue;
    ++spare;
    if (core != nullptr) NoteElsewhere(*core);
  }
  tasks_.borrowed = false;
  // Never the last ones: the owner is referred to by the crew.
  if (spare != 0) parent_->refs.fetch_sub(spare, sync::memory_order_relaxed);
}

void Batch::SubmitAll() noexcept {
  for (const BatchEntry& entry : tasks_.entries) {
    if (entry.core != nullptr && tasks_.borrowed) Ref(*entry.core);
  }
  tasks_.borrowed = false;
  for (BatchEntry& entry : tasks_.entries) {
    if (entry.core == nullptr) continue;
    TaskCore& core = *entry.core;
    const bool mine = TryAdopt(core, kCreated, kQueued, *parent_, ContextNode::kAdmitted);
    if (!mine) NoteElsewhere(core);
    Watch(entry);
    if (!mine) continue;
    Ref(core);  // the queue's
    if (!PostTask(core)) Refuse(core);
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
  Watch(tasks_.entries[member.mark]);
  return true;
}

void Batch::Settle(Member& member) noexcept {
  TaskCore& core = *member.Task();
  if (core.PhaseNow() != kCompleted) NoteFailure(ReadError(core));
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

// By somebody who has not left.
void Batch::Watch(BatchEntry& entry) noexcept {
  Join();
  entry.crew = this;
  entry.notify = WatchedEnded;
  if (AddWaiter(*entry.core, entry)) return;
  NoteEnd(*entry.core);
  (void)LeaveAsLast();
}

void Batch::NoteEnd(TaskCore& core) noexcept {
  if (core.PhaseNow() != kCompleted) NoteFailure(ReadError(core));
  state_->done.fetch_add(1, sync::memory_order_relaxed);
}

TaskCore* Batch::WatchedEnded(Waiter& waiter, TaskCore& core, Notice notice) noexcept {
  if (notice != Notice::Ended) return nullptr;
  auto& self = static_cast<Batch&>(*static_cast<BatchEntry&>(waiter).crew);
  self.NoteEnd(core);
  TaskCore& owner = self.Owner();
  return self.LeaveAsLast() ? &owner : nullptr;  // posted: this call belongs to somebody who completes a task
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
    Watch(entry);
  }
}

void Batch::Collect(BodyResult& result) noexcept {
  elsewhere_.reset();
  if (collect_ != nullptr) {
    try {
      collect_(Owner(), tasks_, result);
    } catch (...) {
      Fail(result, Error::FromCurrentException());
    }
  } else if (Error error = TakeErrors(Ended())) {
    Fail(result, std::move(error));
  }
  tasks_.Clear();
}

// JoinErrors() and Clear() in one walk.
Error Batch::TakeErrors(const Error& left_out) noexcept {
  Failures failures(left_out);
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

void StartBatch(TaskCore& owner, Crew*& place, JobState* state, const Where& where, Concurrency count,
                TaskList&& tasks, JobOptions&& options, CollectFn collect) {
  try {
    auto* batch = new Batch(std::move(tasks), collect);
    place = batch;
    batch->Bind(owner, state, {where, options, "InvokeAll", count, Concurrency::Unlimited(), batch->Size()});
  } catch (...) {
    Unref(owner);  // the crew's
    throw;
  }
  place->Begin();
}

Job StartJob(const Where& where, Concurrency count, TaskList&& tasks, JobOptions&& options) {
  if (Error error = CheckOptions("InvokeAll", options)) return MakeFailedJob(std::move(error), where);
  auto& core = MakeCrewBlock<void>(where);
  Job job = JobAccess::Take(core);
  core.count = [](const JobCore& self, Progress& progress) noexcept {
    static_cast<const CrewBlock<void>&>(self).crew->Count(progress);
  };
  StartBatch(core, core.crew, &core.state_of_job, where, count, std::move(tasks), std::move(options),
             nullptr);
  return job;
}

}  // namespace orchestrate::inline v1::detail
