#include <algorithm>
#include <atomic>
#include <thread>

#include "measure.hpp"
#include "samplers.hpp"

namespace bench {
namespace {

// One post of the outside thread; `arrived` is written by the pool and read when the flag is up.
struct Letter {
  Clock::time_point arrived;
  std::atomic<bool> here{false};
};

void Receive(void* argument) {
  auto* letter = static_cast<Letter*>(argument);
  letter->arrived = Clock::now();
  letter->here.store(true, std::memory_order_release);
}

std::vector<double> Deliver(const Post& post, std::size_t count, std::chrono::microseconds gap) {
  std::vector<double> times(count);
  for (double& time : times) {
    std::this_thread::sleep_for(gap);
    Letter letter;
    const auto start = Clock::now();
    post(Receive, &letter);
    // Sleeping instead of spinning leaves the core to the pool.
    while (!letter.here.load(std::memory_order_acquire)) std::this_thread::sleep_for(gap / 10);
    time = std::chrono::duration<double, std::micro>(letter.arrived - start).count();
  }
  std::sort(times.begin(), times.end());
  return times;
}

// Keeps every worker busy: each of its tasks burns 10 us and posts itself again.
class Load {
 public:
  Load(const Post& post, int workers) : post_(post), running_(2 * workers) {
    for (int i = 2 * workers; i > 0; --i) post_(Turn, this);
  }
  ~Load() {
    stop_ = true;
    while (running_ != 0) std::this_thread::yield();
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

 private:
  static void Turn(void* argument) {
    auto* load = static_cast<Load*>(argument);
    const auto start = Clock::now();
    while (NanosSince(start) < 1e4) continue;
    if (load->stop_) {
      --load->running_;
    } else {
      load->post_(Turn, argument);
    }
  }

  const Post& post_;
  std::atomic<bool> stop_{false};
  std::atomic<int> running_;
};

}  // namespace

Sampler SpawnLatency(const Setup& setup, Post post) {
  return [=] {
    const auto count = static_cast<std::size_t>(std::max<std::int64_t>(setup.min_time.count() * 3, 10));
    const Costs costs;
    const auto idle = Deliver(post, count, std::chrono::milliseconds(1));
    Sample sample = costs.Since(static_cast<double>(count));
    const Load load(post, setup.workers);
    const auto busy = Deliver(post, count, std::chrono::microseconds(200));
    sample.metrics = {{"_idle_p50", Percentile(idle, 0.5), "us"},
                      {"_idle_p99", Percentile(idle, 0.99), "us"},
                      {"_busy_p50", Percentile(busy, 0.5), "us"},
                      {"_busy_p99", Percentile(busy, 0.99), "us"}};
    return sample;
  };
}

}  // namespace bench
