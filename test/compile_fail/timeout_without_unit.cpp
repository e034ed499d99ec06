// D24: Times carry their unit: std::chrono::milliseconds(10).
// EXPECT: no matching function for call to 'Timeout
#include <orchestrate/flow/timeout.hpp>

auto Refused(const orchestrate::Task<int>& task) { return orchestrate::Timeout(task, 10); }
