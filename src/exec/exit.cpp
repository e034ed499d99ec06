#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "exec/thread_state.hpp"

#include "runtime_core.hpp"

// std::exit() called by a task. It destroys the statics of the process on the worker that called it. What the
// library has to do with that: not to wait for this very body, and to keep oneTBB's own statics alive, whose
// destructors crash on a thread that oneTBB has made.
namespace orchestrate::inline v1::detail {
namespace {

constinit int status = EXIT_FAILURE;  // by the thread that exits

// exit() destroys the thread_locals of its thread before all else; on a thread that just ends nothing runs.
struct AtExitOfThread {
  AtExitOfThread() noexcept = default;
  AtExitOfThread(const AtExitOfThread&) = delete;
  AtExitOfThread& operator=(const AtExitOfThread&) = delete;
  ~AtExitOfThread() {
    if (!t_thread.in_runner && t_thread.runtime == nullptr) return;
    // During exit() a new handler is the next to be called. Nothing else tells the status.
    if (t_thread.in_runner) on_exit([](int code, void*) { status = code; }, nullptr);
    if (t_thread.runtime != nullptr) t_thread.runtime->LeaveForGood();
  }
};

// Runs after all handlers and statics of the program, and before those of the libraries that it was linked
// with.
[[gnu::destructor(101)]] void EndBeforeOneTbb() noexcept {
  if (!t_thread.in_runner) return;
  try {
    std::cout.flush();
    std::wcout.flush();
    std::clog.flush();
  } catch (...) {  // the program asked for exceptions: nobody is left to catch them
  }
  (void)std::fflush(nullptr);
  _exit(status);
}

}  // namespace

void WatchForExit() noexcept { [[maybe_unused]] static thread_local const AtExitOfThread here; }

void RuntimeCore::LeaveForGood() noexcept {
  ShareAllOfThread();
  if (t_thread.slot != nullptr) QueueNext(*t_thread.slot);
  HandOverUrgent();
  t_thread.runtime = nullptr;
  t_thread.slot = nullptr;
  somebody_left_.store(true, std::memory_order_seq_cst);
  ReturnPermit();
}

// The bodies of a thread that has left stay counted for ever, so what counts now is who may run any. A body
// holds a permit or is blocked: when the blocked ones have not changed around the look at the permits, no
// body was on its way from one to the other.
bool RuntimeCore::NobodyElseRuns() const noexcept {
  const auto blocked = blocked_.load(std::memory_order_seq_cst);
  return static_cast<std::uint32_t>(blocked) == 0 &&
         permits_.AvailableNow() == static_cast<std::int32_t>(width_) && !AnyWork() &&
         permits_.AvailableNow() == static_cast<std::int32_t>(width_) &&
         blocked_.load(std::memory_order_seq_cst) == blocked;
}

}  // namespace orchestrate::inline v1::detail
