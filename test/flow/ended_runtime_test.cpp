#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/with_runtime.hpp>

// What a context of a runtime that is gone is still good for: refusing at once.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

class EndedRuntime : public WithRuntime {
 protected:
  EndedRuntime() : ended_(std::in_place, GetParam()), context_(ended_->Background()) { ended_.reset(); }

  std::optional<Runtime> ended_;
  Context context_;
};
INSTANTIATE_TEST_SUITE_P(Over, EndedRuntime, Widths(), WidthName);

// D19
TEST_P(EndedRuntime, RefusesAJobWithAProgressReport) {
  const std::vector tasks{NewTask([] {}), NewTask([] {})};
  const Job job = InvokeAll(context_, 1, tasks, JobOptions().WithProgress([](const Progress&) {}));
  EXPECT_TRUE(job.Wait());
}

TEST_P(EndedRuntime, RefusesAWaitForARateLimiter) {
  RateLimiter limiter({1, 1h}, 1);
  EXPECT_FALSE(limiter.Acquire(context_.Shield()));
  EXPECT_TRUE(limiter.Acquire(context_.Shield())) << "the second permit comes in an hour";
  EXPECT_TRUE(limiter.Acquire(ctx_.WithDeadline(Clock::now() + 1ms))) << "nobody is left in the queue";
}

TEST_P(EndedRuntime, RefusesTheContinuationThatHeldItLast) {
  Promise<void> promise;
  {
    auto brief = std::make_unique<Runtime>(GetParam());
    (void)ContinueWith(Where(brief->Background()), promise.Task(), [](const Result<void>&) {});
  }
  EXPECT_FALSE(Invoke(ctx_, [] {}).Wait());  // now this thread keeps the root of another runtime at hand
  EXPECT_TRUE(promise.TrySet());
}

}  // namespace
}  // namespace orchestrate::test
