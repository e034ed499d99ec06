#pragma once

// The seam between the lock-free parts and the machine: atomics, waiting on a word, memory by the page.
// Nothing else in this layer touches the operating system. A model checker names its own header in
// ORCHESTRATE_SYNC_HEADER, which then declares the same names.
#ifdef ORCHESTRATE_SYNC_HEADER
#include ORCHESTRATE_SYNC_HEADER
#else

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::sync {

/// Is the atomic that every lock-free part uses.
template <class T>
using atomic = std::atomic<T>;

/// Is a field shared between threads that is never accessed by two at once; a model checker watches it.
template <class T>
using plain = T;

using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

/// Says why a wait on a futex returned.
enum class FutexResult : std::uint8_t {
  Woken,     ///< Woken, interrupted, or the word had changed already: look again.
  TimedOut,  ///< The deadline has passed.
};

/// Hints that the caller spins.
inline void Relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
  asm volatile("yield");
#endif
}

/// Sleeps while `word` holds `expected`; may return early for no reason.
///
/// Orders nothing: the caller reads `word` again with the order it needs.
ORCHESTRATE_API void FutexWait(const atomic<std::uint32_t>& word, std::uint32_t expected) noexcept;

/// Sleeps while `word` holds `expected`, at most until `deadline`; may return early for no reason.
ORCHESTRATE_API FutexResult FutexWaitUntil(const atomic<std::uint32_t>& word, std::uint32_t expected,
                                           std::chrono::steady_clock::time_point deadline) noexcept;

/// Wakes up to `count` threads that wait on `word`.
///
/// Uses the address only: `word` may be gone already, at worst somebody else's wait returns early.
ORCHESTRATE_API void FutexWake(const atomic<std::uint32_t>& word, int count) noexcept;

/// Reserves `bytes` of zeroed pages.
///
/// @param alignment  a power of two, at least the size of a page.
/// @return null when the system has none.
void* MapPages(std::size_t bytes, std::size_t alignment) noexcept;

/// Gives the memory behind pages from `MapPages` back; the addresses stay reserved and read as zero.
void DropPages(void* pages, std::size_t bytes) noexcept;

/// Makes any access to pages from `MapPages` a fault; false when the system refuses.
[[nodiscard]] bool GuardPages(void* pages, std::size_t bytes) noexcept;

/// Gives pages from `MapPages` back, addresses and all.
void UnmapPages(void* pages, std::size_t bytes) noexcept;

}  // namespace orchestrate::inline v1::sync

#endif  // ORCHESTRATE_SYNC_HEADER
