// EXPECT: InvokeAll: the work must be callable as fn() or fn(Context&)
#include <orchestrate/flow/invoke_all.hpp>

auto Refused(const orchestrate::Context& context) {
  return orchestrate::InvokeAll(
      context, [] { return 1; }, [](int number) { return number; });
}
