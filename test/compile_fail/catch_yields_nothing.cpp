// EXPECT: Catch: the work must return what the task yields, or an Error, a Result or a Task of it
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Task<int>& task) {
  return orchestrate::Catch(task, [](const orchestrate::Error&) {});
}
