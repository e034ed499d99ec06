// The fork/join programs as plain recursion on one thread: what the forks are an addition to.
#include <memory>

#include "../../common/samplers.hpp"
#include "../../common/workloads.hpp"

namespace bench {

std::string About() { return std::string("plain recursion, g++ ") + __VERSION__; }

namespace {

struct Way {
  template <typename First, typename Second>
  void Both(const First& first, const Second& second) {
    first(*this);
    second(*this);
  }
  template <typename A, typename B, typename C, typename D>
  void Four(const A& a, const B& b, const C& c, const D& d) {
    a(*this), b(*this), c(*this), d(*this);
  }
  template <typename Child>
  long Sum(int count, const Child& child) {
    long sum = 0;
    for (int i = 0; i < count; ++i) sum += child(*this, i);
    return sum;
  }
};

template <typename Body>
Sampler Program(const Setup& setup, Per per, Body body) {
  return Loop(setup, per, [body](std::size_t n) {
    Way way;
    while (n-- > 0) body(way);
  });
}

const Case kFibScope("fib_scope", "", [](const Setup& setup) {
  return Program(setup, NsPer(kFibForks), [](Way& way) { Require(Fib(way, kFib) == 2178309, "fib"); });
});
const Case kSkynet("skynet", "", [](const Setup& setup) {
  return Program(setup, kMsPerCall,
                 [](Way& way) { Require(Skynet(way, 0, kSkynetLeaves) == kSkynetSum, "skynet"); });
});
const Case kQueensCase("nqueens", "", [](const Setup& setup) {
  return Program(setup, kMsPerCall,
                 [](Way& way) { Require(Queens(way, Board{}, 0) == kQueensWays, "nqueens"); });
});
const Case kMatmul("matmul", "", [](const Setup& setup) {
  return Program(setup, kMsPerCall, [matrices = std::make_shared<Matrices>()](Way& way) {
    matrices->Run(way);
    Require(matrices->IsRight(), "matmul");
  });
});

}  // namespace
}  // namespace bench
