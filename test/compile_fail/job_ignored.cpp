// EXPECT: Job: keep the handle to learn how it ends, or cast to void
#include <orchestrate/flow/invoke_all.hpp>

void Refused(const std::vector<orchestrate::Task<int>>& tasks) { orchestrate::InvokeAll(2, tasks); }
