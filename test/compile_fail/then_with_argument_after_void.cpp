// EXPECT: After: the work must be callable as fn(value) or fn(Context&, value)
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Task<void>& task) {
  return task.Then([](int number) { return number; });
}
