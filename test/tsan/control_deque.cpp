// The race of planted_deque.cpp mended: the write comes before the push.
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
  item = 41;
  if (!deque.Push(&item)) return 1;
  thief.join();
  return item == 42 ? 0 : 1;
}
