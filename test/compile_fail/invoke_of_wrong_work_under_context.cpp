// EXPECT: Invoke: the work must be callable as fn() or fn(Context&)
#include <orchestrate/task/after.hpp>

auto Refused(const orchestrate::Context& context) {
  return orchestrate::Invoke(context, [](const char*) { return 1; });
}
