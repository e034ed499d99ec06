#include "exec/forked.hpp"

#include <pthread.h>

#include <mutex>
#include <string>

#include <orchestrate/base/slab_pool.hpp>

#include "process_limit.hpp"

namespace orchestrate::inline v1::detail {

constinit std::atomic<bool> g_forked{false};

Error ForkedError(const char* function) noexcept {
  return Error(Errc::NotSupported,
               "the process was forked while a runtime was up; stop all runtimes before fork(), or exec() in "
               "the child")
      .WithContext(function);
}

void WatchForks() noexcept {
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork(LockPoolForFork, UnlockPoolAfterFork, [] {
      UnlockPoolAfterFork();
      if (ProcessLimit::InUse()) g_forked.store(true, std::memory_order_relaxed);
    });
  });
}

}  // namespace orchestrate::inline v1::detail
