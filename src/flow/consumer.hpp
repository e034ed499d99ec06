#pragma once

#include <array>
#include <memory>
#include <vector>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/flow/consume.hpp>
#include <orchestrate/task/detail/wait_table.hpp>
#include "flow/crew.hpp"

namespace orchestrate::inline v1::detail {

// What the crews of Consume share: tasks come one by one, and their references are given up one by one. The
// mark of a member is twice the number of its task, and 1 more when another party has started that.
class Consumer : public Crew {
 public:
  explicit Consumer(std::size_t total) noexcept : total_(total) {}

 protected:
  void Allocate(std::size_t limit) override;
  void Prepare() noexcept override { state_->total.store(total_, sync::memory_order_relaxed); }
  void Abandon(const Error& error) noexcept override { Stop(error); }
  void Collect(BodyResult& result) noexcept override;
  bool RunElsewhere(Member& member) noexcept override;
  void Settle(Member& member) noexcept override;

  // Gives `core` with its reference to `member`.
  [[nodiscard]] Pull Accept(Member& member, TaskCore* core, std::uint64_t number) noexcept;
  // Nothing more is taken; the job fails with the first such error.
  void Stop(const Error& error) noexcept;
  [[nodiscard]] bool IsOver() const noexcept { return stopped_.load(sync::memory_order_relaxed) || Ended(); }

 private:
  static constexpr std::size_t kKept = 16;
  static bool IsOthers(const Member& member) noexcept { return (member.mark & 1) != 0; }

  // That `member` waits for a task which another party has started; false when that waits for this job.
  [[nodiscard]] bool NoteElsewhere(const Member& member) noexcept;
  void SettleWith(Member& member, const Error& error) noexcept;
  void KeepError(std::uint64_t number, const Error& error) noexcept;

  const std::size_t total_;
  std::vector<std::unique_ptr<Dependency>> elsewhere_;  // of each member that waits so, or has waited
  sync::atomic<bool> stopped_{false};
  Mutex mutex_;
  Error stop_error_;                        // under mutex_
  std::size_t failures_ = 0;                // under mutex_
  std::size_t kept_ = 0;                    // under mutex_: how many of `errors_` there are
  std::array<IndexedError, kKept> errors_;  // under mutex_: those with the lowest numbers, in their order
};

// Consumes a channel. A member that finds it empty leaves a node there, until an item comes, the channel is
// closed, or the sweeper takes the node back because the context has ended.
class ChannelConsumer final : public Consumer {
 public:
  ChannelConsumer(ChannelCore& channel, ExtractFn extract, EarlyEnd early_end) noexcept
      : Consumer(0), channel_(channel), extract_(extract), early_end_(early_end), first_(channel.Received()) {
    channel_.Ref();
  }
  ~ChannelConsumer() override;

 private:
  friend class Crew;
  // Where the item of one member comes to lie.
  struct Place : ChannelWaiter {
    Member* member = nullptr;
    bool waits = false;  // left in the channel, not looked at since
    alignas(TaskHandle) std::byte memory[sizeof(TaskHandle)];
  };

  void Work(Member& member, Stint stint) noexcept override { WorkAs(*this, member, stint); }
  void Allocate(std::size_t limit) override;
  Pull Next(Member& member) noexcept override;
  bool HasMore() const noexcept override { return !channel_.IsClosed() || channel_.Size() != 0; }
  void Sweep(Member& sweeper) noexcept override;
  void Abandon(const Error& error) noexcept override;
  void Collect(BodyResult& result) noexcept override;
  void GiveBack(Member& member, const Error& error) noexcept override;

  [[nodiscard]] Pull Wait(Member& member, Place& place) noexcept;
  [[nodiscard]] Pull Arrived(Member& member, Place& place) noexcept;
  // Nothing more is taken.
  void EndEarly() noexcept {
    if (early_end_ == EarlyEnd::Closes) channel_.Close();
  }
  [[nodiscard]] Place& PlaceOf(const Member& member) noexcept { return places_[&member - members_]; }

  ChannelCore& channel_;
  ExtractFn extract_;
  const EarlyEnd early_end_;
  const std::uint64_t first_;  // how many items others had received before
  Place* places_ = nullptr;
};

// Consumes what a function gives. One member at a time calls it; the others wait in a list meanwhile.
class PullConsumer final : public Consumer {
 public:
  PullConsumer(PullFn&& pull, std::size_t total) noexcept : Consumer(total), pull_(std::move(pull)) {}

 private:
  friend class Crew;
  void Work(Member& member, Stint stint) noexcept override { WorkAs(*this, member, stint); }
  void Close() noexcept override {
    Consumer::Close();
    pull_.Reset();
  }
  Pull Next(Member& member) noexcept override;
  bool HasMore() const noexcept override { return !at_end_.load(sync::memory_order_relaxed); }
  void Sweep(Member& /*sweeper*/) noexcept override {}  // whoever is in the function lets the others look

  void GiveBack(Member& member, const Error& error) noexcept override;
  [[nodiscard]] bool TryTurn(Member& member) noexcept;  // false: `member` waits for its turn
  void EndTurn() noexcept;
  [[nodiscard]] bool Call(TaskCore*& core) noexcept;

  PullFn pull_;               // by the member whose turn it is
  std::uint64_t number_ = 0;  // the same
  sync::atomic<bool> at_end_{false};
  Mutex turn_mutex_;
  bool taken_ = false;           // under turn_mutex_: it is somebody's turn
  WorkNode* waiting_ = nullptr;  // under turn_mutex_
};

}  // namespace orchestrate::inline v1::detail
