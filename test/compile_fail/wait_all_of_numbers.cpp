// EXPECT: no matching function for call to 'WaitAll
#include <orchestrate/flow/wait.hpp>

auto Refused(const std::vector<int>& numbers) { return orchestrate::WaitAll(numbers); }
