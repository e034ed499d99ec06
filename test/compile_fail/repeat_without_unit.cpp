// D24: Times carry their unit: std::chrono::milliseconds(10).
// EXPECT: no matching function for call to 'Repeat
#include <orchestrate/flow/repeat.hpp>

auto refused = orchestrate::Repeat(10, [] {});
