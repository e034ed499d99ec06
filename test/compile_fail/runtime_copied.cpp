// EXPECT: deleted
#include <orchestrate/exec/runtime.hpp>

orchestrate::Runtime Refused(orchestrate::Runtime& runtime) { return runtime; }
