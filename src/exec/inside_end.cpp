#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include <orchestrate/time/deadline.hpp>
#include "exec/own_thread.hpp"
#include "exec/thread_state.hpp"

#include "runtime_core.hpp"

// The end of a runtime whose destructor runs where it cannot wait for everything: inside one of its own
// bodies, or on the thread of its timers. A thread of its own does the rest when that body has left.
namespace orchestrate::inline v1::detail {
namespace {

// How many runtimes wait to be buried. While one is, oneTBB may be finalized, which must not meet the
// destructors of its statics: the process' exit waits for a while.
constinit std::atomic<int> burials{0};

void WaitForBurials() noexcept {
  const TimePoint until = Clock::now() + std::chrono::seconds(2);
  while (burials.load(std::memory_order_seq_cst) != 0 && Clock::now() < until) std::this_thread::yield();
}

void WatchBurials() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (std::atexit([] { WaitForBurials(); }) != 0) throw std::bad_alloc();
  });
  burials.fetch_add(1, std::memory_order_seq_cst);
}

}  // namespace

std::chrono::nanoseconds RuntimeCore::Grace() const noexcept { return SaturatingNanoseconds(options_.grace); }

void RuntimeCore::EndFromInside() noexcept {
  const bool in_body = t_thread.runtime == this;
  if (in_body) {
    ShareAllOfThread();
    if (t_thread.slot != nullptr) QueueNext(*t_thread.slot);
    HandOverUrgent();
    if (std::exchange(t_thread.runs_urgent, false)) urgent_.fetch_sub(1, std::memory_order_seq_cst);
  }
  StopIntake();
  if (in_body) {
    WaitForOthers();
    ReportOwnEnd();
  }
  Silence();
  BuryWhenLeft();
}

// Gives the permit of the calling body away meanwhile.
void RuntimeCore::WaitForOthers() noexcept {
  ends_inside_.store(true, std::memory_order_seq_cst);
  ReturnPermit();
  const bool have_left = WaitIdle(SaturatingAdd(Clock::now(), Grace()), Idle::NothingSleeps);
  TakePermitBack();
  ends_inside_.store(false, std::memory_order_seq_cst);
  if (!have_left) DropQueued();
}

void RuntimeCore::ReportOwnEnd() noexcept {
  try {
    const std::string what =
        "runtime " + options_.name + " is destroyed by one of its own bodies, which goes on";
    Report report{.what = what};
    if (auto* root = ExecutorAccess::AttachmentOf(*this).load(std::memory_order_acquire))
      root->Describe(t_thread.frame, report);
    SendReport(report);
  } catch (...) {  // without memory for the sentence
  }
}

void RuntimeCore::BuryWhenLeft() noexcept {
  try {
    WatchBurials();
  } catch (...) {
    return Abandon();
  }
  try {
    StartOwnThread([this] {
      (void)WaitIdle(std::nullopt, Idle::NothingSleeps);
      SomebodyLeft() ? Abandon() : Bury();
      burials.fetch_sub(1, std::memory_order_seq_cst);
    }).detach();
  } catch (...) {  // no thread to be had
    burials.fetch_sub(1, std::memory_order_seq_cst);
    Abandon();
  }
}

void RuntimeCore::Bury() noexcept {
  Retire();
  auto* root = ExecutorAccess::AttachmentOf(*this).load(std::memory_order_acquire);
  if (root == nullptr) {
    delete this;
  } else {
    root->Keep(*this);
  }
}

}  // namespace orchestrate::inline v1::detail
