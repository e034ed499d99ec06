// EXPECT: AndThen: the function must return a Result; use Map for one that returns a value
#include <orchestrate/base/result.hpp>

auto Refused(const orchestrate::Result<int>& result) {
  return result.AndThen([](int number) { return number + 1; });
}
