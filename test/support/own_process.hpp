#pragma once

#include <gtest/gtest.h>

namespace orchestrate::test {

// What a test's own process says at its end.
inline constexpr int kFine = 7;  // no exit code that anything else gives
inline constexpr int kWrong = 8;

// Makes each EXPECT_EXIT start this program anew, without the threads and runtimes of earlier tests.
class InItsOwnProcess : public testing::Test {
 protected:
  InItsOwnProcess() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

}  // namespace orchestrate::test
