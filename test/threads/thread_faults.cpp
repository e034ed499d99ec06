#include "threads/thread_faults.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <climits>

namespace orchestrate::test {
namespace {

constinit std::atomic<int> left{INT_MAX};
constinit std::atomic<int> failed{0};

}  // namespace

void FailThreads(int more) noexcept {
  failed = 0;
  left = more;
}

int StopFailingThreads() noexcept {
  left = INT_MAX;
  return failed;
}

using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

int CreateOrFail(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  static const auto real = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (left.load() != INT_MAX && left.fetch_sub(1) <= 0) {
    ++failed;
    return EAGAIN;
  }
  return real(thread, attributes, run, argument);
}

}  // namespace orchestrate::test

// An executable's own definition comes before that of the C library, for oneTBB, too.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  return orchestrate::test::CreateOrFail(thread, attributes, run, argument);
}
