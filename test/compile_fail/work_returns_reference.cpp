// EXPECT: a task cannot yield a reference: return a value, a pointer or std::reference_wrapper
#include <orchestrate/task/after.hpp>

int number = 0;
auto refused = orchestrate::Invoke([]() -> int& { return number; });
