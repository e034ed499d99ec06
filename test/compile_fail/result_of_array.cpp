// EXPECT: Result<T>: T must be void or an object type, and neither an array nor const
#include <orchestrate/base/result.hpp>

orchestrate::Result<int[2]> Refused();
auto refused = Refused();
