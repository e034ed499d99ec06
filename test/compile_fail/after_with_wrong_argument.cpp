// EXPECT: After: the work must be callable as fn(value) or fn(Context&, value)
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Task<const char*>& task) {
  return orchestrate::After(task, [](int number) { return number; });
}
