#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <orchestrate/exec/runtime.hpp>
#include "exec/cpu_quota.hpp"

namespace orchestrate::inline v1 {
namespace {

// A missing file reads as an empty one.
std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What `folder` and those above it up to and including `mount` allow.
template <class QuotaOf>
std::size_t SmallestQuota(const detail::CgroupFolder& folder, QuotaOf quota_of) {
  std::string path = folder.mount + folder.below;
  std::size_t smallest = 0;
  for (;;) {
    const std::size_t quota = quota_of(path);
    if (quota != 0) smallest = smallest == 0 ? quota : std::min(smallest, quota);
    if (path.size() <= folder.mount.size()) return smallest;
    path.resize(std::max(folder.mount.size(), path.rfind('/')));
  }
}

}  // namespace

bool detail::HasSeveralCpus() noexcept {
  // Without a guard, in which a fork could meet another thread: two that find it out at once do no harm.
  enum : int { kUnknown, kOne, kSeveral };
  static constinit std::atomic<int> known{kUnknown};
  int found = known.load(std::memory_order_relaxed);
  if (found == kUnknown) {
    found = AvailableCpus() > 1 ? kSeveral : kOne;
    known.store(found, std::memory_order_relaxed);
  }
  return found == kSeveral;
}

std::size_t detail::CgroupCpus(const std::string& root) {
  const std::string cgroups = ReadFile(root + "/proc/self/cgroup");
  const std::string mounts = ReadFile(root + "/proc/self/mountinfo");
  std::size_t cpus = 0;
  const auto take = [&cpus](std::size_t quota) {
    if (quota != 0) cpus = cpus == 0 ? quota : std::min(cpus, quota);
  };
  if (auto folder = FindCgroup(cgroups, mounts, CgroupVersion::V2)) {
    folder->mount.insert(0, root);
    take(SmallestQuota(*folder,
                       [](const std::string& path) { return ParseCpuMax(ReadFile(path + "/cpu.max")); }));
  }
  if (auto folder = FindCgroup(cgroups, mounts, CgroupVersion::V1)) {
    folder->mount.insert(0, root);
    take(SmallestQuota(*folder, [](const std::string& path) {
      return ParseCfsQuota(ReadFile(path + "/cpu.cfs_quota_us"), ReadFile(path + "/cpu.cfs_period_us"));
    }));
  }
  return cpus;
}

std::size_t AvailableCpus() noexcept {
  const int before = errno;  // the user's: a wait may ask this, too
  std::size_t cpus = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = static_cast<std::size_t>(CPU_COUNT(&set));
  try {
    const std::size_t quota = detail::CgroupCpus("");
    if (quota != 0) cpus = std::min(cpus, quota);
  } catch (...) {  // out of memory: as if there were no quota
  }
  errno = before;
  return std::max<std::size_t>(1, cpus);
}

}  // namespace orchestrate::inline v1
