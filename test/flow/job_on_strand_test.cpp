#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <new>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/with_runtime.hpp>

namespace orchestrate::test {
namespace {

class JobOnStrand : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, JobOnStrand, Widths(), WidthName);

// Who waits may have seen the job run, and come to help when the job has ended and its strand is gone.
TEST_P(JobOnStrand, CanBeHelpedTooLate) {
  alignas(Strand) std::byte memory[sizeof(Strand)];
  auto* strand = ::new (static_cast<void*>(memory)) Strand(runtime_.GetExecutor());
  const Job job = InvokeAll(Where(ctx_).On(*strand), 1, std::vector{NewTask([] {})});
  EXPECT_FALSE(job.Wait());
  std::destroy_at(strand);
  std::fill(std::begin(memory), std::end(memory), std::byte{0xa5});
  detail::TaskCore& core = detail::TaskAccess::Core(job);
  core.Ops().help(core);
  EXPECT_TRUE(job.IsDone());
}

}  // namespace
}  // namespace orchestrate::test
