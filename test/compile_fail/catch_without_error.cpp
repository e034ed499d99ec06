// EXPECT: Catch: the work must be callable as fn(const Error&) or fn(Context&, const Error&)
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Task<int>& task) {
  return orchestrate::Catch(task, [] { return 1; });
}
