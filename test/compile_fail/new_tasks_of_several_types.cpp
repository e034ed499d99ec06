// EXPECT: NewTasks: all work must yield the same type
#include <orchestrate/task/after.hpp>

auto refused = orchestrate::NewTasks([] { return 1; }, [] { return 2.0; });
