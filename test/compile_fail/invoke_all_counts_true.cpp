// EXPECT: before tasks stands how many may run at once
#include <orchestrate/flow/invoke_all.hpp>

auto Refused(const orchestrate::Context& context, const std::vector<orchestrate::Task<int>>& tasks) {
  return orchestrate::InvokeAll(context, true, tasks);
}
