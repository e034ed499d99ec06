#pragma once

#include <string>

#include <orchestrate/base/function.hpp>
#include <orchestrate/task/context.hpp>

#include "tree.hpp"

namespace checksum_tree {

/// Says why `path` cannot be listed as a directory; no error when it can.
orchestrate::Error CheckDirectory(const std::string& path);

/// Appends each regular file below `root` to `tree`, and then calls `found` with it.
///
/// A symbolic link is followed when it is `root` itself, not below. A directory that cannot be read becomes
/// an error in `tree`, and the walk goes on.
///
/// @return the error of `ctx` when that ended before everything was listed.
orchestrate::Error Walk(orchestrate::Context& ctx, const std::string& root, Tree& tree,
                        orchestrate::Function<void(File&)> found);

}  // namespace checksum_tree
