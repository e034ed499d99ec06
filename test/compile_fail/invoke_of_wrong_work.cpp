// EXPECT: Invoke: the work must be callable as fn() or fn(Context&)
#include <orchestrate/task/after.hpp>

auto refused = orchestrate::Invoke([](int number) { return number; });
