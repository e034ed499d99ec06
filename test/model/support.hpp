#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include <orchestrate/base/sync.hpp>
#include <test/model/engine/explore.hpp>

namespace orchestrate::test {

using model::Check;
using model::Exploration;
using model::Findings;
using model::Program;

// Makes an object that lives as long as the execution.
template <class T, class... Args>
[[nodiscard]] T& Make(Args&&... args) {
  return *new T(std::forward<Args>(args)...);
}

// All executions within the limits, or the one of ORCHESTRATE_MODEL_REPLAY; nothing may be found.
inline void ExpectSound(const std::function<void(Program&)>& setup, Exploration how = {}) {
  if (const char* replay = std::getenv("ORCHESTRATE_MODEL_REPLAY")) how.replay = replay;
  const Findings found = model::Explore(how, setup);
  EXPECT_FALSE(found) << found.ToString() << "again: ORCHESTRATE_MODEL_REPLAY=" << found.replay
                      << " and this test's name as filter";
  if (how.seed == 0 && how.replay.empty()) {
    EXPECT_TRUE(found.exhausted) << found.ToString();
  }
  testing::Test::RecordProperty("executions", std::to_string(found.executions));
}

}  // namespace orchestrate::test
