// EXPECT: Result<Error>: an Error is a failure, not a value; use Error alone or Result<void>
#include <orchestrate/base/result.hpp>

orchestrate::Result<orchestrate::Error> Refused();
auto refused = Refused();
