#include "flow/progress_reporter.hpp"

#include <mutex>

#include <orchestrate/time/deadline.hpp>
#include "exec/scheduling.hpp"
#include "flow/crew.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {

ProgressReporter::ProgressReporter(Crew& crew, Function<void(const Progress&)> call_back,
                                   Nanoseconds interval) noexcept
    : crew_(crew), call_back_(std::move(call_back)), interval_(interval) {
  ops = &kOps;
  fire = Expired;
}

void ProgressReporter::Arm() noexcept {
  TimerService& timers = crew_.GetExecutor().Timers();
  stopped_ = !timers.TrySchedule(*this, SaturatingAdd(timers.Now(), interval_));
}

void ProgressReporter::Start() noexcept {
  const std::lock_guard lock(mutex_);
  Arm();
}

void ProgressReporter::Last() noexcept {
  {
    const std::lock_guard lock(mutex_);
    last_ = true;
    // A call that is on its way, or a timer that fires right now, sees the flag.
    if (calling_ || (!stopped_ && !crew_.GetExecutor().Timers().Cancel(*this))) return;
    calling_ = true;
  }
  PostBelow(crew_.Owner(), *this);
}

void ProgressReporter::Expired(Timer& timer, TimerEvent event) noexcept {
  auto& self = static_cast<ProgressReporter&>(timer);
  const ExecutorUse executor(self.crew_.Owner());
  {
    const std::lock_guard lock(self.mutex_);
    self.stopped_ = event == TimerEvent::ShutDown;
    if (self.stopped_ && !self.last_) return;
    self.calling_ = true;
  }
  // From here on the reporter may be gone. Urgent, for a report is worth most while all workers are busy.
  PostUrgentNode(*executor, self);
}

void ProgressReporter::RunPosted(WorkNode& node) noexcept {
  auto& self = static_cast<ProgressReporter&>(node);
  for (;;) {
    bool last = false;
    {
      const std::lock_guard lock(self.mutex_);
      last = self.last_;
    }
    self.Call();
    if (last) return self.crew_.Finish();  // this object is gone
    const std::lock_guard lock(self.mutex_);
    if (self.last_) continue;
    self.calling_ = false;
    if (!self.stopped_) self.Arm();
    return;
  }
}

void ProgressReporter::DropPosted(WorkNode& node) noexcept {
  auto& self = static_cast<ProgressReporter&>(node);
  {
    const std::lock_guard lock(self.mutex_);
    self.calling_ = false;
    self.stopped_ = true;
    if (!self.last_) return;
  }
  self.crew_.Finish();
}

void ProgressReporter::Call() noexcept {
  const FrameScope frame(crew_.Owner());  // its waits are the job's
  try {
    call_back_(crew_.Now());
  } catch (...) {
    SendReport(RuntimeBelow(crew_.GetExecutor()),
               {.what = "a progress call-back threw", .task = {}, .error = Error::FromCurrentException()});
  }
}

}  // namespace orchestrate::inline v1::detail
