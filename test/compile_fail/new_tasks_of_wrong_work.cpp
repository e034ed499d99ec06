// EXPECT: NewTasks: the work must be callable as fn() or fn(Context&)
#include <orchestrate/task/after.hpp>

auto refused = orchestrate::NewTasks([] { return 1; }, [](int number) { return number; });
