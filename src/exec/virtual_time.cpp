#include <algorithm>
#include <mutex>
#include <new>
#include <vector>

#include <orchestrate/base/mutex.hpp>

#include "runtime_core.hpp"

// When the clock of a runtime is virtual, time passes while nothing runs and somebody waits.
namespace orchestrate::inline v1::detail {

void RuntimeCore::OutsideSleeps() noexcept {
  outside_blocked_.fetch_add(kOutsideChange + 1, std::memory_order_seq_cst);
  timers_->Wake();
}

namespace {

struct VirtualRuntimes {
  Mutex mutex;
  std::vector<RuntimeCore*> all;  // under mutex
  std::atomic<std::size_t> count{0};
  std::atomic<std::uint64_t> strangers{0xffffffff00000000U};  // as outside_blocked_
};

VirtualRuntimes& GetVirtualRuntimes() noexcept {
  // Never destroyed, and made without memory.
  alignas(VirtualRuntimes) static unsigned char storage[sizeof(VirtualRuntimes)];
  static auto* const runtimes = ::new (static_cast<void*>(storage)) VirtualRuntimes;
  return *runtimes;
}

// Before main: a fork that met another thread in the guard would leave the child waiting there for ever.
[[maybe_unused]] const auto& early_runtimes = GetVirtualRuntimes();

}  // namespace

void RuntimeCore::EnterVirtualTime() {
  auto& runtimes = GetVirtualRuntimes();
  {
    const std::lock_guard lock(runtimes.mutex);
    runtimes.all.push_back(this);
    runtimes.count.store(runtimes.all.size(), std::memory_order_relaxed);
  }
  timers_->JumpWhen([](void* self) noexcept { return static_cast<RuntimeCore*>(self)->MayJump(); }, this);
}

void RuntimeCore::LeaveVirtualTime() noexcept {
  auto& runtimes = GetVirtualRuntimes();
  const std::lock_guard lock(runtimes.mutex);
  std::erase(runtimes.all, this);
  runtimes.count.store(runtimes.all.size(), std::memory_order_relaxed);
}

bool RuntimeCore::AnyIsVirtual() noexcept {
  return GetVirtualRuntimes().count.load(std::memory_order_relaxed) != 0;
}

void RuntimeCore::StrangerSleeps() noexcept {
  auto& runtimes = GetVirtualRuntimes();
  runtimes.strangers.fetch_add(kOutsideChange + 1, std::memory_order_seq_cst);
  const std::lock_guard lock(runtimes.mutex);
  for (RuntimeCore* runtime : runtimes.all) runtime->timers_->Wake();
}

void RuntimeCore::StrangerWakes() noexcept {
  GetVirtualRuntimes().strangers.fetch_add(kOutsideChange - 1, std::memory_order_seq_cst);
}

// Virtual time may pass when a thread from outside waits for something that only a timer can bring: it waited
// before and after the look at the rest, so it has neither posted nor been woken meanwhile.
bool RuntimeCore::MayJump() const noexcept {
  const auto& strangers = GetVirtualRuntimes().strangers;
  const auto own = outside_blocked_.load(std::memory_order_seq_cst);
  const auto other = strangers.load(std::memory_order_seq_cst);
  return (static_cast<std::uint32_t>(own) > 0 || static_cast<std::uint32_t>(other) > 0) &&
         urgent_.load(std::memory_order_seq_cst) == 0 && !permits_.SpinningNow() &&
         permits_.AvailableNow() == static_cast<std::int32_t>(width_) && !AnyWork() &&
         outside_blocked_.load(std::memory_order_seq_cst) == own &&
         strangers.load(std::memory_order_seq_cst) == other;
}

}  // namespace orchestrate::inline v1::detail
