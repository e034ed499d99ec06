// Timers of standalone Asio: a steady_timer each, all on one io_context that one thread runs.
#include <asio.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../../common/timers.hpp"

namespace bench {

std::string About() {
  return "Asio " + std::to_string(ASIO_VERSION / 100000) + "." + std::to_string(ASIO_VERSION / 100 % 1000) +
         "." + std::to_string(ASIO_VERSION % 100);
}

namespace {

class Timers final : public TimerSet {
 public:
  Timers() {
    timers_.reserve(kTimers);
    for (std::size_t i = 0; i < kTimers; ++i) timers_.emplace_back(context_);
  }

  void Arm(const std::vector<Clock::time_point>& deadlines) override {
    for (std::size_t i = 0; i < kTimers; ++i) {
      timers_[i].expires_at(deadlines[i]);
      timers_[i].async_wait([this, i, due = deadlines[i]](const asio::error_code& error) {
        if (!error) late_->Note(i, due);
      });
    }
  }
  void CancelAll() override {
    for (auto& timer : timers_) timer.cancel();
    context_.run();  // the cancelled handlers
    context_.restart();
  }
  void RunAll(Lateness& late) override {
    late_ = &late;
    context_.run();
    context_.restart();
  }

 private:
  asio::io_context context_{1};
  std::vector<asio::steady_timer> timers_;
  Lateness* late_ = nullptr;
};

struct Beat {
  asio::steady_timer timer;
  std::size_t& beats;

  void Wait() {
    timer.async_wait([this](const asio::error_code& error) {
      if (error) return;
      ++beats;
      timer.expires_at(timer.expiry() + kBeatEvery);
      Wait();
    });
  }
};

std::unique_ptr<TimerSet> Make(const Setup& /*setup*/) { return std::make_unique<Timers>(); }

const Case kSchedule("timer_schedule", "", [](const Setup& setup) { return TimerSchedule(setup, Make); });
const Case kCancel("timer_cancel", "", [](const Setup& setup) { return TimerCancel(setup, Make); });
const Case kFire("timer_fire", "", [](const Setup& setup) { return TimerFire(setup, Make); });

const Case kHeartbeat("heartbeat", "", [](const Setup& /*setup*/) {
  return Heartbeat([](std::chrono::milliseconds duration) {
    std::size_t beats = 0;
    asio::io_context context(1);
    std::vector<Beat> all;
    all.reserve(kBeats);
    for (std::size_t i = 0; i < kBeats; ++i) {
      all.push_back({asio::steady_timer(context, kBeatEvery), beats});
      all.back().Wait();
    }
    context.run_for(duration);
    return beats;
  });
});

const Case kSleep("sleep_tasks", "", [](const Setup& /*setup*/) {
  return SleepTasks([](Lateness& late) {
    asio::io_context context(1);
    std::vector<asio::steady_timer> all;
    all.reserve(kSleepers);
    for (std::size_t i = 0; i < kSleepers; ++i) {
      all.emplace_back(context, SleepOf(i));
      all.back().async_wait(
          [&late, i, due = all.back().expiry()](const asio::error_code&) { late.Note(i, due); });
    }
    context.run();
  });
});

}  // namespace
}  // namespace bench
