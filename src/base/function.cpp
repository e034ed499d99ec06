#include <orchestrate/base/error.hpp>
#include <orchestrate/base/function.hpp>

namespace orchestrate::inline v1::detail {

void ThrowEmptyFunction() { Error(Errc::InvalidArgument, "Function: called while empty").Rethrow(); }

}  // namespace orchestrate::inline v1::detail
