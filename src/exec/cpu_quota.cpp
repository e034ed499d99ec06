#include "exec/cpu_quota.hpp"

#include <algorithm>
#include <charconv>

namespace orchestrate::inline v1::detail {
namespace {

// Cuts the part before the next `separator`, or everything, off the front.
std::string_view Cut(std::string_view& text, char separator) noexcept {
  const auto end = std::min(text.find(separator), text.size());
  const std::string_view front = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return front;
}

bool Lists(std::string_view names, std::string_view wanted) noexcept {
  while (!names.empty()) {
    if (Cut(names, ',') == wanted) return true;
  }
  return false;
}

// A positive number and nothing else; 0 for all that is not.
std::int64_t Positive(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > 0 ? value : 0;
}

std::size_t Cpus(std::int64_t quota, std::int64_t period) noexcept {
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<std::size_t>(quota / period + (quota % period != 0 ? 1 : 0));
}

// The kernel writes blanks and the like as a backslash and three octal digits.
std::string Unescape(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    unsigned code = 0;
    const bool escaped = text.size() >= 4 && text[0] == '\\' &&
                         std::from_chars(text.data() + 1, text.data() + 4, code, 8).ptr == text.data() + 4;
    plain += escaped ? static_cast<char>(code) : text[0];
    text.remove_prefix(escaped ? 4 : 1);
  }
  return plain;
}

// The path in the line "0::path" (version 2) or "number:controllers:path".
std::optional<std::string_view> PathOf(std::string_view cgroups, CgroupVersion version) noexcept {
  while (!cgroups.empty()) {
    std::string_view line = Cut(cgroups, '\n');
    const std::string_view number = Cut(line, ':');
    const std::string_view controllers = Cut(line, ':');
    const bool wanted =
        version == CgroupVersion::V2 ? number == "0" && controllers.empty() : Lists(controllers, "cpu");
    if (wanted && line.starts_with('/')) return line;
  }
  return std::nullopt;
}

}  // namespace

// A line of mountinfo: number, parent, device, root, mount point, options, more fields, "-", type, source,
// options of the file system.
std::optional<CgroupFolder> FindCgroup(std::string_view cgroups, std::string_view mounts,
                                       CgroupVersion version) {
  const auto path = PathOf(cgroups, version);
  if (!path) return std::nullopt;
  while (!mounts.empty()) {
    std::string_view line = Cut(mounts, '\n');
    for (int skipped = 0; skipped < 3; ++skipped) Cut(line, ' ');
    std::string root = Unescape(Cut(line, ' '));
    std::string mount = Unescape(Cut(line, ' '));
    while (!line.empty() && Cut(line, ' ') != "-") {
    }
    const std::string_view type = Cut(line, ' ');
    Cut(line, ' ');
    const bool wanted =
        version == CgroupVersion::V2 ? type == "cgroup2" : type == "cgroup" && Lists(Cut(line, ' '), "cpu");
    if (!wanted || !mount.starts_with('/')) continue;
    // A container may see a part of the hierarchy only, which is mounted as its root; a path outside of it
    // begins with "/..".
    if (root == "/") root.clear();
    std::string_view below = *path;
    const bool inside = below.starts_with(root) && (below.size() == root.size() || below[root.size()] == '/');
    below = inside ? below.substr(root.size()) : std::string_view();
    while (below.ends_with('/')) below.remove_suffix(1);
    if (below.starts_with("/..")) below = {};
    return CgroupFolder{std::move(mount), std::string(below)};
  }
  return std::nullopt;
}

std::size_t ParseCpuMax(std::string_view cpu_max) noexcept {
  const std::int64_t quota = Positive(Cut(cpu_max, ' '));
  return Cpus(quota, Positive(cpu_max));
}

std::size_t ParseCfsQuota(std::string_view quota_us, std::string_view period_us) noexcept {
  return Cpus(Positive(quota_us), Positive(period_us));
}

}  // namespace orchestrate::inline v1::detail
