// EXPECT: Repeat: the action must be callable as fn() or fn(Context&)
#include <orchestrate/flow/repeat.hpp>

auto refused = orchestrate::Repeat(std::chrono::seconds(1), [](int) {});
