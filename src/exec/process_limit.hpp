#pragma once

#include <cstddef>

#include <orchestrate/base/error.hpp>

namespace orchestrate::inline v1::detail {

// The one control of oneTBB's threads in this process: one for the main thread and one for each slot of each
// runtime that is up. oneTBB takes the minimum of all controls, so each runtime cannot have its own.
struct ProcessLimit {
  static Error Add(std::size_t slots) noexcept;
  static void Remove(std::size_t slots) noexcept;
  // How many threads are wanted.
  [[nodiscard]] static std::size_t Wanted() noexcept;
  [[nodiscard]] static bool InUse() noexcept;
  static void LockForFork() noexcept;
  static void UnlockAfterFork() noexcept;

  // oneTBB could not make a thread: from now on it must not be finalized, which would wait for ever.
  static void NoteNoThread() noexcept;
};

// Makes the child of a fork know what it is.
void WatchForks() noexcept;

}  // namespace orchestrate::inline v1::detail
