// The registration ends with its handle: dropped at once it would call nothing.
// EXPECT: ignoring return value of
#include <orchestrate/task/context.hpp>

void Refused(const orchestrate::Context& context) {
  context.OnDone([] {});
}
