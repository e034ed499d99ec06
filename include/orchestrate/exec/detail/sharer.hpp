#pragma once

#include <atomic>
#include <chrono>

#include <orchestrate/base/export.hpp>
#include <orchestrate/base/intrusive_list.hpp>

namespace orchestrate::inline v1::detail {

class RuntimeCore;

// Between two questions of who has nothing to do, so that answers stay a small part of the others' time.
inline constexpr auto kAskAgain = std::chrono::microseconds(10);

// Somebody who keeps work to himself, on his thread's stack, until others ask for it. Who has nothing to do
// asks; the answer is a piece of work in the queues. Nobody asks while all are busy, so that work which
// nobody needs costs no more than the look at a flag.
class ORCHESTRATE_API Sharer : public ListNode<> {
 public:
  // Known to `runtime`, which may be null, until it is destroyed, by the same thread.
  Sharer(RuntimeCore* runtime, void (*share_all)(Sharer&) noexcept) noexcept;
  Sharer(const Sharer&) = delete;
  Sharer& operator=(const Sharer&) = delete;
  ~Sharer();

  [[nodiscard]] bool IsAsked() const noexcept { return asked_.load(std::memory_order_relaxed); }
  // Release pairs with the acquire in TakeQuestion(): why it is asked is visible.
  void Ask() noexcept { asked_.store(true, std::memory_order_release); }
  [[nodiscard]] bool TakeQuestion() noexcept { return asked_.exchange(false, std::memory_order_acquire); }

  [[nodiscard]] RuntimeCore* Runtime() const noexcept { return runtime_; }

 private:
  friend void ShareAllOfThread() noexcept;

  std::atomic<bool> asked_{false};
  RuntimeCore* runtime_;
  Sharer* outer_;  // of the same thread
  void (*share_all_)(Sharer&) noexcept;
};

// Has the sharers of this thread put everything that they keep into the queues: the thread is about to block.
ORCHESTRATE_API void ShareAllOfThread() noexcept;

// Asks everybody who keeps work from `runtime`, which may be null.
ORCHESTRATE_API void AskSharers(RuntimeCore* runtime) noexcept;

}  // namespace orchestrate::inline v1::detail
