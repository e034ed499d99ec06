// EXPECT: Task<Error>: work that returns Error is a Task<void>
#include <orchestrate/task/task.hpp>

orchestrate::Task<orchestrate::Error> refused;
