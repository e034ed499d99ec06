#include <test/support/allocation_faults.hpp>

#include <cstdlib>

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

void* Allocate(std::size_t bytes) noexcept {
  return FailsNow() ? nullptr : std::malloc(bytes != 0 ? bytes : 1);
}

void* Allocate(std::size_t bytes, std::align_val_t at) noexcept {
  const auto alignment = static_cast<std::size_t>(at);
  return FailsNow() ? nullptr
                    : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void* OrThrow(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
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

}  // namespace orchestrate::test

namespace test = orchestrate::test;

void* operator new(std::size_t bytes) { return test::OrThrow(test::Allocate(bytes)); }
void* operator new[](std::size_t bytes) { return test::OrThrow(test::Allocate(bytes)); }
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return test::Allocate(bytes);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return test::Allocate(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t at) {
  return test::OrThrow(test::Allocate(bytes, at));
}
void* operator new[](std::size_t bytes, std::align_val_t at) {
  return test::OrThrow(test::Allocate(bytes, at));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t /*at*/) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t /*at*/) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*at*/) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t /*bytes*/, std::align_val_t /*at*/) noexcept {
  std::free(memory);
}
