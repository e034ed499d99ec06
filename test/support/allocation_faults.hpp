#pragma once

#include <cstddef>
#include <new>

namespace orchestrate::test {

// Fails the allocation with this number, counted from 0, on the calling thread: `new` as well as the blocks
// of the library's pool. Only in the executable of test/fault.
void FailAllocation(std::size_t number) noexcept;

// Fails none any more; true when one was failed.
bool StopFailing() noexcept;

// Calls `attempt` with its first allocation failing, then with its second, until nothing fails any more, and
// `refused` after each that threw. Returns how many allocations there were.
template <class Attempt, class Refused>
std::size_t FailEachAllocation(Attempt attempt, Refused refused) {
  for (std::size_t number = 0;; ++number) {
    FailAllocation(number);
    bool threw = false;
    try {
      attempt();
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    if (!StopFailing()) return number;
    if (threw) refused();
  }
}

}  // namespace orchestrate::test
