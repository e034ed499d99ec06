// EXPECT: a task's callable or value is over-aligned
#include <orchestrate/task/after.hpp>

struct alignas(128) Wide {
  int number;
};
auto refused = orchestrate::Invoke([] { return Wide{1}; });
