// A Function may hold what can only be moved.
// EXPECT: deleted
#include <orchestrate/base/function.hpp>

orchestrate::Function<void()> Refused(orchestrate::Function<void()>& function) { return function; }
