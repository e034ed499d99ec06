#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include <orchestrate/base/result.hpp>

namespace checksum_tree {

/// What the command line asks for.
struct Options {
  std::string directory = "/usr/include";
  std::size_t jobs;                        ///< Files that are open at a time.
  std::optional<double> files_per_second;  ///< None = as many as go.
  std::optional<std::chrono::milliseconds> timeout;
  std::string output = "-";  ///< "-" = standard output.
  enum class Action : unsigned char { Digest, ShowHelp } action = Action::Digest;

  Options();
};

/// Reads the command line; an error is one sentence that names the option, its value and the limit.
orchestrate::Result<Options> ParseOptions(int argc, char** argv);

/// Returns what `--help` prints.
std::string HelpText();

}  // namespace checksum_tree
