// Counts what the program takes from malloc (and with it operator new) and from anonymous mmap.
#pragma once

#include <cstdint>

namespace bench {

struct Allocated {
  std::uint64_t calls = 0;
  std::uint64_t bytes = 0;
};

/// Returns the totals over all threads since the start of the program.
Allocated TotalAllocated();

}  // namespace bench
