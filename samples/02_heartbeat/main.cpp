// A heartbeat: something that runs again and again beside the program's work, until it is cancelled.
#include <cstdio>

#include <orchestrate/orchestrate.hpp>

using namespace orchestrate;
using namespace std::chrono_literals;

int main() {
  // [heartbeat]
  int beats = 0;
  Job heartbeat = Repeat(50ms, [&beats](Context& ctx) {  // the first beat comes after 50 ms
    std::printf("beat %d\n", ++beats);
    if (beats == 3) ctx.Cancel();  // `heartbeat.Cancel()` from outside does the same
  });
  // ... the program's own work goes here; between two beats no thread is occupied ...
  Error end = heartbeat.Wait();  // returns when no beat runs and none will come
  // [/heartbeat]

  std::printf("ended after %zu beats: %s\n", heartbeat.Runs(), end.Message().c_str());
  std::printf("%zu failed\n", heartbeat.Failures());
  return end.Is(Errc::Cancelled) && heartbeat.State() == TaskState::Cancelled ? 0 : 1;
}
