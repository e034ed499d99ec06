#include <orchestrate/flow/retry.hpp>

#include <algorithm>
#include <string>

#include "exec/scheduling.hpp"

#include "base/counted.hpp"
#include "task/frame.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {
namespace {

Error WrongRetry(std::string sentence) { return {Errc::InvalidArgument, "Retry: " + std::move(sentence)}; }

constexpr WorkOps kStepOps{[](WorkNode& node) noexcept { static_cast<RetryMachine&>(node).Step(); },
                           [](WorkNode& node) noexcept { static_cast<RetryMachine&>(node).Drop(); }};

}  // namespace

Error CheckRetry(const Where& where, const RetryOptions& options) {
  if (options.attempts == 0) return WrongRetry("attempts 0, must be > 0");
  if (options.first_delay < Nanoseconds::zero()) {
    return WrongRetry("first_delay " + std::to_string(options.first_delay.count()) + " ns, must be >= 0");
  }
  if (options.max_delay < Nanoseconds::zero()) {
    return WrongRetry("max_delay " + std::to_string(options.max_delay.count()) + " ns, must be >= 0");
  }
  if (!(options.factor >= 1.0))
    return WrongRetry("factor " + std::to_string(options.factor) + ", must be >= 1");
  if (!(options.jitter >= 0.0 && options.jitter <= 1.0)) {
    return WrongRetry("jitter " + std::to_string(options.jitter) + ", must be 0 to 1");
  }
  return RefusalAt("Retry", where);
}

RetryMachine::RetryMachine(const RetryOptions& how) noexcept
    : WorkNode{&kStepOps, nullptr},
      Waiter{OnFollowedEnd, nullptr},
      options(how),
      random(how.seed),
      delay(how.first_delay) {}

RetryMachine::~RetryMachine() = default;

// ---- steps ----

void RetryMachine::Begin(TaskCore& core, BodyResult& result) noexcept {
  task = &core;
  Ref(core);  // the machine's, given up by Finish() or here
  AttemptOnce(result);
  if (result.end != BodyEnd::Pending) Unref(core);
}

void RetryMachine::Step() noexcept {
  BodyResult result;
  if (followed != nullptr) {
    TaskCore& ended = *std::exchange(followed, nullptr);
    if (Error error = ReadError(ended)) {
      Fail(result, std::move(error));
    } else {
      Collect(ended, result);
    }
    Unref(ended);
    AfterAttempt(result);
  } else {
    if (Error stopped = pause.Finish()) CancelTask(*task, stopped);
    if (EndOf(*task)) {
      Fail(result, std::exchange(last, {}));
    } else {
      const FrameScope frame(*task);
      AttemptOnce(result);
    }
  }
  if (result.end != BodyEnd::Pending) Finish(result);
}

void RetryMachine::AttemptOnce(BodyResult& result) noexcept {
  ++attempt;
  Attempt(result);
  if (result.end != BodyEnd::Pending) AfterAttempt(result);
}

void RetryMachine::Follow(const TaskHandle& inner, BodyResult& result) {
  TaskCore* core = TaskAccess::Core(inner);
  if (core == nullptr) return Fail(result, WrongRetry("the work returned an empty task"));
  if (core == task) return Fail(result, {Errc::WouldDeadlock, "Retry: the work returned its own task"});
  if (!dependency.Begin(*task, *core)) {
    return Fail(result, {Errc::WouldDeadlock, "Retry: the work returned a task that waits for the retry"});
  }
  result.end = BodyEnd::Pending;
  if (AddWaiter(*core, *this)) return;
  dependency.End();
  result.end = BodyEnd::Value;
  if (Error error = ReadError(*core)) return Fail(result, std::move(error));
  Collect(*core, result);
}

TaskCore* RetryMachine::OnFollowedEnd(Waiter& waiter, TaskCore& ended, Notice notice) noexcept {
  if (notice != Notice::Ended) return nullptr;
  auto& self = static_cast<RetryMachine&>(waiter);
  self.dependency.End();
  Ref(ended);
  self.followed = &ended;
  PostStepBelow(*self.task, self);
  return nullptr;
}

// Lets a success pass; a failure becomes the outcome, or a pause.
void RetryMachine::AfterAttempt(BodyResult& result) noexcept {
  if (result.end != BodyEnd::Failure || EndOf(*task)) return;
  if (attempt == options.attempts) return GiveUp(result, "failed");
  if (!IsToBeRetried(result.error)) return GiveUp(result, "made, the error is not to be retried");
  const Nanoseconds longer = random.UpTo(Scaled(delay, options.jitter, delay));
  const TimePoint next = SaturatingAdd(SaturatingAdd(ExecutorOf(*task).Now(), delay), longer);
  const TimePoint deadline = task->scope->deadline;
  if (next >= deadline && deadline != TimePoint::max()) {
    result.error = result.error.WithCause(Errc::DeadlineExceeded);
    return GiveUp(result, "made, the next would be past the deadline");
  }
  delay = Scaled(delay, options.factor, std::max(options.first_delay, options.max_delay));
  last = std::move(result.error);
  result.end = BodyEnd::Pending;
  if (Error error = pause.Start(*task, *this, next, "Retry")) Fail(result, std::move(error));
}

bool RetryMachine::IsToBeRetried(Error& error) const noexcept {
  if (options.retry_if == nullptr) return true;
  try {
    return options.retry_if(error);
  } catch (...) {
    error = Error::FromCurrentException().WithCause(std::move(error));
    return false;
  }
}

void RetryMachine::GiveUp(BodyResult& result, const char* why) const noexcept {
  result.error = MakeError([&] {
    return result.error.WithContext("Retry: " + std::to_string(attempt) + " of " +
                                    Counted(options.attempts, "attempt ", "attempts ") + why);
  });
}

// ---- the end ----

void RetryMachine::Drop() noexcept {
  if (followed != nullptr) Unref(*std::exchange(followed, nullptr));
  (void)pause.Finish();
  CancelTask(*task, ShutDownError(*task));
  BodyResult result;
  Fail(result, std::exchange(last, {}));
  Finish(result);
}

void RetryMachine::Finish(BodyResult& result) noexcept {
  TaskCore& core = *task;
  pause.Close();
  StampEnd(core);
  FinishBody(core, result);  // this object is gone
  Unref(core);
}

}  // namespace orchestrate::inline v1::detail
