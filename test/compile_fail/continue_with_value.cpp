// EXPECT: ContinueWith: the work must be callable as fn(Result<T>) or fn(Context&, Result<T>)
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Task<int>& task) {
  return orchestrate::ContinueWith(task, [](const char* text) { return text; });
}
