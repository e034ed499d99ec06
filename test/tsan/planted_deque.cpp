// The owner writes the item after it has published it: the deque orders what comes before the push, not this.
#include <thread>
#include "base/work_stealing_deque.hpp"

int main() {
  volatile int item = 0;
  orchestrate::detail::WorkStealingDeque<volatile int*> deque;
  std::thread thief([&deque] {
    volatile int* stolen = nullptr;
    while (stolen == nullptr) stolen = deque.Steal();
    // Often: two accesses at the very same moment can hide each other from ThreadSanitizer.
    for (int k = 0; k < 1000; ++k) *stolen = *stolen + 1;
  });
  if (!deque.Push(&item)) return 1;
  for (int k = 0; k < 1000; ++k) item = 41;
  thief.join();
  return 0;
}
