#include <array>

#include <base/ring.hpp>
#include <exec/permits.hpp>
#include <test/model/model.hpp>

// Producers and the runners that they start: nothing that was queued stays there while everybody sleeps.
namespace orchestrate::test {
namespace {

struct Pool {
  explicit Pool(std::int32_t width, std::uint32_t items_to_run) : permits(width), left(items_to_run) {}

  void Produce(std::size_t i) {
    items[i].value = static_cast<int>(i) + 1;
    Check(queue.TryPush(&items[i]), "the ring is not full");
    if (permits.NeedsRunner()) Launch();
  }
  void Launch() {
    launched.fetch_add(1, memory_order_release);
    sync::FutexWake(launched, 1);
  }

  // A thread of the pool: sleeps until somebody launches a runner, until all items have run.
  void Serve() {
    for (;;) {
      auto waiting = launched.load(memory_order_acquire);
      if (waiting == 0) {
        sync::FutexWait(launched, 0);
      } else if (waiting >= kStop) {
        return;
      } else if (launched.compare_exchange_strong(waiting, waiting - 1, memory_order_acquire,
                                                  memory_order_relaxed)) {
        Run();
      }
    }
  }

  // The runner's loop, begun as the one that spins.
  void Run() {
    for (;;) {
      if (!Look()) return;
      for (;;) {
        Item* item = queue.TryPop();
        if (item == nullptr) sync::Relax();  // counted, but its push has not returned
        for (; item != nullptr; item = queue.TryPop()) RunItem(*item);
        if (permits.LeaveIfOvercommitted()) return;
        if (permits.ReleaseAndSpin()) break;
        if (queue.Empty() || !permits.TryAcquire()) return;
      }
    }
  }
  bool Look() {
    for (;;) {
      if (!queue.Empty() && permits.StopSpinningAndAcquire()) return true;
      permits.StopSpinning();
      if (queue.Empty() || !permits.NeedsRunner()) return false;
    }
  }
  void RunItem(Item& item) {
    item.Take();
    const auto now = running.fetch_add(1, memory_order_relaxed) + 1;
    Check(now <= most, "more run than there are permits");
    running.fetch_sub(1, memory_order_relaxed);
    if (left.fetch_sub(1, memory_order_relaxed) == 1) {
      launched.fetch_add(kStop, memory_order_release);
      sync::FutexWake(launched, 8);
    }
  }

  static constexpr std::uint32_t kStop = 1000;
  detail::Ring<Item*> queue{4};
  detail::Permits permits;
  std::array<Item, 3> items;
  sync::atomic<std::uint32_t> launched{0};
  sync::atomic<std::uint32_t> running{0};
  sync::atomic<std::uint32_t> left;
  std::uint32_t most = 1;
};

const Register kOne("permits", "WhatOneQueuesRuns", [](Program& program) {
  auto& pool = Make<Pool>(1, 2U);
  program.Thread([&pool] {
    pool.Produce(0);
    pool.Produce(1);
  });
  program.Thread([&pool] { pool.Serve(); });
  program.Finally([&pool] { Check(pool.permits.AvailableNow() == 1, "a permit was lost"); });
});

const Register kTwo("permits", "WhatTwoQueueRuns", [](Program& program) {
  auto& pool = Make<Pool>(1, 2U);
  program.Thread([&pool] { pool.Produce(0); });
  program.Thread([&pool] { pool.Produce(1); });
  program.Thread([&pool] { pool.Serve(); });
  program.Finally([&pool] { Check(pool.permits.AvailableNow() == 1, "a permit was lost"); });
});

// A wait gives the permit away and takes one back at its end, also when there is none.
const Register kBlocked("permits", "AWaitThatGivesItsPermitAwayLosesNone", [](Program& program) {
  auto& pool = Make<Pool>(1, 1U);
  pool.most = 2;
  Check(pool.permits.TryAcquire(), "there is one");
  program.Thread([&pool] {
    pool.permits.Release();
    if (!pool.queue.Empty() && pool.permits.NeedsRunner()) pool.Launch();
    pool.permits.AcquireForced();
    pool.permits.Release();
    if (!pool.queue.Empty() && pool.permits.NeedsRunner()) pool.Launch();
  });
  program.Thread([&pool] { pool.Produce(0); });
  program.Thread([&pool] { pool.Serve(); });
  program.Finally([&pool] { Check(pool.permits.AvailableNow() == 1, "a permit was lost"); });
});

const Register kClosed("permits", "OnceClosedNobodyRuns", [](Program& program) {
  auto& permits = Make<detail::Permits>(1);
  auto& inside = Make<sync::plain<int>>(0);
  auto& closed = Make<bool>(false);
  program.Thread([&] {
    if (!permits.TryAcquire()) return;
    Check(!closed, "a permit was given after the end");
    inside = 1;
    permits.Release();
  });
  program.Thread([&] {
    if (!permits.TryClose(1)) return;
    closed = true;
    inside = 2;
  });
});

}  // namespace
}  // namespace orchestrate::test
