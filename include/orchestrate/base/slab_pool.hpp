#pragma once

#include <cstddef>
#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::detail {

/// Shows what the block pool of the process holds; a snapshot, exact while no other thread uses it.
struct PoolStats {
  std::size_t live_blocks = 0;     ///< Handed out and not freed, of any size.
  std::size_t slabs_in_use = 0;    ///< Slabs that hold live blocks or belong to a thread.
  std::size_t resident_slabs = 0;  ///< Those, and the empty ones kept for the next need.
  std::size_t slab_bytes = 0;      ///< Bytes of a slab.
  std::size_t bytes_reserved = 0;  ///< Address space taken from the system.
};

/// Allocates a block of at least `bytes`, aligned to 64.
///
/// Up to 2048 bytes come from the slabs of the calling thread, above that from `operator new`.
///
/// **Errors**: `std::bad_alloc`; nothing has changed then.
/// @par Thread safety  Any thread, also while its thread_locals or the statics are destroyed.
/// @par Complexity     About 2 ns; every few hundred blocks a lock, every few thousand a system call.
[[nodiscard]] ORCHESTRATE_API void* AllocateBlock(std::size_t bytes);

/// Frees a block from `AllocateBlock(bytes)` on any thread.
///
/// Blocks of a slab that another thread allocates from are collected and handed back 32 at a time, so a
/// thread keeps at most 8 * 31 of them until it frees more, ends, or calls `ReturnStrayBlocks`.
ORCHESTRATE_API void FreeBlock(void* block, std::size_t bytes) noexcept;

/// Hands the freed blocks that this thread has collected for others back; cheap, for a thread about to idle.
ORCHESTRATE_API void ReturnStrayBlocks() noexcept;

/// Gives the memory of all empty slabs of this thread and of the process back to the system.
ORCHESTRATE_API void TrimBlocks() noexcept;

/// Gives the memory of those slabs back that stayed empty since the last call; meant for about once a second.
ORCHESTRATE_API void DropUnusedSlabs() noexcept;

/// Sets how many empty slabs the process keeps at most for the next need; 256 MiB of them by default.
ORCHESTRATE_API void SetPoolWatermark(std::size_t slabs) noexcept;

/// Reads the pool's counters.
[[nodiscard]] ORCHESTRATE_API PoolStats Stats() noexcept;

/// Takes the pool's locks before a fork, so that the child finds it consistent.
void LockPoolForFork() noexcept;

/// Releases them in the parent and in the child.
void UnlockPoolAfterFork() noexcept;

}  // namespace orchestrate::inline v1::detail
