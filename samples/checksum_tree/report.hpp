#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <orchestrate/orchestrate.hpp>

#include "digest.hpp"
#include "tree.hpp"

namespace checksum_tree {

/// Prints `sentence` on standard error, after the program's name.
void Say(const std::string& sentence);

/// Tells on standard error how far the work is: as a bar on a terminal, else as a line a second.
class Heartbeat {
 public:
  explicit Heartbeat(const Traffic& traffic);

  /// Says how many files and bytes have been read, and how fast since the last beat; a bar says it already.
  void Beat();

  /// Shows how many files have been tried, if there is a bar.
  void Show(const orchestrate::Progress& progress);

  /// Says how much was done in how much time, and ends the bar.
  void Finish();

 private:
  using Clock = std::chrono::steady_clock;
  const Traffic& traffic_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
  std::uint64_t last_bytes_ = 0;
  std::optional<orchestrate::ProgressBar> bar_;
};

/// Counts the files of a tree by what became of them.
struct Counts {
  std::size_t digested = 0;
  std::size_t pending = 0;
  std::size_t errors = 0;  ///< Files and directories.
};

/// Lists every error of `tree` by path, and counts.
Counts ReportErrors(const Tree& tree);

}  // namespace checksum_tree
