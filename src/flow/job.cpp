#include <orchestrate/flow/job.hpp>

#include <mutex>
#include <utility>

#include <orchestrate/time/ticks.hpp>

namespace orchestrate::inline v1::detail {

void JobState::NoteFailure(const Error& error) noexcept {
  Error last = error;
  {
    const std::lock_guard lock(mutex_);
    std::swap(last_error_, last);  // the old one is the user's: it is destroyed without the lock
  }
  failures.fetch_add(1, sync::memory_order_relaxed);
}

Error JobState::LastError() const noexcept {
  const std::lock_guard lock(mutex_);
  return last_error_;
}

void BeginJob(TaskCore& core, const Where& where, ContextNode& parent) {
  if (!where.Name().empty()) SetName(core, where.Name());
  Adopt(core, parent);
  core.ticks.store(ReadTicks(), sync::memory_order_relaxed);
  core.state.store(kRunning, sync::memory_order_release);
}

void FinishJob(TaskCore& core, BodyResult& result) noexcept {
  StampEnd(core);
  FinishBody(core, result);
}

Progress ProgressOf(const JobCore& core) noexcept {
  const auto read = [](const sync::atomic<std::size_t>& counter) {
    return counter.load(sync::memory_order_relaxed);
  };
  const JobState& state = core.state_of_job;
  Progress progress{.done = read(state.done),
                    .failures = read(state.failures),
                    .running = read(state.running),
                    .total = read(state.total)};
  if (core.count != nullptr) core.count(core, progress);
  return progress;
}

Job MakeFailedJob(Error error, const Where& where) {
  auto& core = MakeJob<NoBody>(where, 1);
  FailAtBirth(core, std::move(error), where);
  return JobAccess::Take(core);
}

}  // namespace orchestrate::inline v1::detail
