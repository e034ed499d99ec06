#pragma once

#include <pthread.h>

#include <csignal>
#include <thread>
#include <utility>

#include "exec/thread_state.hpp"

namespace orchestrate::inline v1::detail {

// Blocks the signals that may come from outside on the calling thread, for a scope.
class BlockedSignals {
 public:
  BlockedSignals() noexcept {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
      sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  [[nodiscard]] const sigset_t& Before() const noexcept { return before_; }

 private:
  sigset_t before_{};
};

// Around a call that may make a worker, which runs bodies and so must not inherit the blocked signals of one
// of the library's own threads, but those of whoever made that thread.
class MakersSignals {
 public:
  MakersSignals() noexcept {
    if (t_thread.makers_signals != nullptr)
      pthread_sigmask(SIG_SETMASK, static_cast<const sigset_t*>(t_thread.makers_signals), &own_);
  }
  MakersSignals(const MakersSignals&) = delete;
  MakersSignals& operator=(const MakersSignals&) = delete;
  ~MakersSignals() {
    if (t_thread.makers_signals != nullptr) pthread_sigmask(SIG_SETMASK, &own_, nullptr);
  }

 private:
  sigset_t own_{};
};

// Starts a thread of the library's own. It takes no signal of the process: those belong to the program's
// threads.
template <class Body>
[[nodiscard]] std::thread StartOwnThread(Body body) {
  // A thread that is made by such a thread has the same maker.
  const MakersSignals makers;
  const BlockedSignals blocked;
  return std::thread([body = std::move(body), signals = blocked.Before()]() mutable {
    t_thread.makers_signals = &signals;
    body();
    t_thread.makers_signals = nullptr;
  });
}

}  // namespace orchestrate::inline v1::detail
