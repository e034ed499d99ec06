#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>
#include "exec/cpu_quota.hpp"

// How many CPUs there are for this process, and what changes when there is one.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using detail::CgroupCpus;
using detail::CgroupVersion;
using detail::FindCgroup;
using detail::ParseCfsQuota;
using detail::ParseCpuMax;
using testing::ExitedWithCode;

TEST(CpuQuota, IsRoundedUpToWholeCpus) {
  EXPECT_EQ(ParseCpuMax("50000 100000\n"), 1U);
  EXPECT_EQ(ParseCpuMax("1 1000000\n"), 1U);
  EXPECT_EQ(ParseCpuMax("100000 100000\n"), 1U);
  EXPECT_EQ(ParseCpuMax("100001 100000"), 2U);
  EXPECT_EQ(ParseCpuMax("250000 100000"), 3U);
  EXPECT_EQ(ParseCfsQuota("50000\n", "100000\n"), 1U);
  EXPECT_EQ(ParseCfsQuota("400000\n", "100000\n"), 4U);
}

TEST(CpuQuota, IsNoneWhereThereIsNoneOrItCannotBeRead) {
  for (const char* text :
       {"", "\n", "max 100000\n", "max", "max max", "50000", "50000 ", " 100000", "0 100000", "-1 100000",
        "50000 0", "50000 -100000", "50000 max", "half 100000", "50000x 100000", "50000 100000 3",
        "99999999999999999999 100000", "50000 99999999999999999999"}) {
    EXPECT_EQ(ParseCpuMax(text), 0U) << "'" << text << "'";
  }
  for (const char* text : {"", "-1\n", "0\n", "max", "1.5", "99999999999999999999"}) {
    EXPECT_EQ(ParseCfsQuota(text, "100000\n"), 0U) << "'" << text << "'";
    EXPECT_EQ(ParseCfsQuota("50000\n", text), 0U) << "'" << text << "'";
  }
  EXPECT_EQ(ParseCpuMax("9223372036854775807 1"), 9223372036854775807U);
  EXPECT_EQ(ParseCpuMax("9223372036854775807 9223372036854775807"), 1U);
}

constexpr const char* kMounts =
    "22 1 0:20 / /proc rw - proc proc rw\n"
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu\\040set rw shared:1 master:2 - cgroup cgroup rw,cpuset\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw\n";

TEST(CpuQuota, BelongsToTheProcessOwnControlGroup) {
  const auto old = FindCgroup("5:cpuset:/a\n4:cpu,cpuacct:/b/c\n0::/d\n", kMounts, CgroupVersion::V1);
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ(old->mount, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(old->below, "/b/c");
  const auto unified = FindCgroup("4:cpu:/b/c\n0::/d e/f:g\n", kMounts, CgroupVersion::V2);
  ASSERT_TRUE(unified.has_value());
  EXPECT_EQ(unified->mount, "/sys/fs/cgroup/uni fied");
  EXPECT_EQ(unified->below, "/d e/f:g");
}

TEST(CpuQuota, CountsFromThePartOfTheHierarchyThatIsMounted) {
  const char* const mounts = "34 31 0:31 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
  const auto below = [mounts](const char* cgroups) {
    return FindCgroup(cgroups, mounts, CgroupVersion::V2).value_or(detail::CgroupFolder{"", "none"}).below;
  };
  EXPECT_EQ(below("0::/docker/abc\n"), "");
  EXPECT_EQ(below("0::/docker/abc/inner\n"), "/inner");
  EXPECT_EQ(below("0::/docker/abcd\n"), "") << "not below what is mounted";
  EXPECT_EQ(below("0::/\n"), "");
  EXPECT_EQ(below("0::/../other\n"), "");
}

TEST(CpuQuota, FindsNoControlGroupInGarbage) {
  for (const char* cgroups : {"", "\n\n", "0", "0:", "0::", "0::relative", "x:y:z", ":::", "0::\n/"}) {
    EXPECT_FALSE(FindCgroup(cgroups, kMounts, CgroupVersion::V2).has_value()) << cgroups;
    EXPECT_FALSE(FindCgroup(cgroups, kMounts, CgroupVersion::V1).has_value()) << cgroups;
  }
  for (const char* mounts :
       {"", "\n", "1", "1 2 3 4 5 6 7 8", "1 2 3 / / rw - cgroup2", " - cgroup2 ", "- - - -"}) {
    (void)FindCgroup("0::/\n1:cpu:/\n", mounts, CgroupVersion::V2);  // ends, whatever it says
    EXPECT_FALSE(FindCgroup("0::/\n1:cpu:/\n", mounts, CgroupVersion::V1).has_value()) << mounts;
  }
}

// A file system of its own, as far as quotas are concerned.
class QuotaFiles : public testing::Test {
 protected:
  QuotaFiles() {
    std::string name = testing::TempDir() + "quota.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
  }
  ~QuotaFiles() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file(root_ + path);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  std::string root_;
};

TEST_F(QuotaFiles, WithoutFilesThereIsNoQuota) { EXPECT_EQ(CgroupCpus(root_), 0U); }

TEST_F(QuotaFiles, TheLeastOfAllAncestorsCounts) {
  Write("/proc/self/cgroup", "0::/service/worker\n");
  Write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  Write("/sys/fs/cgroup/service/worker/cpu.max", "800000 100000\n");
  EXPECT_EQ(CgroupCpus(root_), 8U);
  Write("/sys/fs/cgroup/service/cpu.max", "350000 100000\n");
  EXPECT_EQ(CgroupCpus(root_), 4U);
  Write("/sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(CgroupCpus(root_), 4U);
  Write("/sys/fs/cgroup/cpu.max", "20000 100000\n");  // as a container sees its own limit
  EXPECT_EQ(CgroupCpus(root_), 1U);
  Write("/sys/fs/cgroup/elsewhere/cpu.max", "1 100000\n");
  Write("/sys/fs/cgroup/cpu.max", "garbage\n");
  EXPECT_EQ(CgroupCpus(root_), 4U);
}

TEST_F(QuotaFiles, VersionOneHasTwoFilesInTheFolderOfItsController) {
  Write("/proc/self/cgroup", "7:cpu,cpuacct:/user/me\n0::/\n");
  Write("/proc/self/mountinfo",
        "31 23 0:28 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n38 31 0:41 / /cg/unified rw - cgroup2 "
        "cgroup2 rw\n");
  Write("/cg/cpu/user/me/cpu.cfs_quota_us", "-1\n");
  Write("/cg/cpu/user/me/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupCpus(root_), 0U);
  Write("/cg/cpu/user/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(CgroupCpus(root_), 0U) << "half of it is missing";
  Write("/cg/cpu/user/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(CgroupCpus(root_), 2U);
}

// ---- one CPU ----

class OneCpu : public InItsOwnProcess {
 protected:
  // As `taskset` does: what the process starts from now on has one CPU, too.
  static void Narrow() {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) std::abort();
    std::size_t cpu = 0;
    while (!CPU_ISSET(cpu, &allowed)) ++cpu;
    CPU_ZERO(&allowed);
    CPU_SET(cpu, &allowed);
    if (sched_setaffinity(0, sizeof(allowed), &allowed) != 0) std::abort();
  }

  // A bit of everything; false when anything is wrong.
  static bool Mix() {
    std::vector<Task<int>> many;
    for (int i = 0; i < 200; ++i) many.push_back(NewTask([i] { return i; }));
    bool fine = !InvokeAll(4, many).Wait();
    long sum = 0;
    for (const auto& task : many) sum += task.Get();
    fine = fine && sum == 199 * 100;
    fine = fine && Fibonacci(12) == 144;
    fine = fine && Nested(50) == 50;
    Channel<Task<void>> channel(4);
    std::atomic<int> consumed{0};
    auto consumer = Consume(2, channel);
    for (int i = 0; i < 100; ++i) fine = fine && !channel.Send(NewTask([&consumed] { ++consumed; }));
    channel.Close();
    fine = fine && !consumer.Wait() && consumed == 100;
    fine = fine && !Sleep(2ms).Then([] { return Sleep(1ms); }).Wait();
    std::atomic<long> total{0};
    fine = fine && !ParallelFor(Context::Background(), 0, 1000, [&total](int i) { total += i; });
    return fine && total == 999 * 500 && !Runtime::Default().Run();
  }

 private:
  static int Fibonacci(int n) {
    if (n < 2) return n;
    int left = 0;
    int right = 0;
    (void)ForkJoin(
        Context::Background(), [&] { left = Fibonacci(n - 1); }, [&] { right = Fibonacci(n - 2); });
    return left + right;
  }
  static int Nested(int depth) {
    return depth == 0 ? 0 : 1 + Invoke([depth] { return Nested(depth - 1); }).Get();
  }
};

// H01
TEST_F(OneCpu, GivesOneWorkerWithWhichEverythingWorks) {
  const auto run = [] {
    Narrow();
    if (AvailableCpus() != 1 || Runtime::Default().Workers() != 1) _exit(kWrong);
    _exit(Mix() ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

TEST_F(OneCpu, MayBecomeSoWhileRuntimesOfAnyWidthAreUp) {
  const auto run = [] {
    Runtime wide(4);
    bool fine = Mix();
    Narrow();
    fine = fine && Mix() && Runtime(2).Workers() == 2;
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 100; ++i) tasks.push_back(Invoke(wide.Background(), [i] { return i; }));
    for (int i = 0; i < 100; ++i) fine = fine && tasks[static_cast<std::size_t>(i)].Get() == i;
    _exit(fine && !wide.Run() ? kFine : kWrong);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

// ---- half a CPU ----

// The process is stopped and goes on again, over and over, as when a quota is used up in each period.
TEST_F(OneCpu, OrNoneForAWhileOverAndOverChangesNoResult) {
  const auto run = [] {
    const pid_t worker = fork();  // before any runtime
    if (worker == 0) {
      bool fine = true;
      for (int round = 0; round < 5; ++round) fine = fine && Mix();
      _exit(fine ? kFine : kWrong);
    }
    int status = 0;
    const auto has_ended = [&status] { return WIFEXITED(status) || WIFSIGNALED(status); };
    const auto code = [&status] { return WIFEXITED(status) ? WEXITSTATUS(status) : kWrong; };
    for (int stops = 0; stops < 300; ++stops) {
      kill(worker, SIGSTOP);
      if (waitpid(worker, &status, WUNTRACED) != worker) _exit(kWrong);
      if (has_ended()) _exit(code());
      kill(worker, SIGCONT);
      if (waitpid(worker, &status, WCONTINUED) != worker) _exit(kWrong);
      if (has_ended()) _exit(code());  // before anybody looked
      for (int turn = 0; turn < 100; ++turn) std::this_thread::yield();
    }
    if (waitpid(worker, &status, 0) != worker) _exit(kWrong);
    _exit(code());
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), "^$");
}

}  // namespace
}  // namespace orchestrate::test
