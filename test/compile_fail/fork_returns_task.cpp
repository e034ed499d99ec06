// EXPECT: Fork: a child must not return a task; wait for it there
#include <orchestrate/task/fork_join.hpp>

auto Refused(orchestrate::Fork& fork, const orchestrate::Task<int>& task) {
  return fork.Join([] { return 1; }, [&task] { return task; });
}
