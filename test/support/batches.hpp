#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include <orchestrate/flow/sleep.hpp>
#include <test/support/virtual_time.hpp>

namespace orchestrate::test {

// Over each width, in virtual time: what the tests of InvokeAll hand to it.
class InvokeAllInVirtualTime : public InVirtualTime {
 protected:
  // Fails with `text` after `time`.
  static Task<void> FailingAfter(std::chrono::milliseconds time, const char* text) {
    return NewTask([time, text](Context& c) -> Error {
      if (Error error = Sleep(c, time).Wait()) return error;
      return {Errc::NotSupported, text};
    });
  }

  // Tasks that yield 0, 1, 2 …
  static std::vector<Task<int>> Numbers(int count) {
    std::vector<Task<int>> tasks;
    for (int i = 0; i < count; ++i) tasks.push_back(NewTask([i] { return i; }));
    return tasks;
  }

  static std::vector<std::size_t> IndicesOf(const Error& error) {
    std::vector<std::size_t> indices;
    for (const IndexedError& part : error.Parts()) indices.push_back(part.index);
    return indices;
  }
};

}  // namespace orchestrate::test
