#include "format.hpp"

#include <algorithm>
#include <cstdio>

namespace checksum_tree {
namespace {

constexpr std::string_view kEscapedBySha256sum = "\\\n\r";

void AppendHex(std::string& text, const std::array<unsigned char, 32>& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
}

double Seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

std::string Printed(const char* format, double number) {
  char text[64];
  const int length = std::snprintf(text, sizeof text, format, number);
  return {text, static_cast<std::size_t>(std::clamp(length, 0, 63))};
}

std::string FormatMegabytes(double bytes) { return Printed("%.1f MB", bytes / 1e6); }

}  // namespace

void AppendSumLine(std::string& text, const File& file) {
  // A backslash before the digest says that the name is escaped.
  const bool plain = file.path.find_first_of(kEscapedBySha256sum) == std::string::npos;
  if (!plain) text += '\\';
  AppendHex(text, file.digest);
  text += "  ";
  text += plain ? std::string_view(file.path) : std::string_view(Escaped(file.path));
  text += '\n';
}

std::string Escaped(std::string_view path) {
  std::string text;
  for (const char c : path) {
    switch (c) {
      case '\\':
        text += "\\\\";
        break;
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      default:
        text += c;
    }
  }
  return text;
}

std::string FormatAmount(std::uint64_t files, std::uint64_t bytes) {
  return std::to_string(files) + (files == 1 ? " file, " : " files, ") +
         FormatMegabytes(static_cast<double>(bytes));
}

std::string FormatRate(std::uint64_t bytes, std::chrono::nanoseconds time) {
  const double seconds = Seconds(time);
  return FormatMegabytes(seconds > 0 ? static_cast<double>(bytes) / seconds : 0) + "/s";
}

std::string FormatTime(std::chrono::nanoseconds time) { return Printed("%.3f s", Seconds(time)); }

}  // namespace checksum_tree
