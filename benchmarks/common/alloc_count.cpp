#include "alloc_count.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <new>

// NOLINTBEGIN(readability-identifier-naming): the names are C's.

// glibc's own allocator, which the replacements below forward to.
extern "C" {
void* __libc_malloc(std::size_t) noexcept;
void* __libc_calloc(std::size_t, std::size_t) noexcept;
void* __libc_realloc(void*, std::size_t) noexcept;
void* __libc_memalign(std::size_t, std::size_t) noexcept;
}

namespace bench {
namespace {

// A line for each thread, so that counting adds no sharing to what is measured. Only the thread writes;
// the reader sums when the threads are at rest. Beyond kThreads, lines are shared and counts may be lost.
struct alignas(64) Line {
  std::atomic<std::uint64_t> calls;
  std::atomic<std::uint64_t> bytes;
};
constexpr unsigned kThreads = 256;
Line lines[kThreads];
std::atomic<unsigned> threads{0};

void Count(std::size_t bytes) {
  thread_local const unsigned own = threads.fetch_add(1, std::memory_order_relaxed) % kThreads;
  Line& line = lines[own];
  line.calls.store(line.calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  line.bytes.store(line.bytes.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
}

}  // namespace

Allocated TotalAllocated() {
  Allocated total;
  for (const Line& line : lines) {
    total.calls += line.calls.load(std::memory_order_relaxed);
    total.bytes += line.bytes.load(std::memory_order_relaxed);
  }
  return total;
}

}  // namespace bench

extern "C" {

void* malloc(std::size_t size) noexcept {
  bench::Count(size);
  return __libc_malloc(size);
}

void* calloc(std::size_t count, std::size_t size) noexcept {
  bench::Count(count * size);
  return __libc_calloc(count, size);
}

void* realloc(void* old, std::size_t size) noexcept {
  bench::Count(size);
  return __libc_realloc(old, size);
}

void* memalign(std::size_t alignment, std::size_t size) noexcept {
  bench::Count(size);
  return __libc_memalign(alignment, size);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept { return memalign(alignment, size); }

int posix_memalign(void** result, std::size_t alignment, std::size_t size) noexcept {
  *result = memalign(alignment, size);
  return *result != nullptr ? 0 : ENOMEM;
}

// Pools that map their own slabs (tbbmalloc is one) are seen here; glibc's malloc does not come this way.
void* mmap(void* address, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
  const long result = syscall(SYS_mmap, address, size, protection, flags, file, offset);
  if (result != -1 && (flags & MAP_ANONYMOUS) != 0 && protection != PROT_NONE) bench::Count(size);
  return reinterpret_cast<void*>(result);
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
