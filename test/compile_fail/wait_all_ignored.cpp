// EXPECT: ignoring return value of
#include <orchestrate/flow/wait.hpp>

void Refused(const std::vector<orchestrate::Task<int>>& tasks) { orchestrate::WaitAll(tasks); }
