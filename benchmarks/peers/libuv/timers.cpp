// Timers of libuv: a uv_timer_t each, on one loop; it counts in milliseconds.
#include <uv.h>

#include <algorithm>
#include <string>
#include <vector>

#include "../../common/timers.hpp"

namespace bench {

std::string About() { return std::string("libuv ") + uv_version_string(); }

namespace {

// A loop with its handles, which have to be closed before it.
template <class Handle>
class Loop {
 public:
  explicit Loop(std::size_t count) : handles_(count) {
    Require(uv_loop_init(&loop_) == 0, "uv_loop_init");
    for (Handle& handle : handles_) {
      uv_timer_init(&loop_, &handle);
      handle.data = this;
    }
  }
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop() {
    for (Handle& handle : handles_) uv_close(reinterpret_cast<uv_handle_t*>(&handle), nullptr);  // NOLINT
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  [[nodiscard]] std::vector<Handle>& Handles() { return handles_; }
  void Update() { uv_update_time(&loop_); }
  void Run() { uv_run(&loop_, UV_RUN_DEFAULT); }

 private:
  uv_loop_t loop_{};
  std::vector<Handle> handles_;
};

struct Due : uv_timer_t {
  Clock::time_point due;
  std::size_t index = 0;
  Lateness** late = nullptr;
};

void NoteDue(uv_timer_t* handle) {
  const auto& timer = *static_cast<Due*>(handle);
  (*timer.late)->Note(timer.index, timer.due);
}

class Timers final : public TimerSet {
 public:
  void Arm(const std::vector<Clock::time_point>& deadlines) override {
    loop_.Update();
    const auto now = Clock::now();
    for (std::size_t i = 0; i < kTimers; ++i) {
      Due& timer = loop_.Handles()[i];
      timer.due = deadlines[i];
      timer.index = i;
      timer.late = &late_;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadlines[i] - now);
      uv_timer_start(&timer, NoteDue, static_cast<std::uint64_t>(left.count()), 0);
    }
  }
  void CancelAll() override {
    for (Due& timer : loop_.Handles()) uv_timer_stop(&timer);
  }
  void RunAll(Lateness& late) override {
    late_ = &late;
    loop_.Run();
  }

 private:
  Lateness* late_ = nullptr;
  Loop<Due> loop_{kTimers};
};

std::unique_ptr<TimerSet> Make(const Setup& /*setup*/) { return std::make_unique<Timers>(); }

const Case kSchedule("timer_schedule", "", [](const Setup& setup) { return TimerSchedule(setup, Make); });
const Case kCancel("timer_cancel", "", [](const Setup& setup) { return TimerCancel(setup, Make); });
const Case kFire("timer_fire", "", [](const Setup& setup) { return TimerFire(setup, Make); });

struct Beat : uv_timer_t {
  std::size_t* beats = nullptr;
};

const Case kHeartbeat("heartbeat", "", [](const Setup& /*setup*/) {
  return Heartbeat([](std::chrono::milliseconds duration) {
    std::size_t beats = 0;
    Loop<Beat> loop(kBeats + 1);
    loop.Update();
    for (Beat& beat : loop.Handles()) {
      beat.beats = &beats;
      const auto every = static_cast<std::uint64_t>(kBeatEvery.count());
      uv_timer_start(
          &beat, [](uv_timer_t* handle) { ++*static_cast<Beat*>(handle)->beats; }, every, every);
    }
    uv_timer_start(
        &loop.Handles().back(), [](uv_timer_t* handle) { uv_stop(handle->loop); },
        static_cast<std::uint64_t>(duration.count()), 0);
    loop.Run();
    return beats;
  });
});

const Case kSleep("sleep_tasks", "", [](const Setup& /*setup*/) {
  return SleepTasks([](Lateness& late) {
    Lateness* into = &late;
    Loop<Due> loop(kSleepers);
    loop.Update();
    for (std::size_t i = 0; i < kSleepers; ++i) {
      Due& timer = loop.Handles()[i];
      timer.due = Clock::now() + SleepOf(i);
      timer.index = i;
      timer.late = &into;
      uv_timer_start(&timer, NoteDue, static_cast<std::uint64_t>(SleepOf(i).count()), 0);
    }
    loop.Run();
  });
});

}  // namespace
}  // namespace bench
