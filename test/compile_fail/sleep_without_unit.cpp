// D24: Times carry their unit: std::chrono::milliseconds(10).
// EXPECT: no matching function for call to 'Sleep
#include <orchestrate/flow/sleep.hpp>

auto refused = orchestrate::Sleep(10);
