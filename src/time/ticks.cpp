#include <orchestrate/time/ticks.hpp>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace orchestrate::inline v1 {
namespace detail {

std::atomic<bool> counter_is_steady{false};

}  // namespace detail

namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;
__extension__ using Wide = unsigned __int128;

// One moment, read on both clocks: the two belong together to within half of `width` ticks.
struct Moment {
  std::uint64_t ticks = 0;
  nanoseconds time{};
  std::uint64_t width = ~std::uint64_t{0};
};

nanoseconds ReadClock() noexcept { return steady_clock::now().time_since_epoch(); }

std::uint64_t ReadCounter() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  return __builtin_ia32_rdtsc();
#else
  return 0;
#endif
}

bool HasSteadyCounter() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  constexpr unsigned kPowerManagement = 0x8000'0007;
  constexpr unsigned kInvariantCounter = 1U << 8;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) != 0 && (edx & kInvariantCounter) != 0;
#else
  return false;
#endif
}

// Reads the clock between two reads of the counter, a few times, and keeps the closest pair: an interruption
// in between would spoil the rate.
Moment ReadBoth() noexcept {
  constexpr int kTries = 5;
  Moment best;
  for (int i = 0; i < kTries; ++i) {
    const std::uint64_t before = ReadCounter();
    const nanoseconds time = ReadClock();
    const std::uint64_t width = ElapsedTicks(before, ReadCounter());
    if (width < best.width) best = {before + width / 2, time, width};
  }
  return best;
}

// The moment of start-up, from which the rate is measured.
const Moment& Anchor() noexcept {
  static const Moment anchor = [] {
    const Moment moment = ReadBoth();
    // Relaxed: whoever misses it comes here too.
    detail::counter_is_steady.store(HasSteadyCounter(), std::memory_order_relaxed);
    return moment;
  }();
  return anchor;
}

// As early as the library can, so that the base of the measurement is long when the first duration is read.
[[maybe_unused]] const Moment& start_up = Anchor();

// Returns nanoseconds a tick, times 2^32: measured once, so that a duration reads the same for ever.
std::uint64_t Rate() noexcept {
  constexpr std::uint64_t kPrecision = 1000;  // half a width at either end: 0.05 % of what lies between
  static constinit std::atomic<std::uint64_t> known{0};
  // Relaxed: a number alone.
  std::uint64_t rate = known.load(std::memory_order_relaxed);
  if (rate != 0) return rate;
  const Moment& anchor = Anchor();
  Moment now = ReadBoth();
  while (ElapsedTicks(anchor.ticks, now.ticks) <= kPrecision * (anchor.width + now.width)) now = ReadBoth();
  const auto elapsed = static_cast<Wide>((now.time - anchor.time).count());
  const auto measured = static_cast<std::uint64_t>((elapsed << 32) / (now.ticks - anchor.ticks));
  return known.compare_exchange_strong(rate, measured, std::memory_order_relaxed) ? measured : rate;
}

}  // namespace

std::uint64_t detail::ReadTicksSlowly() noexcept {
  static_cast<void>(Anchor());
  if (counter_is_steady.load(std::memory_order_relaxed)) return ReadCounter();
  return static_cast<std::uint64_t>(ReadClock().count());
}

nanoseconds TicksToDuration(std::uint64_t ticks) noexcept {
  static_cast<void>(Anchor());
  Wide ns = ticks;
  if (detail::counter_is_steady.load(std::memory_order_relaxed)) ns = (ns * Rate()) >> 32;
  constexpr auto kMost = static_cast<Wide>(nanoseconds::max().count());
  return nanoseconds(static_cast<nanoseconds::rep>(ns < kMost ? ns : kMost));
}

}  // namespace orchestrate::inline v1
