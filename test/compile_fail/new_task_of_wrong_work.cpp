// EXPECT: NewTask: the work must be callable as fn() or fn(Context&)
#include <orchestrate/task/after.hpp>

auto refused = orchestrate::NewTask([](int number) { return number; });
