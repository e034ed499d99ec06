// What does fork/join cost, a fork? Beside it: oneTBB's task_group, and the same programs without any forks.
#include <orchestrate/task/fork_join.hpp>
#include <orchestrate/task/parallel.hpp>

#include "../common/workloads.hpp"
#include "pool.hpp"

namespace bench {
namespace {

using orchestrate::Fork;

struct Way {
  Fork& fork;

  template <typename First, typename Second>
  void Both(const First& first, const Second& second) {
    fork.Join([&first](Fork& own) { Call(own, first); }, [&second](Fork& own) { Call(own, second); });
  }
  template <typename A, typename B, typename C, typename D>
  void Four(const A& a, const B& b, const C& c, const D& d) {
    fork.Join([&a](Fork& own) { Call(own, a); }, [&b](Fork& own) { Call(own, b); },
              [&c](Fork& own) { Call(own, c); }, [&d](Fork& own) { Call(own, d); });
  }
  template <typename Child>
  long Sum(int count, const Child& child) {
    const auto map = [&child](Fork& own, int i) {
      Way way{own};
      return child(way, i);
    };
    return orchestrate::ParallelReduce(fork, 0, count, 0L, map, [](long a, long b) { return a + b; });
  }

  template <typename Child>
  static void Call(Fork& own, const Child& child) {
    Way way{own};
    child(way);
  }
};

template <typename Body>
auto InRegion(const Pool& pool, const Body& body) {
  return orchestrate::ForkJoin(pool.background,
                               [&body](Fork& fork) {
                                 Way way{fork};
                                 return body(way);
                               })
      .Value();
}

const Case kFibScope("fib_scope", "", [](const Setup& setup) {
  return LoopOutside(setup, NsPer(kFibForks), [](const Pool& pool) {
    Require(InRegion(pool, [](Way& way) { return Fib(way, kFib); }) == 2178309, "fib");
  });
});

const Case kSkynet("skynet", "", [](const Setup& setup) {
  return LoopOutside(setup, kMsPerCall, [](const Pool& pool) {
    Require(InRegion(pool, [](Way& way) { return Skynet(way, 0, kSkynetLeaves); }) == kSkynetSum, "skynet");
  });
});

const Case kQueensCase("nqueens", "", [](const Setup& setup) {
  return LoopOutside(setup, kMsPerCall, [](const Pool& pool) {
    Require(InRegion(pool, [](Way& way) { return Queens(way, Board{}, 0); }) == kQueensWays, "nqueens");
  });
});

const Case kMatmul("matmul", "", [](const Setup& setup) {
  return LoopOutside(setup, kMsPerCall, [matrices = std::make_shared<Matrices>()](const Pool& pool) {
    InRegion(pool, [&matrices](Way& way) { return matrices->Run(way), 0; });
    Require(matrices->IsRight(), "matmul");
  });
});

long FibOfTasks(orchestrate::Context& context, int n) {
  if (n < 2) return n;
  const auto first =
      orchestrate::Invoke(context, [n](orchestrate::Context& own) { return FibOfTasks(own, n - 1); });
  const long second = FibOfTasks(context, n - 2);
  return first.Get() + second;
}

// The same with a handle for every child.
const Case kFibHandles("fib_handles", "", [](const Setup& setup) {
  return LoopOutside(setup, NsPer(kFibForks), [](const Pool& pool) {
    const auto task = orchestrate::Invoke(
        pool.background, [](orchestrate::Context& context) { return FibOfTasks(context, kFib); });
    Require(task.Get() == 2178309, "fib");
  });
});

long Nest(orchestrate::Context& context, int depth) {
  if (depth == 0) return 0;
  const auto next =
      orchestrate::Invoke(context, [depth](orchestrate::Context& own) { return Nest(own, depth - 1); });
  return *next.Outcome() + 1;
}

// What does a level cost of tasks that each wait for the next? No peer does this without a deadlock.
constexpr int kDepth = 100'000;
const Case kNested("nested_wait", "", [](const Setup& setup) {
  return LoopOutside(setup, NsPer(kDepth), [](const Pool& pool) {
    const auto task = orchestrate::Invoke(
        pool.background, [](orchestrate::Context& context) { return Nest(context, kDepth); });
    Require(task.Get() == kDepth, "nested_wait");
  });
});

}  // namespace
}  // namespace bench
