// What does a timer cost: armed, cancelled, fired; as the wheel alone, through a runtime, as Repeat and
// Sleep?
#include <atomic>
#include <orchestrate/exec/timer_service.hpp>
#include <orchestrate/flow/repeat.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/flow/wait.hpp>
#include <orchestrate/task/after.hpp>
#include <thread>
#include <vector>

#include "../common/timers.hpp"
#include "pool.hpp"

namespace bench {
namespace {

using orchestrate::TimerService;
using orchestrate::detail::TimerEvent;

class OfARuntime final : public TimerSet {
 public:
  explicit OfARuntime(const Setup& setup)
      : pool_(setup.workers), timers_(pool_.runtime.GetExecutor().Timers()) {}

  void Arm(const std::vector<Clock::time_point>& deadlines) override {
    fired_ = 0;
    for (std::size_t i = 0; i < kTimers; ++i) {
      armed_[i].set = this;
      armed_[i].due = deadlines[i];
      armed_[i].fire = Fire;
      timers_.Schedule(armed_[i], deadlines[i]);
    }
  }
  void CancelAll() override {
    for (Armed& timer : armed_) (void)timers_.Cancel(timer);
  }
  void RunAll(Lateness& late) override {
    late_.store(&late);
    while (fired_.load() < kTimers) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }

 private:
  struct Armed : orchestrate::detail::Timer {
    OfARuntime* set = nullptr;
    Clock::time_point due;
  };
  static void Fire(orchestrate::detail::Timer& timer, TimerEvent /*event*/) noexcept {
    auto& self = static_cast<Armed&>(timer);
    OfARuntime& set = *self.set;
    set.late_.load(std::memory_order_relaxed)
        ->Note(static_cast<std::size_t>(&self - set.armed_.data()), self.due);
    set.fired_.fetch_add(1, std::memory_order_release);
  }

  std::vector<Armed> armed_{kTimers};
  std::atomic<std::size_t> fired_{0};
  std::atomic<Lateness*> late_{nullptr};
  Pool pool_;
  TimerService& timers_;
};

class OfAWheel final : public TimerSet {
 public:
  void Arm(const std::vector<Clock::time_point>& deadlines) override {
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < kTimers; ++i)
      wheel_.Schedule(nodes_[i], static_cast<std::uint64_t>((deadlines[i] - begin).count()) >> 20);
  }
  void CancelAll() override {
    for (orchestrate::TimerNode& node : nodes_) (void)wheel_.Cancel(node);
  }
  void RunAll(Lateness& /*late*/) override {}

 private:
  std::vector<orchestrate::TimerNode> nodes_{kTimers};
  orchestrate::TimerWheel wheel_;
};

std::unique_ptr<TimerSet> MakeRuntime(const Setup& setup) { return std::make_unique<OfARuntime>(setup); }
std::unique_ptr<TimerSet> MakeWheel(const Setup& /*setup*/) { return std::make_unique<OfAWheel>(); }

const Case kSchedule("timer_schedule", "",
                     [](const Setup& setup) { return TimerSchedule(setup, MakeRuntime); });
const Case kCancel("timer_cancel", "", [](const Setup& setup) { return TimerCancel(setup, MakeRuntime); });
const Case kFire("timer_fire", "", [](const Setup& setup) { return TimerFire(setup, MakeRuntime); });
const Case kWheelSchedule("wheel_schedule", "",
                          [](const Setup& setup) { return TimerSchedule(setup, MakeWheel); });
const Case kWheelCancel("wheel_cancel", "", [](const Setup& setup) { return TimerCancel(setup, MakeWheel); });

const Case kHeartbeat("heartbeat", "", [](const Setup& setup) {
  return Heartbeat([pool = MakePool(setup)](std::chrono::milliseconds duration) {
    std::atomic<std::size_t> beats{0};
    const auto context = pool->background.WithCancel();
    std::vector<orchestrate::Job> jobs;
    jobs.reserve(kBeats);
    for (std::size_t i = 0; i < kBeats; ++i) {
      jobs.push_back(orchestrate::Repeat(context, kBeatEvery,
                                         [&beats] { beats.fetch_add(1, std::memory_order_relaxed); }));
    }
    std::this_thread::sleep_for(duration);
    context.Cancel();
    for (const auto& job : jobs) Keep(job.Wait());
    return beats.load();
  });
});

const Case kSleep("sleep_tasks", "", [](const Setup& setup) {
  return SleepTasks([pool = MakePool(setup)](Lateness& late) {
    std::vector<orchestrate::Task<void>> woken;
    woken.reserve(kSleepers);
    for (std::size_t i = 0; i < kSleepers; ++i) {
      const auto due = Clock::now() + SleepOf(i);
      woken.push_back(
          orchestrate::Sleep(pool->background, SleepOf(i)).Then([&late, i, due] { late.Note(i, due); }));
    }
    for (const auto& task : woken) Require(!task.Wait(), "a sleeper failed");
  });
});

}  // namespace
}  // namespace bench
