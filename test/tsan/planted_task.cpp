// Two tasks of one InvokeAll increment a plain number: running together orders nothing between them.
#include <atomic>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>

int main() {
  orchestrate::Runtime runtime(2);
  volatile int number = 0;
  std::atomic<int> here{0};
  std::vector<orchestrate::Task<void>> tasks;
  for (int i = 0; i < 2; ++i) {
    tasks.push_back(orchestrate::NewTask([&number, &here] {
      // On two threads, and relaxed: the handshake orders nothing either.
      here.fetch_add(1, std::memory_order_relaxed);
      while (here.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      // Often: two accesses at the very same moment can hide each other from ThreadSanitizer.
      for (int k = 0; k < 1000; ++k) number = number + 1;
    }));
  }
  return orchestrate::InvokeAll(runtime.Background(), 2, tasks).Wait() ? 1 : 0;
}
