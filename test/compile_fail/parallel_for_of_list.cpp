// EXPECT: a parallel loop needs integers or random-access iterators
#include <list>

#include <orchestrate/task/parallel.hpp>

auto Refused(const orchestrate::Context& context, std::list<int>& numbers) {
  return orchestrate::ParallelFor(context, numbers, [](int) {});
}
