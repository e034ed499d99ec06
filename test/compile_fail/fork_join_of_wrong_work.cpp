// EXPECT: ForkJoin: each function must be callable as fn() or fn(Fork&)
#include <orchestrate/task/fork_join.hpp>

auto Refused(const orchestrate::Context& context) {
  return orchestrate::ForkJoin(context, [](int number) { return number; });
}
