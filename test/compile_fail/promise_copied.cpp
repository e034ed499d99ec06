// Only one may complete a task; whoever wants to know waits for the task.
// EXPECT: deleted
#include <orchestrate/task/promise.hpp>

orchestrate::Promise<int> Refused(orchestrate::Promise<int>& promise) { return promise; }
