#pragma once

#include <latch>
#include <thread>
#include <vector>

namespace orchestrate::test {

// Calls body(0) to body(count - 1) on threads of their own that begin together, and waits for all.
template <class Body>
void RunThreads(int count, Body body) {
  std::latch start(count);
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&start, &body, i] {
      start.arrive_and_wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace orchestrate::test
