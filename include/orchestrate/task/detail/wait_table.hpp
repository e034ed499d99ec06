#pragma once

#include <cstdint>

#include <orchestrate/base/export.hpp>
#include <orchestrate/base/intrusive_list.hpp>

// What a search for waits that can never end follows, where the tasks themselves do not know it.
namespace orchestrate::inline v1::detail {

struct TaskCore;
struct WaitRecord;

// Says that `key` (a task, a piece of a fork, the root of an executor that runs one thing at a time) has to
// wait until a task has ended, or until the bodies that a thread runs have left.
struct WaitLink : ListNode<> {
  const void* key = nullptr;
  TaskCore* task = nullptr;
  WaitRecord* thread = nullptr;
  bool is_timed = false;     // `key` ends without the task when its time has passed
  bool keeps_place = false;  // of a job: meanwhile one of its places is not free
};

// Says that one task ends when another has (its body returned it, a retry follows it, a timeout watches it),
// while the object lives or until End(). Outside of the tasks, so that only those pay for it that have one.
class ORCHESTRATE_API Dependency {
 public:
  enum class Kind : std::uint8_t { Plain, Timed };

  Dependency() noexcept = default;
  Dependency(const Dependency&) = delete;
  Dependency& operator=(const Dependency&) = delete;
  ~Dependency() { End(); }

  // False when neither could ever end, as `inner` waits for `outer`, and a cycle of waits would arise.
  // `inner` lives until End() has returned.
  [[nodiscard]] bool Begin(TaskCore& outer, TaskCore& inner, Kind kind = Kind::Plain) noexcept;
  // Does nothing when it has ended or not begun.
  void End() noexcept;

 private:
  WaitLink of_task_;
  WaitLink of_job_;  // which has admitted `outer`
};

}  // namespace orchestrate::inline v1::detail
