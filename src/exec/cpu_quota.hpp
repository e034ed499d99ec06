#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::detail {

enum class CgroupVersion : std::uint8_t { V1, V2 };

// A control group of the process: its folder is `mount` + `below`; those in between are its ancestors.
struct CgroupFolder {
  std::string mount;
  std::string below;  // empty, or begins with a slash and does not end with one
};

// Gives the group whose quota counts for the process: that of the "cpu" controller in version 1.
//
// `cgroups` and `mounts` are /proc/self/cgroup and /proc/self/mountinfo; nothing when they name none.
ORCHESTRATE_API std::optional<CgroupFolder> FindCgroup(std::string_view cgroups, std::string_view mounts,
                                                       CgroupVersion version);

// How many CPUs a quota is worth, rounded up and at least 1; 0 for none, and for what cannot be read.
[[nodiscard]] ORCHESTRATE_API std::size_t ParseCpuMax(std::string_view cpu_max) noexcept;
[[nodiscard]] ORCHESTRATE_API std::size_t ParseCfsQuota(std::string_view quota_us,
                                                        std::string_view period_us) noexcept;

// Whether several threads of the process may run at the same time; looked at once.
[[nodiscard]] ORCHESTRATE_API bool HasSeveralCpus() noexcept;

// The least of all quotas that hold for the process, 0 for none. `root` stands before every path.
[[nodiscard]] ORCHESTRATE_API std::size_t CgroupCpus(const std::string& root);

}  // namespace orchestrate::inline v1::detail
