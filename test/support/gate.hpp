#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <source_location>
#include <thread>

// Handshakes for tests: what would hang ends the test program with the line that waited.
namespace orchestrate::test {

// After this a case counts as hung. Long, for loaded machines and sanitizers.
inline constexpr std::chrono::seconds kPatience{20};

[[noreturn]] inline void FailAsHung(const char* what, std::source_location location) {
  std::fprintf(stderr, "%s:%u: %s after %lld s\n", location.file_name(),
               static_cast<unsigned>(location.line()), what, static_cast<long long>(kPatience.count()));
  std::abort();
}

// Opens once, after `count` calls of Open(), and stays open. A wait blocks the thread outside of the library,
// like work that listens to nothing. The destructor waits until those that wait have left.
class Gate {
 public:
  explicit Gate(int count = 1) : left_(count) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate() {
    std::unique_lock lock(mutex_);
    if (!left_alone_.wait_for(lock, kPatience, [this] { return waiting_ == 0; }))
      FailAsHung("a gate is destroyed and still shut", std::source_location::current());
  }

  void Open() {
    // Under the lock: the thread that is woken may destroy the gate as soon as it has the lock.
    const std::lock_guard lock(mutex_);
    if (--left_ <= 0) opened_.notify_all();
  }

  void Wait(std::source_location location = std::source_location::current()) {
    std::unique_lock lock(mutex_);
    ++waiting_;
    if (!opened_.wait_for(lock, kPatience, [this] { return left_ <= 0; }))
      FailAsHung("a gate is still shut", location);
    if (--waiting_ == 0) left_alone_.notify_all();
  }

  [[nodiscard]] bool IsOpen() {
    const std::lock_guard lock(mutex_);
    return left_ <= 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  std::condition_variable left_alone_;
  int left_;         // under mutex_: calls of Open()
  int waiting_ = 0;  // under mutex_
};

// Opens a gate at the end of a scope, so that a test that fails early does not hang in a destructor.
class OpenAtEnd {
 public:
  explicit OpenAtEnd(Gate& gate) : gate_(gate) {}
  OpenAtEnd(const OpenAtEnd&) = delete;
  OpenAtEnd& operator=(const OpenAtEnd&) = delete;
  ~OpenAtEnd() { gate_.Open(); }

 private:
  Gate& gate_;
};

// Looks again and again until `condition()` holds; false when it does not within kPatience.
template <class Condition>
[[nodiscard]] bool Eventually(Condition condition) {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

// Ends the program when the scope is not left in time: around a call that may block for ever.
class Watchdog {
 public:
  explicit Watchdog(std::chrono::seconds limit = kPatience,
                    std::source_location location = std::source_location::current())
      : thread_([this, limit, location] {
          std::unique_lock lock(mutex_);
          if (!changed_.wait_for(lock, limit, [this] { return left_; }))
            FailAsHung("still not done", location);
        }) {}
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      left_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool left_ = false;   // under mutex_
  std::thread thread_;  // last: it uses all of the above
};

// How long a stress test runs: ORCHESTRATE_STRESS_SECONDS, by default one second.
inline std::chrono::milliseconds StressTime() {
  const char* seconds = std::getenv("ORCHESTRATE_STRESS_SECONDS");      // NOLINT(concurrency-mt-unsafe)
  const double wanted = seconds != nullptr ? std::atof(seconds) : 1.0;  // NOLINT(cert-err34-c)
  return std::chrono::milliseconds(static_cast<std::int64_t>(wanted * 1000));
}

}  // namespace orchestrate::test
