#include <orchestrate/exec/strand.hpp>

#include <chrono>
#include <thread>

#include <orchestrate/base/sync.hpp>
#include <orchestrate/time/ticks.hpp>
#include "base/concurrent_queue.hpp"
#include "exec/scheduling.hpp"

namespace orchestrate::inline v1 {

using detail::WorkNode;

namespace {

// How much a strand runs before others on its executor get their turn: whichever comes first.
constexpr std::size_t kInARow = 64;
constexpr auto kTurn = std::chrono::milliseconds(1);

}  // namespace

// Shared by the handle and, while there is work, by the one node that lies in the other executor.
struct Strand::Core final : WorkNode {
  explicit Core(Executor& other) : WorkNode{&kOps, nullptr}, base(other) {}

  // The count says who schedules: whoever raises it from zero. Release pairs with the acquire in RunSome():
  // the item is in the queue.
  void Push(WorkNode& node) noexcept {
    queue.Push(node);
    if (waiting.fetch_add(1, sync::memory_order_acq_rel) == 0) {
      refs.fetch_add(1, sync::memory_order_relaxed);
      detail::PostNode(base, *this);
    }
  }

  void RunSome() noexcept {
    const std::uint64_t begin = ReadTicks();
    std::size_t left = waiting.load(sync::memory_order_acquire);
    for (std::size_t done = 0; left != 0 && done < kInARow; ++done) {
      WorkNode* node = queue.TryPop();
      if (node == nullptr) break;  // counted, but the push of an older one has not returned yet
      node->ops->run(*node);
      left = waiting.fetch_sub(1, sync::memory_order_acq_rel) - 1;
      if (TicksToDuration(ElapsedTicks(begin, ReadTicks())) >= kTurn) break;
    }
    if (left != 0) {
      detail::PostLast(base, *this);  // as the worker's next work it would hold up all the rest
    } else {
      Drop();
    }
  }

  // The other executor took no more: neither does this one.
  void DropAll() noexcept {
    for (std::size_t left = waiting.load(sync::memory_order_acquire); left != 0;) {
      WorkNode* node = queue.TryPop();
      if (node == nullptr) {  // as above; there is no executor any more that could come back
        std::this_thread::yield();
        continue;
      }
      node->ops->drop(*node);
      left = waiting.fetch_sub(1, sync::memory_order_acq_rel) - 1;
    }
    Drop();
  }

  void Drop() noexcept {
    if (refs.fetch_sub(1, sync::memory_order_acq_rel) == 1) delete this;
  }

  static void RunNode(WorkNode& node) noexcept { static_cast<Core&>(node).RunSome(); }
  static void DropNode(WorkNode& node) noexcept { static_cast<Core&>(node).DropAll(); }
  static constexpr detail::WorkOps kOps{RunNode, DropNode};

  Executor& base;
  detail::ConcurrentQueue<WorkNode> queue{64};
  sync::atomic<std::size_t> waiting{0};
  sync::atomic<std::uint32_t> refs{1};
};

Strand::Strand(Executor& executor) : core_(new Core(executor)) {}

Strand::~Strand() {
  Detach();
  core_->Drop();
}

void Strand::Post(Work work) noexcept { core_->Push(*work.Release()); }

void Strand::PostUrgent(Work work) noexcept { core_->base.PostUrgent(std::move(work)); }

Capabilities Strand::GetCapabilities() const noexcept {
  return {.parallel = false, .blocking = core_->base.GetCapabilities().blocking};
}

TimerService& Strand::Timers() noexcept { return core_->base.Timers(); }

bool Strand::IsRunning() const noexcept { return core_->base.IsRunning(); }

Executor* Strand::Base() noexcept { return &core_->base; }

}  // namespace orchestrate::inline v1
