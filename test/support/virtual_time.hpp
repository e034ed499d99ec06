#pragma once

#include <chrono>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {

struct HasClock {
  ManualClock clock_{ManualClock::Auto};
};

// A runtime as wide as the parameter says whose time jumps to the next timer when nothing else is left to do
// and the test waits.
class InVirtualTime : protected HasClock, public WithRuntime {
 protected:
  InVirtualTime() : WithRuntime(OnClock(RuntimeOptions(GetParam()))) {}

  // Lets the time pass with everything that happens in it.
  template <class Rep, class Period>
  void Pass(std::chrono::duration<Rep, Period> time) {
    const Error error = Sleep(ctx_.Shield(), time).Wait();
    ASSERT_FALSE(error) << error.Message();
  }

  [[nodiscard]] Nanoseconds Elapsed() const { return clock_.Elapsed(); }

 private:
  RuntimeOptions OnClock(RuntimeOptions options) {
    options.clock = &clock_;
    return options;
  }
};

}  // namespace orchestrate::test
