// The race of planted_task.cpp mended: the second task increments after the first one's outcome.
#include <atomic>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>

int main() {
  orchestrate::Runtime runtime(2);
  int number = 0;
  std::atomic<int> here{0};
  const auto meet = [&here] {  // on two threads, and relaxed: the handshake orders nothing
    here.fetch_add(1, std::memory_order_relaxed);
    while (here.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
  };
  const auto first = orchestrate::NewTask([&number, &meet] {
    meet();
    return ++number;
  });
  const auto second = orchestrate::NewTask([&number, &meet, first] {
    meet();
    return first.Outcome().ValueOr(0) + ++number;
  });
  if (orchestrate::InvokeAll(runtime.Background(), 2, std::vector{first, second}).Wait()) return 1;
  return number == 2 && second.Outcome().ValueOr(0) == 3 ? 0 : 1;
}
