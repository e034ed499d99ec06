// The owner writes the item after it has published it: the deque orders what comes before the push, not this.
#include <thread>
#include "base/work_stealing_deque.hpp"

int main() {
  int item = 0;
  orchestrate::detail::WorkStealingDeque<int*> deque;
  std::thread thief([&deque] {
    int* stolen = nullptr;
    while (stolen == nullptr) stolen = deque.Steal();
    *stolen += 1;
  });
  if (!deque.Push(&item)) return 1;
  item = 41;
  thief.join();
  return 0;
}
