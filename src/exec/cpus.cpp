#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include <orchestrate/exec/runtime.hpp>

namespace orchestrate::inline v1 {
namespace {

// How many CPUs a quota of `quota` microseconds in each `period` is worth, rounded up; 0 = no quota.
std::size_t QuotaCpus(const char* path, const char* format, const char* period_path) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return 0;
  long long quota = -1;
  long long period = -1;
  const int fields =
      std::fscanf(file, format, &quota, &period);  // NOLINT(cert-err34-c): checked by the range
  (void)std::fclose(file);
  if (period_path != nullptr) {
    file = std::fopen(period_path, "re");
    if (file == nullptr) return 0;
    if (std::fscanf(file, "%lld", &period) != 1) period = -1;  // NOLINT(cert-err34-c)
    (void)std::fclose(file);
  } else if (fields != 2) {
    return 0;  // "max"
  }
  if (quota <= 0 || period <= 0) return 0;
  return static_cast<std::size_t>((quota + period - 1) / period);
}

}  // namespace

std::size_t AvailableCpus() noexcept {
  std::size_t cpus = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = static_cast<std::size_t>(CPU_COUNT(&set));
  std::size_t quota = QuotaCpus("/sys/fs/cgroup/cpu.max", "%lld %lld", nullptr);
  if (quota == 0) {
    quota = QuotaCpus("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "%lld", "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  }
  if (quota != 0) cpus = std::min(cpus, quota);
  return std::max<std::size_t>(1, cpus);
}

}  // namespace orchestrate::inline v1
