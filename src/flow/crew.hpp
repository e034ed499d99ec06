#pragma once

#include <memory>
#include <vector>

#include <orchestrate/flow/detail/crew_block.hpp>
#include <orchestrate/time/ticks.hpp>
#include "exec/scheduling.hpp"
#include "exec/thread_state.hpp"
#include "flow/progress_reporter.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {

struct ChildScope;

// One of those that run a crew's tasks. It belongs to one thread at a time: the one that runs it; whoever
// wakes it when it waits.
struct alignas(64) Member : WorkNode, Waiter {
  // Bits of `place`. A member that is queued with its share leaves it to the sweeper when the context ends,
  // and one that is queued only to begin gets no share then; the entry in the queue comes to nothing.
  static constexpr std::uint32_t kToBegin = 1;
  static constexpr std::uint32_t kQueued = 2;
  static constexpr std::uint32_t kSwept = 4;

  // By the thread that has taken it out of its queue: why it lay there. Acquire pairs with Crew::Post().
  std::uint32_t LeaveQueue() noexcept {
    return place.fetch_and(~(kQueued | kToBegin), sync::memory_order_acq_rel);
  }
  [[nodiscard]] TaskCore* Task() const noexcept { return task.load(sync::memory_order_relaxed); }

  Crew* crew = nullptr;
  std::uintptr_t mark = 0;  // which task it is
  // Written by the member only, read by whoever asks how far the work has come.
  sync::atomic<TaskCore*> task{nullptr};  // taken and not settled
  sync::atomic<std::size_t> done{0};
  sync::atomic<std::uint32_t> place{0};
};
static_assert(sizeof(Member) == 128);

enum class Pull : std::uint8_t {
  Task,  // the member has a task
  Skip,  // there was nothing to run; ask again
  Wait,  // somebody else has the member now and will post it
  End    // there is nothing left to run
};

// Up to `limit` members pull tasks and run them, each one after the other on whichever thread runs it. Nobody
// blocks: a member that has nothing to do waits as a node. Members start one another, so an idle crew costs
// nothing.
//
// `parties_` counts who will still come back: members that have begun, watched tasks, the link into the
// context until it has fired or was removed. Whoever takes it to zero completes the crew. Each member that
// was started keeps the memory until it has left and lies in no queue.
class Crew {
 public:
  struct Setup {
    const Where& where;
    JobOptions& options;
    const char* verb;
    Concurrency count;
    Concurrency zero;  // what a count of 0 means
    std::size_t most;  // members at the most
  };

  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  virtual ~Crew();

  // Ties everything to `owner`, without starting anything; throws what allocating throws, and changes nothing
  // then.
  void Bind(TaskCore& owner, JobState* state, Setup setup);
  // Begins: from now on everything may be called, and the owner's reference of the crew is given up at the
  // end.
  void Begin() noexcept;

  // Does some of the work on a thread that waits for the owner.
  void Help() noexcept;
  // All have left: ends the owner, after the last report.
  void Complete() noexcept;
  void Finish() noexcept;
  // Destroys what the user gave; the owner is about to be terminal.
  virtual void Close() noexcept { reporter_.reset(); }

  [[nodiscard]] TaskCore& Owner() const noexcept { return *owner_; }
  [[nodiscard]] Executor& GetExecutor() const noexcept { return *executor_; }
  // How many tasks run at a time; of an unlimited crew, more than there are.
  [[nodiscard]] std::size_t Width() const noexcept { return members_ != nullptr ? limit_ : ~std::size_t{0}; }
  [[nodiscard]] Progress Now() const noexcept;
  void Count(Progress& progress) const noexcept;

 protected:
  enum class Stint : std::uint8_t { Posted, Helping, Sweeping };

  Crew() noexcept = default;

  // ---- what the verbs differ in ----
  // WorkAs(*this, …) in each final class, so that nothing in the loop is a virtual call.
  virtual void Work(Member& member, Stint stint) noexcept = 0;
  // Makes room for `limit` members.
  virtual void Allocate(std::size_t limit);
  // Nothing runs yet: prepares the tasks that are there.
  virtual void Prepare() noexcept {}
  // The same as Help() where there are no members.
  virtual void HelpAlone() noexcept {}
  // Sets member.task, which was adopted if it was still to be started.
  virtual Pull Next(Member& member) noexcept = 0;
  // Somebody else runs or has run member.task. False when `member` waits for it.
  virtual bool RunElsewhere(Member& member) noexcept = 0;
  // member.task has ended.
  virtual void Settle(Member& member) noexcept = 0;
  [[nodiscard]] virtual bool HasMore() const noexcept = 0;
  // The context has ended: ends what no member will come to.
  virtual void Sweep(Member& sweeper) noexcept = 0;
  // The same where there are no members, on the thread that ends the context: runs no code of the user.
  virtual void EndBodiless() noexcept {}
  // The executor takes no more work: nothing will be run any more.
  virtual void Abandon(const Error& error) noexcept = 0;
  // `member` is given up: so is what was handed to it while it waited.
  virtual void GiveBack(Member& /*member*/, const Error& /*error*/) noexcept {}
  // Everything has ended: the owner's value or error; gives up all references.
  virtual void Collect(BodyResult& result) noexcept = 0;

  // ---- for those who implement it ----
  template <class Self>
  void WorkAs(Self& self, Member& member, Stint stint) noexcept;
  // Queues `member` with its share.
  void Post(Member& member, void (*post)(const ContextNode&, WorkNode&) noexcept = PostBelow) noexcept;
  // Has `member` posted at the end of member.task, which another party started or runs; false when that has
  // come already.
  [[nodiscard]] bool Park(Member& member) noexcept;
  [[nodiscard]] bool ParkOther(Member& member) noexcept;
  // True when `task`, which has not completed, was only ended by the failure of another one.
  [[nodiscard]] bool WasStopped(const TaskCore& task) const noexcept;
  // Counts a failure that was not just stopped; the first one stops the others when the options say so.
  void NoteFailure(const Error& error, std::size_t number) noexcept;
  // The number of the task whose failure stopped the others; kNoTask when none did. After all have left.
  [[nodiscard]] std::size_t StopCause() const noexcept { return stop_cause_; }
  void Join() noexcept { parties_.fetch_add(1, sync::memory_order_relaxed); }
  // True for the last one, who has to see to it that Complete() is called.
  [[nodiscard]] bool LeaveAsLast() noexcept;
  void Leave() noexcept {
    if (LeaveAsLast()) Complete();
  }
  // The end of a member that lies in no queue; of another one, by a party that has not left.
  void End() noexcept;
  void EndAnother() noexcept {
    (void)LeaveAsLast();
    Unref(*owner_);
  }
  [[nodiscard]] Error Ended() const noexcept { return EndOf(*parent_); }
  [[nodiscard]] bool Refused() const noexcept;
  [[nodiscard]] Error RefusedError() const noexcept;
  [[nodiscard]] const char* Verb() const noexcept { return verb_; }
  [[nodiscard]] std::size_t StartedMembers() const noexcept;
  [[nodiscard]] std::size_t AllStarted() noexcept;
  void CountDone(Member& member) noexcept {
    member.done.store(member.done.load(sync::memory_order_relaxed) + 1, sync::memory_order_release);
  }

  TaskCore* owner_ = nullptr;
  ContextNode* parent_ = nullptr;  // of the tasks: the owner, or a scope below it that can end alone
  Executor* executor_ = nullptr;
  JobState* state_ = nullptr;
  Member* members_ = nullptr;  // `limit_` of them and the sweeper; null when all tasks run at once
  std::size_t limit_ = 0;

 private:
  // Told when the tasks' parent has ended.
  struct EndLink : Link, Deferred {
    Crew* crew = nullptr;
  };

  static void RunMember(WorkNode& node) noexcept;
  static void DropMember(WorkNode& node) noexcept;
  static void RunSweeper(WorkNode& node) noexcept;
  static constexpr WorkOps kMemberOps{RunMember, DropMember};
  static constexpr WorkOps kSweeperOps{RunSweeper, RunSweeper};
  static TaskCore* TaskEnded(Waiter& waiter, TaskCore& task, Notice notice) noexcept;

  // Whether the link may post the sweeper; one that fires before that leaves it to Begin().
  enum Gate : std::uint32_t { kClosed, kOpen, kFired };

  void WatchContext();
  void ContextEnded() noexcept;
  void StartSweep() noexcept;
  [[nodiscard]] Member* StartMember() noexcept;  // the next one, unless all have started
  void StartFirst() noexcept;
  Member* StartAnother() noexcept;
  [[nodiscard]] bool IsTurnOver(Stint stint) const noexcept;
  void CallBack(Member& member) noexcept;
  // After `member` was taken out of its queue; false: it is not needed any more, and this object may be gone.
  [[nodiscard]] bool Take(Member& member) noexcept;
  [[nodiscard]] bool TryJoin() noexcept;
  void SweepQueued() noexcept;
  void GiveUp(Member& member, const Error& error) noexcept;
  static TaskCore* PostMember(Waiter& waiter, TaskCore& task, Notice notice) noexcept;

  const char* verb_ = "";
  ChildScope* scope_ = nullptr;  // set when the first failure is to end the tasks
  EndLink link_;
  sync::atomic<std::uint32_t> gate_{kClosed};
  sync::atomic<bool> failed_{false};
  std::size_t stop_cause_ = kNoTask;  // written by the thread that has set `failed_`
  std::unique_ptr<ProgressReporter> reporter_;
  JobState own_state_;  // of an owner that is no Job
  alignas(64) sync::atomic<std::size_t> parties_{0};
  sync::atomic<std::size_t> started_{0};
};

// Puts the part with this index, if there is one, before the others.
void PutFirst(std::vector<IndexedError>& parts, std::size_t index) noexcept;

[[nodiscard]] std::uint64_t TurnTicks() noexcept;

[[nodiscard]] inline bool IsPast(std::uint64_t ticks, std::uint64_t limit) noexcept {
  return static_cast<std::int64_t>(ticks - limit) > 0;
}

// The next body of this thread does not begin where the last one has left.
struct RowEnd {
  RowEnd() noexcept = default;
  RowEnd(const RowEnd&) = delete;
  RowEnd& operator=(const RowEnd&) = delete;
  ~RowEnd() { Now(); }
  static void Now() noexcept { t_thread.left_turn = ThreadState::kNoTurn; }
};

template <class Self>
void Crew::WorkAs(Self& self, Member& member, Stint stint) noexcept {
  const std::uint64_t turn = TurnTicks();
  const std::uint64_t begin = ReadTicks();
  const RowEnd row_end;
  bool alone = stint != Stint::Sweeping;
  Member* other = nullptr;
  if (member.Task() != nullptr) self.Settle(member);  // it was waiting for that
  for (;;) {
    switch (self.Next(member)) {
      case Pull::Task:
        break;
      case Pull::Skip:
        continue;
      case Pull::Wait:
        return;
      case Pull::End:
        RowEnd::Now();  // what follows may run user code
        if (other != nullptr) CallBack(*other);
        return stint == Stint::Sweeping ? void() : End();
    }
    if (std::exchange(alone, false) && self.HasMore()) other = StartAnother();
    TaskCore& task = *member.Task();
    ++t_thread.turn;
    if (!TryRun(task, kBatched, Timing::InARow)) {
      if (!self.RunElsewhere(member)) return;
      continue;
    }
    if (!task.IsTerminal() && Park(member)) return;
    self.Settle(member);
    if (IsPast(t_thread.left_ticks, begin + turn) && IsTurnOver(stint)) return Post(member, PostLastBelow);
  }
}

}  // namespace orchestrate::inline v1::detail
