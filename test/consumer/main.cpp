// [program]
#include <orchestrate/orchestrate.hpp>

#include <cstdio>
#include <string>

int main() {
  auto task = orchestrate::Invoke([] { return std::string("hello"); });
  std::puts(task.Get().c_str());
}
// [/program]
