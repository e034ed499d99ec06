#pragma once

#include <cstddef>
#include <new>

// Replaces `new` and `delete` of the program; one of its files includes this and defines what they call.
namespace orchestrate::test {

// Null when there is none.
void* TakeMemory(std::size_t bytes, std::size_t alignment) noexcept;
void GiveMemory(void* memory) noexcept;

inline void* TakeMemoryOrThrow(std::size_t bytes, std::size_t alignment) {
  void* const memory = TakeMemory(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

inline constexpr std::size_t kNewAlignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace orchestrate::test

// NOLINTBEGIN(misc-definitions-in-headers): a program replaces them once
void* operator new(std::size_t bytes) {
  return orchestrate::test::TakeMemoryOrThrow(bytes, orchestrate::test::kNewAlignment);
}
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return orchestrate::test::TakeMemory(bytes, orchestrate::test::kNewAlignment);
}
void* operator new(std::size_t bytes, std::align_val_t at) {
  return orchestrate::test::TakeMemoryOrThrow(bytes, static_cast<std::size_t>(at));
}
void operator delete(void* memory) noexcept { orchestrate::test::GiveMemory(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { orchestrate::test::GiveMemory(memory); }
void operator delete(void* memory, std::align_val_t /*at*/) noexcept {
  orchestrate::test::GiveMemory(memory);
}
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*at*/) noexcept {
  orchestrate::test::GiveMemory(memory);
}
// NOLINTEND(misc-definitions-in-headers)
