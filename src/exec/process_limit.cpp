#include "process_limit.hpp"

#include <mutex>

#include <orchestrate/base/mutex.hpp>

#include "tbb_arena.h"

namespace orchestrate::inline v1::detail {
namespace {

constinit Mutex mutex;
constinit std::size_t total = 0;  // under mutex

}  // namespace

Error ProcessLimit::Add(std::size_t slots) noexcept {
  const std::lock_guard lock(mutex);
  if (orchestrate_arena_set_limit(1 + total + slots) == 0) {
    return {Errc::OutOfResources, "Runtime: oneTBB did not take a limit of threads"};
  }
  total += slots;
  return {};
}

void ProcessLimit::Remove(std::size_t slots) noexcept {
  const std::lock_guard lock(mutex);
  total -= slots;
  orchestrate_arena_set_limit(total == 0 ? 0 : 1 + total);
}

}  // namespace orchestrate::inline v1::detail
