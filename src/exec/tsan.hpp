#pragma once

// What ThreadSanitizer has to be told about oneTBB, which is not instrumented.
#include "base/sanitizers.hpp"

#ifdef ORCHESTRATE_TSAN
extern "C" {
void __tsan_acquire(void* address);                         // NOLINT: the sanitizer's names
void __tsan_release(void* address);                         // NOLINT
void AnnotateIgnoreReadsBegin(const char* file, int line);  // NOLINT
void AnnotateIgnoreReadsEnd(const char* file, int line);    // NOLINT
}
#endif

namespace orchestrate::inline v1::detail {

// A hand-over through oneTBB: the thread that gives `object` away, and the one that gets it.
inline void NoteHandOver([[maybe_unused]] void* object) noexcept {
#ifdef ORCHESTRATE_TSAN
  __tsan_release(object);
#endif
}
inline void NoteTakeOver([[maybe_unused]] void* object) noexcept {
#ifdef ORCHESTRATE_TSAN
  __tsan_acquire(object);
#endif
}

// Around a call into oneTBB: what it does to its own memory there (a memset of a block that another thread
// has freed) is not looked at, as its locks are not seen. Reads and writes both; the name is the sanitizer's.
class InsideTbb {
 public:
#ifdef ORCHESTRATE_TSAN
  InsideTbb() noexcept { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
  ~InsideTbb() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#else
  InsideTbb() noexcept {}
  ~InsideTbb() {}  // NOLINT: not trivial, so that an object of the class counts as used
#endif
  InsideTbb(const InsideTbb&) = delete;
  InsideTbb& operator=(const InsideTbb&) = delete;
};

}  // namespace orchestrate::inline v1::detail
