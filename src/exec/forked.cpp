#include "exec/forked.hpp"

#include <pthread.h>

#include <mutex>
#include <string>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/slab_pool.hpp>

#include "process_limit.hpp"

namespace orchestrate::inline v1::detail {

constinit std::atomic<bool> g_forked{false};
constinit Mutex g_default_mutex;

namespace {

// A runtime that is just being made or given up is waited for, so that the child knows what it has. The
// pool's locks come last: they may be taken below the others.
void Lock() noexcept {
  g_default_mutex.Lock();
  ProcessLimit::LockForFork();
  LockPoolForFork();
}

void Unlock() noexcept {
  UnlockPoolAfterFork();
  ProcessLimit::UnlockAfterFork();
  g_default_mutex.Unlock();
}

}  // namespace

Error ForkedError(const char* function) noexcept {
  return Error(Errc::NotSupported,
               "the process was forked while a runtime was up; stop all runtimes before fork(), or exec() in "
               "the child")
      .WithContext(function);
}

void WatchForks() noexcept {
  static constinit std::once_flag once;  // that of a child begins again
  std::call_once(once, [] {
    pthread_atfork(Lock, Unlock, [] {
      Unlock();
      g_lock_era += kNextLockEra;
      if (ProcessLimit::InUse()) g_forked.store(true, std::memory_order_relaxed);
    });
  });
}

}  // namespace orchestrate::inline v1::detail
