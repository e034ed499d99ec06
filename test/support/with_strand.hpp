#pragma once

#include <test/support/with_runtime.hpp>

namespace orchestrate::test {

// A runtime as wide as the parameter says, a strand on it, and a context that runs there.
class WithStrand : public WithRuntime {
 protected:
  WithStrand() : strand_(runtime_.GetExecutor()), on_strand_(Where(ctx_).On(strand_).Resolve()) {}

  void TearDown() override {
    on_strand_ = Context::Background();
    WithRuntime::TearDown();
  }

  Strand strand_;
  Context on_strand_;
};

}  // namespace orchestrate::test
