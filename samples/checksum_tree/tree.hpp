#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <orchestrate/base/error.hpp>

namespace checksum_tree {

/// Where a file stands.
enum class FileState : unsigned char {
  Pending,   ///< Found, not digested.
  Digested,  ///< `digest` is set.
  Failed,    ///< `error` is set.
  Skipped    ///< Not a regular file any more, or the output itself.
};

/// A regular file that the walk has found. From then on it belongs to the one task that digests it.
struct File {
  std::string path;
  std::array<unsigned char, 32> digest{};
  orchestrate::Error error{};
  FileState state = FileState::Pending;
};

/// A directory that could not be read.
struct DirectoryError {
  std::string path;
  orchestrate::Error error;
};

/// All that the walk has found; only the walk appends, and references to files stay good.
struct Tree {
  std::deque<File> files;
  std::vector<DirectoryError> errors;
};

}  // namespace checksum_tree
