#pragma once

#include <orchestrate/base/error.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/exec/observer.hpp>
#include <orchestrate/exec/runtime.hpp>

// What the layers above need from the executor beyond its public face.
namespace orchestrate::inline v1::detail {

struct Slot;

struct ExecutorAccess {
  static RuntimeCore* RuntimeOf(const Executor& e) noexcept { return e.runtime_; }
  static void SetRuntime(Executor& e, RuntimeCore& core) noexcept { e.runtime_ = &core; }
  static std::atomic<Attachment*>& AttachmentOf(Executor& e) noexcept { return e.attachment_; }
  static Executor* BaseOf(Executor& e) noexcept { return e.Base(); }
};

// Queues a node that was accepted before (a continuation, a tick): never refused, except by a foreign
// executor.
ORCHESTRATE_API void PostNode(Executor& executor, WorkNode& node) noexcept;

// Queues a node that follows `ending`, which does nothing any more on this thread but return.
ORCHESTRATE_API void PostFollower(Executor& executor, WorkNode& node, const WorkNode& ending) noexcept;

// Queues a node behind everything that the calling worker has queued.
ORCHESTRATE_API void PostLast(Executor& executor, WorkNode& node) noexcept;

// Queues one of many nodes that come at once: from outside not in front of what comes alone after it.
ORCHESTRATE_API void PostOfMany(Executor& executor, WorkNode& node) noexcept;

// Queues a node that has to start even when all workers are busy.
ORCHESTRATE_API void PostUrgentNode(Executor& executor, WorkNode& node) noexcept;

// By a body of `runtime` that is about to block: another thread begins with `node`, whatever else is queued.
// False when there is none; then the node was not queued.
[[nodiscard]] ORCHESTRATE_API bool PostBeside(RuntimeCore& runtime, WorkNode& node) noexcept;

// Takes `node` out of its queue when it can be found there at once; false leaves a stale entry behind.
[[nodiscard]] ORCHESTRATE_API bool Unqueue(RuntimeCore& runtime, WorkNode& node) noexcept;

// Counts a task that this thread runs although its entry is still queued; false when that is not needed.
[[nodiscard]] ORCHESTRATE_API bool NoteTaken(RuntimeCore& runtime) noexcept;

// Counts a body of `runtime` that blocks in a wait which only other bodies there and timers can end: 1 more,
// or 1 less.
ORCHESTRATE_API void NoteTimedWait(RuntimeCore& runtime, int change) noexcept;

// Counts a node that was taken out by Unqueue(), or counted by NoteTaken(), as done.
ORCHESTRATE_API void NoteRan(RuntimeCore& runtime) noexcept;

// By a thread that runs what it waits for: true when it has to stop, because work that others have queued is
// overdue. Inside a body it goes on: a runner beyond the width begins that work.
[[nodiscard]] ORCHESTRATE_API bool OwesATurn(RuntimeCore& runtime) noexcept;

// The right to run a queued task of `runtime`, which may be null, on this thread while the object lives.
class ORCHESTRATE_API ClaimRight {
 public:
  explicit ClaimRight(RuntimeCore* runtime) noexcept;
  ClaimRight(const ClaimRight&) = delete;
  ClaimRight& operator=(const ClaimRight&) = delete;
  ~ClaimRight() {
    if (borrowed_ != nullptr) Return();
  }
  explicit operator bool() const noexcept { return granted_; }
  // NoteRan() for what was run under the right, as long as that is there.
  void CountRun() noexcept { borrowed_ != nullptr ? void(++ran_) : NoteRan(*runtime_); }

 private:
  void Return() noexcept;
  RuntimeCore* runtime_;
  RuntimeCore* borrowed_ = nullptr;
  RuntimeCore* outer_runtime_ = nullptr;
  Slot* outer_slot_ = nullptr;
  std::uint32_t ran_ = 0;
  bool granted_ = false;
};

// What a wait does when no spare worker is left: one that ends by itself, as its time comes, may keep its
// permit.
enum class NoSpare : std::uint8_t { Fails, KeepsPermit };

// Around a blocking wait: a thread that holds a permit gives it away, and has one again at the end.
class ORCHESTRATE_API BlockingSection {
 public:
  // `served` is the runtime whose progress the wait depends on, or null when unknown; `verb` is what waits.
  BlockingSection(RuntimeCore* served, const char* verb, NoSpare no_spare = NoSpare::Fails) noexcept;
  BlockingSection(const BlockingSection&) = delete;
  BlockingSection& operator=(const BlockingSection&) = delete;
  ~BlockingSection();

  // `OutOfResources` when no spare worker is left and the wait needs one; then the thread must not block.
  [[nodiscard]] const Error& Failure() const noexcept { return failure_; }

  // By the waiter before it sleeps (again).
  void Suspend() noexcept;
  // By whoever wakes it, before the wake: so no virtual time passes before the woken thread runs. Until
  // Rearm(), a Suspend() that comes too late does nothing.
  void Resume() noexcept;
  // By the waiter that was woken and will look before it sleeps again.
  void Rearm() noexcept;

  // The timers to sleep by when the clock is virtual, else null: then the system's clock is right.
  [[nodiscard]] TimerService* VirtualTimers() const noexcept;

 private:
  RuntimeCore* worker_of_ = nullptr;  // gave its permit
  RuntimeCore* watched_ = nullptr;    // counts this thread as one that waits for it
  bool is_stranger_ = false;          // nobody knows what it waits for
  enum class State : std::uint8_t { Running, Suspended, Woken };
  std::atomic<State> state_{State::Running};
  Error failure_;
};

// True while the runtime ends in its own time: what nothing waits for begins no pause any more.
[[nodiscard]] ORCHESTRATE_API bool IsDraining(const RuntimeCore& runtime) noexcept;

// Tells the runtime, or without one standard error, what nobody read.
ORCHESTRATE_API void SendReport(RuntimeCore* runtime, const Report& report) noexcept;

// The runtime whose workers run the work of `executor`, or null.
ORCHESTRATE_API RuntimeCore* RuntimeBelow(Executor& executor) noexcept;

// Why `executor`, which runs, has no timers: NotSupported, or OutOfResources; no error when it has some.
[[nodiscard]] ORCHESTRATE_API Error TimersFailure(Executor& executor, const char* function) noexcept;

ORCHESTRATE_API Observer* ObserverOf(Executor& executor) noexcept;

// How many pieces of work the executor runs at a time, as far as is known; at least 1.
[[nodiscard]] ORCHESTRATE_API std::size_t WidthOf(const Executor& executor) noexcept;

}  // namespace orchestrate::inline v1::detail
