#include <test/model/engine/arena.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include <test/support/replaced_new.hpp>

namespace orchestrate::model {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{8} * 1024 * 1024;

alignas(64) constinit char g_arena[kArenaBytes];
constinit std::size_t g_used = 0;
constinit Side g_side = Side::Engine;

bool IsOfArena(const void* memory) noexcept {
  return memory >= static_cast<void*>(g_arena) && memory < static_cast<void*>(g_arena + kArenaBytes);
}

void* Allocate(std::size_t bytes, std::size_t alignment) noexcept {
  if (g_side == Side::Engine)
    return std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  const std::size_t begin = (g_used + alignment - 1) / alignment * alignment;
  if (bytes > kArenaBytes - begin) return nullptr;
  g_used = begin + bytes;
  return g_arena + begin;
}

}  // namespace

void EmptyArena() noexcept { g_used = 0; }

MemoryOf::MemoryOf(Side side) noexcept : before_(std::exchange(g_side, side)) {}
MemoryOf::~MemoryOf() { g_side = before_; }

}  // namespace orchestrate::model

void* orchestrate::test::TakeMemory(std::size_t bytes, std::size_t alignment) noexcept {
  return model::Allocate(bytes, alignment);
}

void orchestrate::test::GiveMemory(void* memory) noexcept {
  if (!model::IsOfArena(memory)) std::free(memory);
}
