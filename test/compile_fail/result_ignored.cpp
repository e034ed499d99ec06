// EXPECT: Result: look whether it failed, or cast to void
#include <orchestrate/base/result.hpp>

orchestrate::Result<int> Open();
void Refused() { Open(); }
