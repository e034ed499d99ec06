#pragma once

#include <deque>
#include <memory>

#include "flow/crew.hpp"

namespace orchestrate::inline v1::detail {

// The crew of InvokeAll: its tasks are known from the start and taken in their order.
//
// With a limit every task that was still to be started lies in phase Batched, and a member that comes to it
// runs it unless somebody was faster. Without a limit they are all handed to the executor. What somebody else
// runs, now or before, is watched: that needs no member, so it never keeps the others waiting. A task that
// the batch did not start is watched through a mirror, which ends with the batch's context.
class Batch final : public Crew {
 public:
  Batch(TaskList&& tasks, CollectFn collect) noexcept : tasks_(std::move(tasks)), collect_(collect) {}

  // The number of members it can use.
  [[nodiscard]] std::size_t Size() const noexcept { return tasks_.entries.size(); }

 private:
  friend class Crew;
  void Work(Member& member, Stint stint) noexcept override { WorkAs(*this, member, stint); }
  void Prepare() noexcept override;
  void HelpAlone() noexcept override;
  Pull Next(Member& member) noexcept override;
  bool RunElsewhere(Member& member) noexcept override;
  void Settle(Member& member) noexcept override;
  bool HasMore() const noexcept override { return next_.load(sync::memory_order_relaxed) < size_; }
  void Sweep(Member& sweeper) noexcept override { Work(sweeper, Stint::Sweeping); }
  void EndBodiless() noexcept override;
  void Abandon(const Error& error) noexcept override;
  void Collect(BodyResult& result) noexcept override;

  void AdoptAll() noexcept;
  [[nodiscard]] bool HaveAllEnded() const noexcept;
  [[nodiscard]] Error TakeErrors(const Error& left_out) noexcept;
  void SubmitAll() noexcept;
  void NoteElsewhere(TaskCore& core) noexcept;
  void Watch(BatchEntry& entry) noexcept;
  void WatchOther(BatchEntry& entry) noexcept;
  void NoteEnd(const BatchEntry& entry, const Error& error) noexcept;
  static TaskCore* WatchedEnded(Waiter& waiter, TaskCore& core, Notice notice) noexcept;

  TaskList tasks_;
  std::size_t size_ = 0;
  std::unique_ptr<std::deque<Dependency>> elsewhere_;  // the owner's on tasks that were started before
  CollectFn collect_;                                  // null: the owner yields nothing
  alignas(64) sync::atomic<std::size_t> next_{0};      // the task that is to be admitted next
};

}  // namespace orchestrate::inline v1::detail
