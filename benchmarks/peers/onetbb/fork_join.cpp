// Fork/join in oneTBB: a task_group for each join, whose caller does the last child itself.
#include <functional>
#include <vector>

#include "../../common/workloads.hpp"
#include "arena.hpp"

namespace bench {
namespace {

struct Way {
  template <typename First, typename Second>
  void Both(const First& first, const Second& second) {
    tbb::task_group children;
    children.run([this, &second] { second(*this); });
    first(*this);
    children.wait();
  }
  template <typename A, typename B, typename C, typename D>
  void Four(const A& a, const B& b, const C& c, const D& d) {
    tbb::task_group children;
    children.run([this, &b] { b(*this); });
    children.run([this, &c] { c(*this); });
    children.run([this, &d] { d(*this); });
    a(*this);
    children.wait();
  }
  template <typename Child>
  long Sum(int count, const Child& child) {
    long sums[16] = {};
    tbb::task_group children;
    for (int i = 1; i < count; ++i) {
      children.run([this, &child, &sums, i] { sums[i] = child(*this, i); });
    }
    sums[0] = child(*this, 0);
    children.wait();
    long sum = 0;
    for (int i = 0; i < count; ++i) sum += sums[i];
    return sum;
  }
};

template <typename Body>
Sampler Program(const Setup& setup, Per per, Body body) {
  return LoopInside(setup, per, [body](std::size_t n) {
    Way way;
    while (n-- > 0) body(way);
  });
}

const auto kFibBody = [](Way& way) { Require(Fib(way, kFib) == 2178309, "fib"); };

const Case kFibScope("fib_scope", "task_group",
                     [](const Setup& setup) { return Program(setup, NsPer(kFibForks), kFibBody); });
const Case kFibHandles("fib_handles", "task_group",
                       [](const Setup& setup) { return Program(setup, NsPer(kFibForks), kFibBody); });
const Case kSkynet("skynet", "task_group", [](const Setup& setup) {
  return Program(setup, kMsPerCall,
                 [](Way& way) { Require(Skynet(way, 0, kSkynetLeaves) == kSkynetSum, "skynet"); });
});
const Case kQueensCase("nqueens", "task_group", [](const Setup& setup) {
  return Program(setup, kMsPerCall,
                 [](Way& way) { Require(Queens(way, Board{}, 0) == kQueensWays, "nqueens"); });
});
const Case kMatmul("matmul", "task_group", [](const Setup& setup) {
  return Program(setup, kMsPerCall, [matrices = std::make_shared<Matrices>()](Way& way) {
    matrices->Run(way);
    Require(matrices->IsRight(), "matmul");
  });
});

}  // namespace
}  // namespace bench
