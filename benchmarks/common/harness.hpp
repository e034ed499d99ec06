// The frame of a benchmark program: a table of cases, and the loop that answers tools/bench.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

/// One figure of a sample; `suffix` is appended to the id and empty when the id has one figure only.
struct Metric {
  std::string suffix;
  double value = 0;
  std::string unit;
};

/// What one request of the runner is answered with; allocations and bytes are per operation.
struct Sample {
  std::vector<Metric> metrics;
  double allocs = 0;
  double bytes = 0;
  double operations = 1;
};

/// What the runner asks for: the size of the pool, and how long a measurement lasts at least. To count
/// instructions it gives the calls of a loop instead, so that every run does the same.
struct Setup {
  int workers = 1;
  std::chrono::milliseconds min_time{60};
  std::size_t calls = 0;
};

/// Takes one sample. It owns what the case has set up, so a pool lives as long as its process.
using Sampler = std::function<Sample()>;

/// Registers a benchmark: `variant` names one of several ways of a peer, and is empty if there is one way.
class Case {
 public:
  Case(const char* id, const char* variant, Sampler (*make)(const Setup&));
};

/// Keeps a value, and what it was computed from, from being optimized away.
template <typename T>
void Keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

/// Ends the program when a result is wrong: its time would mean nothing.
void Require(bool is_right, const char* what);

/// Says which library and version the program measures, for the heading of the table.
///
/// Defined once by each program.
std::string About();

}  // namespace bench
