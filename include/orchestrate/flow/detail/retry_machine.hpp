#pragma once

#include <cstddef>

#include <orchestrate/flow/detail/pause.hpp>
#include <orchestrate/flow/detail/random.hpp>
#include <orchestrate/flow/retry_options.hpp>
#include <orchestrate/task/task.hpp>

namespace orchestrate::inline v1::detail {

[[nodiscard]] ORCHESTRATE_API Error CheckRetry(const Where& where, const RetryOptions& options);

// What a retry does around its attempts. As a work node it is the next step, as a waiter it follows the task
// that an attempt returned. Both begin with a step's last touch of this object, as the next step may finish
// the task.
struct ORCHESTRATE_API RetryMachine : WorkNode, Waiter {
  explicit RetryMachine(const RetryOptions& how) noexcept;
  RetryMachine(const RetryMachine&) = delete;
  RetryMachine& operator=(const RetryMachine&) = delete;
  virtual ~RetryMachine();

  // Calls the user's function: its outcome, or Pending when a step follows.
  virtual void Attempt(BodyResult& result) noexcept = 0;
  // Takes the outcome of the task that the last attempt returned.
  virtual void Collect(TaskCore& followed_task, BodyResult& result) noexcept = 0;

  // The first attempt, as the body of `core`.
  void Begin(TaskCore& core, BodyResult& result) noexcept;
  // By Attempt(): follows `inner`, which ends with the retry's context at the latest, with a step, or
  // collects its outcome.
  void Follow(const TaskHandle& inner, BodyResult& result);

  void Step() noexcept;
  void Drop() noexcept;
  void AttemptOnce(BodyResult& result) noexcept;
  void AfterAttempt(BodyResult& result) noexcept;
  [[nodiscard]] bool IsToBeRetried(Error& error) const noexcept;
  void GiveUp(BodyResult& result, const char* why) const noexcept;
  void Finish(BodyResult& result) noexcept;
  static TaskCore* OnFollowedEnd(Waiter& waiter, TaskCore& ended, Notice notice) noexcept;

  const RetryOptions options;
  Random random;
  TaskCore* task = nullptr;
  std::size_t attempt = 0;
  Nanoseconds delay;
  Pause pause;
  Dependency dependency;         // while it follows a task
  TaskCore* followed = nullptr;  // with a reference, once it has ended
  Error last;
};

}  // namespace orchestrate::inline v1::detail
