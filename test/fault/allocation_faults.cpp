#include <test/support/allocation_faults.hpp>

#include <cstdlib>

#include <test/support/replaced_new.hpp>

// The linker sends the library's calls of AllocateBlock() here (see CMakeLists.txt), and `new` is replaced.
namespace orchestrate::test {

void* RealAllocateBlock(std::size_t bytes) asm("__real__ZN11orchestrate2v16detail13AllocateBlockEm");
void* AllocateBlock(std::size_t bytes) asm("__wrap__ZN11orchestrate2v16detail13AllocateBlockEm");

namespace {

constinit thread_local bool t_armed = false;
constinit thread_local bool t_failed = false;
constinit thread_local std::size_t t_left = 0;

bool FailsNow() noexcept {
  if (!t_armed || t_left-- != 0) return false;
  t_armed = false;
  t_failed = true;
  return true;
}

}  // namespace

void* AllocateBlock(std::size_t bytes) {
  if (FailsNow()) throw std::bad_alloc();
  return RealAllocateBlock(bytes);
}

void FailAllocation(std::size_t number) noexcept {
  t_left = number;
  t_failed = false;
  t_armed = true;
}

bool StopFailing() noexcept {
  t_armed = false;
  return t_failed;
}

void* TakeMemory(std::size_t bytes, std::size_t alignment) noexcept {
  if (FailsNow()) return nullptr;
  return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void GiveMemory(void* memory) noexcept { std::free(memory); }

}  // namespace orchestrate::test
