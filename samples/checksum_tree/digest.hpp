#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>

#include <orchestrate/task/context.hpp>

#include "tree.hpp"

namespace checksum_tree {

/// Counts what has been read so far, for the heartbeat.
struct Traffic {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
};

/// Makes one attempt at digesting `file`, and sets its state by the outcome.
///
/// @param output  the file that the result goes to, which is skipped.
/// @return why the attempt failed. When `ctx` ended amid a long file, the file stays as it was.
orchestrate::Error DigestFile(const orchestrate::Context& ctx, File& file, const struct stat& output,
                              Traffic& traffic);

}  // namespace checksum_tree
