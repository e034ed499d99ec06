// EXPECT: Timeout: the work must be callable as fn() or fn(Context&)
#include <orchestrate/flow/timeout.hpp>

auto refused = orchestrate::Timeout(std::chrono::seconds(1), [](int) {});
