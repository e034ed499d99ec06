// EXPECT: Finally: the work must be callable as fn() or fn(Context&)
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Task<int>& task) {
  return orchestrate::Finally(task, [](int) {});
}
