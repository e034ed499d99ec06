#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <orchestrate/flow/invoke_all.hpp>
#include <test/support/batches.hpp>
#include <test/support/gate.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)

class InvokeAllProgressTest : public test::InvokeAllInVirtualTime {};
INSTANTIATE_TEST_SUITE_P(Widths, InvokeAllProgressTest, test::Widths(), test::WidthName);

TEST_P(InvokeAllProgressTest, CountsWhileItRuns) {
  test::Gate first;
  test::Gate rest;
  const test::OpenAtEnd open_first(first);
  const test::OpenAtEnd open_rest(rest);
  std::vector<Task<void>> tasks{NewTask([] {}), NewTask([] { return Error(Errc::NotSupported); }),
                                NewTask([&] { first.Wait(); }), NewTask([&] { rest.Wait(); })};
  const Job job = InvokeAll(ctx_, 1, tasks);
  ASSERT_TRUE(test::Eventually([&] { return job.Done() == 2 && job.Running() == 1; }));
  EXPECT_EQ(job.Failures(), 1U);
  EXPECT_EQ(job.Total(), 4U);
  first.Open();
  ASSERT_TRUE(test::Eventually([&] { return job.Done() == 3 && job.Running() == 1; }));
  rest.Open();
  (void)job.Wait();
  EXPECT_EQ(job.Done(), 4U);
  EXPECT_EQ(job.Running(), 0U);
}

// D23
TEST_P(InvokeAllProgressTest, RefusesToLetTheCallBackWaitForTheJob) {
  const test::Watchdog watchdog;
  Job job;
  test::Gate assigned;
  Error told;
  job = InvokeAll(ctx_, 1, std::vector{NewTask([] {})}, JobOptions().WithProgress([&](const Progress&) {
    assigned.Wait();
    told = job.Wait();
  }));
  assigned.Open();
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(told, Errc::WouldDeadlock);
}

TEST_P(InvokeAllProgressTest, ReportsProgressAtMostOnceAnInterval) {
  std::mutex mutex;
  std::vector<std::pair<Progress, Nanoseconds>> seen;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 10; ++i) tasks.push_back(NewTask([](Context& c) { return Sleep(c, 73ms).Wait(); }));
  tasks.push_back(NewTask([] { return Error(Errc::NotSupported); }));
  const Job job = InvokeAll(ctx_, 1, tasks, JobOptions().WithProgress([&](const Progress& progress) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(progress, Elapsed());
  }));
  EXPECT_TRUE(job.Wait());
  ASSERT_EQ(seen.size(), 8U);  // after 100, 200 … 700 ms, and at the end after 730
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(seen[i].second, 100ms * (i + 1));
    EXPECT_EQ(seen[i].first.done, (i + 1) * 100 / 73) << i;
    EXPECT_EQ(seen[i].first.running, 1U);
    EXPECT_EQ(seen[i].first.total, 11U);
  }
  EXPECT_EQ(seen[7].second, 730ms);
  EXPECT_EQ(seen[7].first.done, 11U);
  EXPECT_EQ(seen[7].first.failures, 1U);
  EXPECT_EQ(seen[7].first.running, 0U);
}

TEST_P(InvokeAllProgressTest, ReportsOnceForShortWork) {
  for (const int limit : {0, 2}) {
    for (const int count : {0, 5}) {
      int calls = 0;
      const Job job =
          InvokeAll(ctx_, limit, Numbers(count), JobOptions().WithProgress([&](const Progress& progress) {
            ++calls;
            EXPECT_EQ(progress.done, static_cast<std::size_t>(count));
          }));
      EXPECT_FALSE(job.Wait());
      EXPECT_EQ(calls, 1);
    }
  }
}

TEST_P(InvokeAllProgressTest, NeverReportsInsideACallThatCompletes) {
  const Promise<void> promise(ctx_);
  std::atomic<bool> inside{false};
  std::atomic<bool> called{false};
  const auto caller = std::this_thread::get_id();
  const Job job =
      InvokeAll(ctx_, 0, std::vector{promise.Task()}, JobOptions().WithProgress([&](const Progress&) {
        called = true;
        if (std::this_thread::get_id() == caller) inside = true;
      }));
  Promise<void> moved = std::move(const_cast<Promise<void>&>(promise));
  EXPECT_FALSE(moved.Set());
  ASSERT_TRUE(test::Eventually([&] { return job.IsDone(); }));
  EXPECT_TRUE(called);
  EXPECT_FALSE(inside);
}

TEST_P(InvokeAllProgressTest, ReportsAThrowingCallBackAndGoesOn) {
  const Job job =
      InvokeAll(ctx_, 1, Numbers(3),
                JobOptions().WithProgress([](const Progress&) { throw std::runtime_error("boom"); }));
  EXPECT_FALSE(job.Wait());
  const auto reports = reports_.Take();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].what, "a progress call-back threw");
}

TEST_P(InvokeAllProgressTest, DestroysTheCallBackBeforeItEnds) {
  auto alive = std::make_shared<int>(0);
  const Job job = InvokeAll(ctx_, 1, Numbers(3), JobOptions().WithProgress([alive](const Progress&) {}));
  EXPECT_FALSE(job.Wait());
  EXPECT_EQ(alive.use_count(), 1);
}

TEST_P(InvokeAllProgressTest, ReportsWhileAllWorkersAreBusy) {
  Runtime runtime(GetParam());  // in real time: bodies that block keep a clock from jumping
  test::Gate reported;
  std::vector<Task<void>> tasks;
  for (std::size_t i = 0; i < GetParam(); ++i) tasks.push_back(NewTask([&] { reported.Wait(); }));
  const Job job = InvokeAll(runtime.Background(), 0, tasks,
                            JobOptions().WithProgress([&](const Progress&) { reported.Open(); }, 1ms));
  EXPECT_FALSE(job.Wait());
}

}  // namespace
}  // namespace orchestrate
