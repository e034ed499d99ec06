// EXPECT: Result: look whether it failed, or cast to void
#include <orchestrate/task/after.hpp>

void Refused(const orchestrate::Task<int>& task) { task.Outcome(); }
