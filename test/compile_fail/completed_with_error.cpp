// EXPECT: Completed: an Error is no value; use Failed
#include <orchestrate/task/promise.hpp>

auto refused = orchestrate::Completed(orchestrate::Error());
