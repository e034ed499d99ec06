#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/own_process.hpp>

// The whole life of runtimes in a process that has one CPU: oneTBB has no worker there but those that the
// library's control allows.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;

using RuntimeOnOneCpu = InItsOwnProcess;

// Before the process uses anything of the library or of oneTBB.
void KeepOneCpu() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) std::exit(kWrong);
  std::size_t cpu = 0;
  while (!CPU_ISSET(cpu, &allowed)) ++cpu;
  CPU_ZERO(&allowed);
  CPU_SET(cpu, &allowed);
  if (sched_setaffinity(0, sizeof(allowed), &allowed) != 0) std::exit(kWrong);
}

// K57
TEST_F(RuntimeOnOneCpu, RuntimesOfAnyWidthComeAndGo) {
  const auto run = [] {
    KeepOneCpu();
    const Watchdog watchdog;
    for (const std::size_t width : {1U, 2U, 8U, 1U}) {
      Runtime runtime(width);
      Invoke(runtime.Background(), [] {}).Get();
    }
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// K57
TEST_F(RuntimeOnOneCpu, RuntimesThatOverlapGoInAnyOrder) {
  const auto run = [] {
    KeepOneCpu();
    const Watchdog watchdog;
    for (int round = 0; round < 4; ++round) {
      auto first = std::make_unique<Runtime>(1);
      auto second = std::make_unique<Runtime>(2);
      Invoke(first->Background(), [&] { Invoke(second->Background(), [] {}).Get(); }).Get();
      if (round % 2 == 0) std::swap(first, second);
      first.reset();
      Invoke(second->Background(), [] {}).Get();
    }
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// K57
TEST_F(RuntimeOnOneCpu, TheDefaultRuntimeRunsBlocksAndEndsWithTheProcess) {
  const auto run = [] {
    KeepOneCpu();
    static const Watchdog watchdog;
    if (Runtime::Default().Workers() != 1) std::exit(kWrong);
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 100; ++i)
      tasks.push_back(Invoke([](Context& own) { return Invoke(own, [] { return 1; }).Get(); }));
    for (const auto& task : tasks) (void)task.Get();
    const auto ctx = Context::Background().WithTimeout(1ms);
    if (!Sleep(ctx, 1h).Wait().Is(Errc::DeadlineExceeded)) std::exit(kWrong);
    static const auto nap = Sleep(1h);
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

// K57
TEST_F(RuntimeOnOneCpu, TheDefaultRuntimeAndAnotherOneLiveSideBySide) {
  const auto run = [] {
    KeepOneCpu();
    static const Watchdog watchdog;
    Invoke([] {}).Get();
    {
      Runtime runtime(2);
      Invoke(runtime.Background(), [] { Invoke([] {}).Get(); }).Get();
    }
    Invoke([] {}).Get();
    std::exit(kFine);
  };
  EXPECT_EXIT(run(), ExitedWithCode(kFine), testing::MatchesRegex("^$"));
}

}  // namespace
}  // namespace orchestrate::test
