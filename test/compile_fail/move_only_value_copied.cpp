// The value lives in the task: Take() moves it out, once.
// EXPECT: deleted
#include <orchestrate/task/after.hpp>

std::unique_ptr<int> Refused(const orchestrate::Task<std::unique_ptr<int>>& task) { return task.Get(); }
