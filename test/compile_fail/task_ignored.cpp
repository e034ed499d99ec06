// EXPECT: Task: keep the handle to learn how it ends, or cast to void
#include <orchestrate/task/after.hpp>

void Refused() {
  orchestrate::Invoke([] { return 1; });
}
