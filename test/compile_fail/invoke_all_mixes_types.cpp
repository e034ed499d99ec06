// Tasks of several types have no range; the form that takes functions yields a tuple.
// EXPECT: no matching function for call to 'InvokeAll
#include <orchestrate/flow/invoke_all.hpp>

auto Refused(const orchestrate::Context& context, const orchestrate::Task<int>& a,
             const orchestrate::Task<void>& b) {
  return orchestrate::InvokeAll(context, 2, a, b);
}
