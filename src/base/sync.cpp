#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>
#include <orchestrate/base/sync.hpp>

#include "base/sanitizers.hpp"

namespace orchestrate::inline v1::sync {
namespace {

static_assert(sizeof(atomic<std::uint32_t>) == sizeof(std::uint32_t), "a futex is four bytes");

// errno belongs to the user: a wait inside the library must not change it.
class KeepErrno {
 public:
  KeepErrno() = default;
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;
  ~KeepErrno() { errno = saved_; }

 private:
  int saved_ = errno;
};

// Waits with an absolute CLOCK_MONOTONIC time (the clock behind steady_clock); null waits for ever.
bool WaitTimedOut(const atomic<std::uint32_t>& word, std::uint32_t expected,
                  const timespec* deadline) noexcept {
  const KeepErrno keep;
  const long result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, deadline,
                              nullptr, FUTEX_BITSET_MATCH_ANY);
  return result == -1 && errno == ETIMEDOUT;
}

// ThreadSanitizer puts a signal handler off until the thread calls something that it intercepts. A futex is
// not, so sleeps are cut into pieces with such a call between them; whoever waits here looks again anyway.
#ifdef ORCHESTRATE_TSAN
constexpr bool kSlicedSleep = true;
#else
constexpr bool kSlicedSleep = false;
#endif
constexpr std::chrono::milliseconds kSlice{50};

[[maybe_unused]] void LetSignalsIn() noexcept {
  const KeepErrno keep;
  const timespec now{};
  nanosleep(&now, nullptr);
}

}  // namespace

void FutexWait(const atomic<std::uint32_t>& word, std::uint32_t expected) noexcept {
  if constexpr (kSlicedSleep) {
    (void)FutexWaitUntil(word, expected, std::chrono::steady_clock::now() + kSlice);
  } else {
    WaitTimedOut(word, expected, nullptr);
  }
}

FutexResult FutexWaitUntil(const atomic<std::uint32_t>& word, std::uint32_t expected,
                           std::chrono::steady_clock::time_point deadline) noexcept {
  using std::chrono::nanoseconds;
  auto piece = deadline;
  if constexpr (kSlicedSleep) {
    LetSignalsIn();
    piece = std::min(deadline, std::chrono::steady_clock::now() + kSlice);
  }
  const std::int64_t since_boot = std::chrono::duration_cast<nanoseconds>(piece.time_since_epoch()).count();
  if (since_boot <= 0) return FutexResult::TimedOut;  // the kernel refuses negative times
  const timespec until{.tv_sec = static_cast<time_t>(since_boot / 1'000'000'000),
                       .tv_nsec = static_cast<long>(since_boot % 1'000'000'000)};
  const bool timed_out = WaitTimedOut(word, expected, &until);
  return timed_out && piece == deadline ? FutexResult::TimedOut : FutexResult::Woken;
}

void FutexWake(const atomic<std::uint32_t>& word, int count) noexcept {
  const KeepErrno keep;
  syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
}

void* MapPages(std::size_t bytes, std::size_t alignment) noexcept {
  const KeepErrno keep;
  const std::size_t reserved = bytes + alignment;
  void* const pages = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  // Both ends around the aligned part go back at once.
  char* const begin = static_cast<char*>(pages);
  const std::size_t misplaced = reinterpret_cast<std::uintptr_t>(pages) % alignment;
  const std::size_t before = misplaced == 0 ? 0 : alignment - misplaced;
  if (before != 0) munmap(begin, before);
  munmap(begin + before + bytes, reserved - before - bytes);
  return begin + before;
}

void DropPages(void* pages, std::size_t bytes) noexcept {
  const KeepErrno keep;
  madvise(pages, bytes, MADV_DONTNEED);
}

bool GuardPages(void* pages, std::size_t bytes) noexcept {
  const KeepErrno keep;
  return mprotect(pages, bytes, PROT_NONE) == 0;
}

void UnmapPages(void* pages, std::size_t bytes) noexcept {
  const KeepErrno keep;
  munmap(pages, bytes);
}

}  // namespace orchestrate::inline v1::sync
