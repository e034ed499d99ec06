// EXPECT: a task cannot yield a reference: return a value, a pointer or std::reference_wrapper
#include <orchestrate/task/task.hpp>

orchestrate::Task<int&> refused;
