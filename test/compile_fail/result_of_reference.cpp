// EXPECT: Result<T&>: a result owns its value; use Result<T*> or a copy
#include <orchestrate/base/result.hpp>

orchestrate::Result<int&> Refused();
auto refused = Refused();
