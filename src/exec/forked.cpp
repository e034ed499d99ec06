#include "exec/forked.hpp"

#include <pthread.h>

#include <mutex>
#include <string>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/time/clock.hpp>
#include "exec/cpu_quota.hpp"

#include "process_limit.hpp"
#include "runtime_core.hpp"

namespace orchestrate::inline v1::detail {

constinit std::atomic<bool> g_forked{false};
constinit Mutex g_default_mutex;

namespace {

// What another thread is just finding out once for all is waited for: in the child nobody would finish it.
void FinishStatics() noexcept {
  (void)HasSeveralCpus();
  (void)ClockSource::Steady();
  (void)make_error_code(Errc::Cancelled);
  (void)ClosedTimers();
  (void)RuntimeCore::AnyIsVirtual();
}

// A runtime that is just being made or given up is waited for, so that the child knows what it has. The
// pool's locks come last: they may be taken below the others.
void Lock() noexcept {
  FinishStatics();
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
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork(Lock, Unlock, [] {
      Unlock();
      g_lock_era += kNextLockEra;
      if (ProcessLimit::InUse()) g_forked.store(true, std::memory_order_relaxed);
    });
  });
}

}  // namespace orchestrate::inline v1::detail
