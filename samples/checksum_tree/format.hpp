#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "tree.hpp"

namespace checksum_tree {

/// Appends the line of a digested file, byte for byte what sha256sum prints.
void AppendSumLine(std::string& text, const File& file);

/// Returns `path` with backslash, newline and carriage return escaped, so that it stays on one line.
std::string Escaped(std::string_view path);

/// Returns "3 files, 1.2 MB".
std::string FormatAmount(std::uint64_t files, std::uint64_t bytes);

/// Returns "7.3 MB/s".
std::string FormatRate(std::uint64_t bytes, std::chrono::nanoseconds time);

/// Returns "0.123 s".
std::string FormatTime(std::chrono::nanoseconds time);

}  // namespace checksum_tree
