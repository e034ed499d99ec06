#include <test/model/engine/arena.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace orchestrate::model {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{8} * 1024 * 1024;

alignas(64) constinit char g_arena[kArenaBytes];
constinit std::size_t g_used = 0;
constinit bool g_in_program = false;

bool IsOfArena(const void* memory) noexcept {
  return memory >= static_cast<void*>(g_arena) && memory < static_cast<void*>(g_arena + kArenaBytes);
}

void* Allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (!g_in_program) return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  const std::size_t begin = (g_used + alignment - 1) / alignment * alignment;
  if (bytes > kArenaBytes - begin) return nullptr;
  g_used = begin + bytes;
  return g_arena + begin;
}

void* AllocateOrThrow(std::size_t bytes, std::size_t alignment) {
  void* const memory = Allocate(bytes, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Free(void* memory) noexcept {
  if (!IsOfArena(memory)) std::free(memory);
}

}  // namespace

void EmptyArena() noexcept { g_used = 0; }

EngineScope::EngineScope() noexcept : before_(std::exchange(g_in_program, false)) {}
EngineScope::~EngineScope() { g_in_program = before_; }
ProgramScope::ProgramScope() noexcept : before_(std::exchange(g_in_program, true)) {}
ProgramScope::~ProgramScope() { g_in_program = before_; }

}  // namespace orchestrate::model

namespace model = orchestrate::model;

void* operator new(std::size_t bytes) { return model::AllocateOrThrow(bytes, 16); }
void* operator new[](std::size_t bytes) { return model::AllocateOrThrow(bytes, 16); }
void* operator new(std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return model::Allocate(bytes, 16);
}
void* operator new[](std::size_t bytes, const std::nothrow_t& /*tag*/) noexcept {
  return model::Allocate(bytes, 16);
}
void* operator new(std::size_t bytes, std::align_val_t at) {
  return model::AllocateOrThrow(bytes, static_cast<std::size_t>(at));
}
void* operator new[](std::size_t bytes, std::align_val_t at) {
  return model::AllocateOrThrow(bytes, static_cast<std::size_t>(at));
}
void operator delete(void* memory) noexcept { model::Free(memory); }
void operator delete[](void* memory) noexcept { model::Free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/) noexcept { model::Free(memory); }
void operator delete[](void* memory, std::size_t /*bytes*/) noexcept { model::Free(memory); }
void operator delete(void* memory, std::align_val_t /*at*/) noexcept { model::Free(memory); }
void operator delete[](void* memory, std::align_val_t /*at*/) noexcept { model::Free(memory); }
void operator delete(void* memory, std::size_t /*bytes*/, std::align_val_t /*at*/) noexcept {
  model::Free(memory);
}
void operator delete[](void* memory, std::size_t /*bytes*/, std::align_val_t /*at*/) noexcept {
  model::Free(memory);
}
