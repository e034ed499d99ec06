// EXPECT: Promise::TrySet: the arguments must construct the task's value
#include <orchestrate/task/promise.hpp>

void Refused(orchestrate::Promise<void>& promise) { promise.TrySet(1); }
