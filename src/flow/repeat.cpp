#include <orchestrate/flow/repeat.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <orchestrate/task/detail/mirror.hpp>
#include "exec/scheduling.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {
namespace {

Error WrongRepeat(std::string sentence) { return {Errc::InvalidArgument, "Repeat: " + std::move(sentence)}; }

std::string Text(Nanoseconds duration) { return std::to_string(duration.count()) + " ns"; }

}  // namespace

Error CheckRepeat(const Where& where, Nanoseconds interval, const RepeatOptions& options) {
  if (interval <= Nanoseconds::zero()) return WrongRepeat("interval " + Text(interval) + ", must be > 0");
  if (options.jitter < Nanoseconds::zero() || options.jitter > interval) {
    return WrongRepeat("jitter " + Text(options.jitter) + ", must be 0 to the interval, " + Text(interval));
  }
  if (!(options.backoff >= 1.0))
    return WrongRepeat("backoff " + std::to_string(options.backoff) + ", must be >= 1");
  if (options.max_interval < Nanoseconds::zero()) {
    return WrongRepeat("max_interval " + Text(options.max_interval) + ", must be >= 0");
  }
  return RefusalAt("Repeat", where);
}

namespace {

// One step at a time writes them.
void Add(sync::atomic<std::size_t>& count, std::size_t more) noexcept {
  count.store(count.load(sync::memory_order_relaxed) + more, sync::memory_order_relaxed);
}

}  // namespace

RepeatMachine::RepeatMachine(Nanoseconds every, const RepeatOptions& how) noexcept
    : Waiter{OnFollowedEnd, nullptr}, interval(every), options(how), random(how.seed) {}

RepeatMachine::~RepeatMachine() = default;

// ---- steps ----

void RepeatMachine::Step() noexcept {
  if (follows) {
    follows = false;
    return Done(std::exchange(followed_error, {}));
  }
  if (Error stopped = pause.Finish()) return Finish(stopped);
  if (EndOf(*job)) return Finish({});
  CallOnce();
}

void RepeatMachine::CallOnce() noexcept {
  Add(job->state_of_job.runs, 1);
  Error error;
  {
    const FrameScope frame(*job);
    try {
      if (!Act(error)) return;
    } catch (...) {
      error = Error::FromCurrentException();
    }
  }
  Done(error);
}

bool RepeatMachine::Follow(const TaskHandle& task, Error& error) {
  TaskCore* core = TaskAccess::Core(task);
  if (core == nullptr) {
    error = WrongRepeat("the action returned an empty task");
    return true;
  }
  if (core == static_cast<TaskCore*>(job)) {
    error = {Errc::WouldDeadlock, "Repeat: the action returned its own job"};
    return true;
  }
  if (core->IsTerminal()) {
    error = ReadError(*core);
    return true;
  }
  // Without memory it follows the task itself, whose end may come after that of the context.
  const Task<void> mirror = TryMakeMirror(*core, *job);
  TaskCore& followed = mirror ? TaskAccess::Core(mirror) : *core;
  if (!dependency.Begin(*job, followed)) {
    error = {Errc::WouldDeadlock, "Repeat: the action returned a task that waits for its job"};
    return true;
  }
  follows = true;  // before the list has it: the next step may come at once
  if (AddWaiter(followed, *this)) return false;
  follows = false;
  dependency.End();
  error = ReadError(followed);
  return true;
}

TaskCore* RepeatMachine::OnFollowedEnd(Waiter& waiter, TaskCore& task, Notice notice) noexcept {
  if (notice != Notice::Ended) return nullptr;
  auto& self = static_cast<RepeatMachine&>(waiter);
  self.dependency.End();
  self.followed_error = ReadError(task);
  PostStepBelow(*self.job, *self.job);
  return nullptr;
}

void RepeatMachine::Done(const Error& error) noexcept {
  // What a call returned because it was stopped is not its failure.
  if (EndOf(*job)) return Finish({});
  failures_in_a_row = error ? failures_in_a_row + 1 : 0;
  if (error) job->state_of_job.NoteFailure(error);
  if (error && options.stop_on_error) return Finish({}, error);
  if (job->state_of_job.runs.load(sync::memory_order_relaxed) == options.max_runs) return Finish({});
  PauseUntil(NextDue(ExecutorOf(*job).Now()));
}

// ---- when ----

// A tick is late when its time, with its jitter, has passed before the last call ended: then it is skipped.
TimePoint RepeatMachine::NextDue(TimePoint now) noexcept {
  Nanoseconds every = interval;
  if (failures_in_a_row != 0) {
    every = Scaled(interval, std::pow(options.backoff, static_cast<double>(failures_in_a_row)),
                   std::max(interval, options.max_interval));
  }
  const Nanoseconds shift = random.UpTo(options.jitter);
  if (options.pace == RepeatPace::FixedDelay) return SaturatingAdd(SaturatingAdd(now, every), shift);
  const bool backs_off = every > interval;
  const TimePoint earliest = backs_off ? std::max(now, SaturatingAdd(tick, every)) : now;
  if (earliest == TimePoint::max()) return earliest;
  const Nanoseconds elapsed = std::max(earliest - tick, Nanoseconds::zero());
  const std::int64_t not_late = elapsed / interval + (elapsed % interval != Nanoseconds::zero() ? 1 : 0);
  std::int64_t ticks = std::max<std::int64_t>(not_late - 1, 1);  // its jitter may still bring it in time
  if (SaturatingAdd(SaturatingAdd(tick, ticks * interval), shift) < earliest) ticks = not_late;
  if (!backs_off) Add(job->state_of_job.missed, static_cast<std::size_t>(ticks - 1));
  tick = SaturatingAdd(tick, ticks * interval);
  return SaturatingAdd(tick, shift);
}

void RepeatMachine::PauseUntil(TimePoint due) noexcept {
  if (Error error = pause.Start(*job, *job, due, "Repeat")) Finish({}, std::move(error));
}

// ---- life ----

void RepeatMachine::Drop() noexcept {
  (void)pause.Finish();
  Finish(ShutDownError(*job));
}

void RepeatMachine::Finish(const Error& error, Error failure) noexcept {
  JobCore& core = *job;
  pause.Close();
  if (error) CancelTask(core, error);
  BodyResult result;
  if (failure) Fail(result, std::move(failure));
  FinishJob(core, result);  // this object is gone
  Unref(core);
}

Job StartRepeat(JobCore& core, RepeatMachine& machine, const Where& where) {
  Job job = JobAccess::Take(core);
  try {
    WhereAccess::WithParent(where, [&](ContextNode& parent) { BeginJob(core, where, parent); });
  } catch (...) {
    Unref(core);
    throw;
  }
  machine.job = &core;
  if (EndOf(core)) {
    machine.Finish({});
    return job;
  }
  if (Error refusal = RefusalOf("Repeat", core)) {
    machine.Finish({}, std::move(refusal));
    return job;
  }
  machine.tick = ExecutorOf(core).Now();
  const bool next_turn = machine.options.immediately && machine.options.jitter == Nanoseconds::zero();
  if (!machine.options.immediately) machine.tick = SaturatingAdd(machine.tick, machine.interval);
  machine.PauseUntil(next_turn ? TimePoint::min()
                               : SaturatingAdd(machine.tick, machine.random.UpTo(machine.options.jitter)));
  return job;
}

}  // namespace orchestrate::inline v1::detail
