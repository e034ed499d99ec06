#include <chrono>
#include <functional>
#include <tuple>
#include <vector>

#include <orchestrate/orchestrate.hpp>

// Every verb in the place where Clang 16 refuses a consteval default argument: a default member initializer.
namespace orchestrate::test {

struct Members {
  Context ctx = Context::Background();
  Task<int> created = NewTask([] { return 1; });
  std::vector<Task<int>> several = NewTasks([] { return 1; }, [] { return 2; });
  Task<int> invoked = Invoke([] { return 1; });
  Task<int> below = Invoke(ctx, [] { return 1; });
  Task<int> started = created.Run();
  Task<int> after = After(invoked, [](int value) { return value; });
  Task<int> then = invoked.Then([](int value) { return value; });
  Task<int> continued = ContinueWith(invoked, [](const Result<int>& outcome) { return outcome; });
  Task<int> caught = Catch(invoked, [](const Error&) { return 2; });
  Task<int> cleaned = Finally(invoked, [] {});
  Task<int> failed = Failed<int>(Errc::Closed);
  Task<void> completed = Completed();
  Promise<int> promise{};
  Task<void> sleep = Sleep(std::chrono::seconds(1));
  Task<void> until = SleepUntil(TimePoint::max());
  Task<int> limited = Timeout(invoked, std::chrono::seconds(1));
  Task<int> limited_work = Timeout(std::chrono::seconds(1), [] { return 1; });
  Task<int> retried = Retry(RetryOptions(), [] { return 1; });
  Job repeated = Repeat(std::chrono::seconds(1), [] {});
  Job all = InvokeAll(0, several);
  Task<std::tuple<int, int>> tuple = InvokeAll(
      ctx, [] { return 1; }, [] { return 2; });
  Task<std::vector<Result<int>>> results = InvokeAllResults(0, several);
  Job consumed = Consume(0, std::vector<Task<int>>());
  Result<int> joined = ForkJoin([] { return 1; });
  Error looped = ParallelFor(ctx, 0, 2, [](int) {});
  Result<int> reduced = ParallelReduce(
      ctx, 0, 2, 0, [](int item) { return item; }, std::plus<>());
};

int Initialize() { return Members().joined.ValueOr(0); }

}  // namespace orchestrate::test
