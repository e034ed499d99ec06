#pragma once

#include <chrono>
#include <mutex>
#include <vector>

#include <orchestrate/flow/sleep.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {

using Times = std::vector<Nanoseconds>;

// Over each width: runs in virtual time, notes when the calls came.
class NotedCalls : public InVirtualTime {
 protected:
  // An action that notes its time and then takes `length` of it.
  auto Noting(Nanoseconds length = Nanoseconds::zero()) {
    return [this, length](Context& own) {
      Note();
      return length > Nanoseconds::zero() ? Sleep(own, length).Wait() : Error();
    };
  }
  void Note() {
    const std::lock_guard lock(mutex_);
    calls_.push_back(Elapsed());
  }
  [[nodiscard]] Times Calls() {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  std::mutex mutex_;
  Times calls_;  // under mutex_
};

}  // namespace orchestrate::test
