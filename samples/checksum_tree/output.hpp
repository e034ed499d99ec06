#pragma once

#include <sys/stat.h>

#include <string>

#include <orchestrate/base/result.hpp>

#include "descriptor.hpp"
#include "tree.hpp"

namespace checksum_tree {

/// Opens those of the descriptors 0 to 2 that are closed, for reading only.
///
/// Otherwise the next file that is opened gets such a number, and messages end up in it.
void OccupyStandardDescriptors();

/// Is where the digests go: standard output, a device, or a file that appears complete or not at all.
class Output {
 public:
  /// Finds out whether `path` ("-" = standard output) can be written, so that nothing is digested in vain.
  static orchestrate::Result<Output> Open(const std::string& path);

  /// Writes the digested files of `tree` by path, in the format of sha256sum.
  ///
  /// A file is written beside its place and renamed: readers see the old or the new one, never a part. It is
  /// not synced to the disk; whoever fears power cuts does that afterwards.
  [[nodiscard]] orchestrate::Error Write(const Tree& tree);

  /// Returns what identifies the output, so that it does not digest itself.
  [[nodiscard]] const struct stat& Status() const noexcept { return status_; }

 private:
  Output() = default;
  orchestrate::Error OpenStandardOutput();
  orchestrate::Error OpenFile(const std::string& path);
  [[nodiscard]] orchestrate::Error WriteAndRename(const Tree& tree) const;

  std::string name_;  // what sentences call it
  std::string path_;  // a file that is replaced; empty = write to descriptor_
  Descriptor descriptor_;
  struct stat status_ {};
};

}  // namespace checksum_tree
