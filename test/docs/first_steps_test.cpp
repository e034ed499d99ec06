// The snippets of the first half of docs/tour.md.
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>

#include <gtest/gtest.h>

#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/manual_clock.hpp>

namespace orchestrate {
namespace {

using namespace std::chrono_literals;

// [result_function]
Result<int> ParsePort(const std::string& text) {
  int port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc()) return Error(make_error_code(parsed.ec)).WithContext("port '" + text + "'");
  if (port < 1 || port > 65535) return Error(Errc::InvalidArgument, "port " + text + ", must be 1 to 65535");
  return port;
}
// [/result_function]

// [key]
constexpr ContextKey<std::string> kUser;
// [/key]

TEST(TourFirstTask, RunsWorkAndReturnsItsValue) {
  // [invoke]
  auto task = Invoke([] { return 6 * 7; });
  EXPECT_EQ(task.Get(), 42);
  EXPECT_EQ(task.State(), TaskState::Completed);
  EXPECT_GT(task.Duration(), 0ns);
  // [/invoke]
}

TEST(TourFirstTask, WaitsForSomebodyToStartIt) {
  // [new_task]
  auto task = NewTask([] { return 6 * 7; });
  EXPECT_EQ(task.State(), TaskState::Created);
  EXPECT_TRUE(task.Wait().Is(Errc::NotStarted));  // nobody else could start it: an error, not a hang
  EXPECT_EQ(task.Run().Get(), 42);
  // [/new_task]
}

TEST(TourFirstTask, FlattensATaskThatATaskReturns) {
  // [flatten]
  Task<int> task = Invoke([] { return Invoke([] { return 42; }); });
  EXPECT_EQ(task.Get(), 42);
  // [/flatten]
}

TEST(TourErrors, AreExceptionsOrResultsAsTheCallerLikes) {
  // [throw]
  auto task = Invoke([]() -> int { throw std::runtime_error("disk full"); });
  EXPECT_THROW(task.Get(), std::runtime_error);  // the object that was thrown

  const Result<int> outcome = task.Outcome();  // the same without a throw
  EXPECT_FALSE(outcome);
  EXPECT_TRUE(outcome.Failure().Is(Errc::Exception));
  EXPECT_EQ(outcome.Failure().Message(), "disk full");
  // [/throw]
}

TEST(TourErrors, ComeFromResultsAsWellAsFromThrows) {
  // [result]
  auto port = Invoke([] { return ParsePort("70000"); });  // a Task<int>
  EXPECT_EQ(port.Wait().Message(), "port 70000, must be 1 to 65535");
  EXPECT_EQ(port.Outcome().ValueOr(80), 80);
  EXPECT_EQ(ParsePort("8080").Map([](int value) { return value + 1; }).Value(), 8081);
  EXPECT_TRUE(
      ParsePort("http").Failure().Is(std::errc::invalid_argument));  // the system's codes fit beside Errc
  // [/result]
}

TEST(TourErrors, OfWorkWithoutAValueAreItsResult) {
  // [error_work]
  Task<void> task = Invoke([]() -> Error { return {Errc::NotSupported, "no terminal"}; });
  if (Error error = task.Wait()) {
    EXPECT_EQ(error.Message(), "no terminal");
  }
  // [/error_work]
  EXPECT_EQ(task.State(), TaskState::Failed);
}

TEST(TourValues, ThatCannotBeCopiedAreTakenOnce) {
  // [take]
  auto task = Invoke([] { return std::make_unique<int>(42); });
  std::unique_ptr<int> mine = task.Take();
  EXPECT_EQ(*mine, 42);
  EXPECT_TRUE(task.Outcome().Failure().Is(Errc::AlreadyTaken));
  // [/take]
}

TEST(TourContext, EndsWhatIsBelowIt) {
  // [tree]
  const Context request = Context::Background().WithCancel();
  const Context step = request.WithTimeout(1h);
  request.Cancel(Error(Errc::Cancelled, "the client hung up"));
  EXPECT_EQ(step.Err().Message(), "the client hung up");

  auto task = Invoke(step, [] { return 42; });
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));  // the body was not called
  // [/tree]
  EXPECT_EQ(task.Duration(), 0ns);
}

TEST(TourContext, CarriesValues) {
  // [value]
  const Context ctx = Context::Background().WithValue(kUser, std::string("ada"));
  auto task = Invoke(ctx, [](Context& c) { return "hello " + *c.Value(kUser); });
  EXPECT_EQ(task.Get(), "hello ada");
  // [/value]
}

TEST(TourCancel, IsSeenAtOnceAndWaitedForUntilTheBodyHasLeft) {
  // [cancel]
  auto task = Invoke([](Context& c) -> Error {
    for (;;) {
      if (Error end = c.Err()) return end;  // a loop of your own looks now and then
    }
  });
  EXPECT_TRUE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Cancelled);  // at once
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));   // when the body has left
  EXPECT_FALSE(task.Cancel());                    // somebody was first
  // [/cancel]
}

TEST(TourCancel, ComesWithDeadlines) {
  ManualClock clock(ManualClock::Auto);
  RuntimeOptions options(2);
  options.clock = &clock;
  Runtime runtime(std::move(options));
  const Context ctx = runtime.Background();
  // [deadline]
  auto task = Invoke(ctx.WithTimeout(50ms), [](Context& c) { return Sleep(c, 1h); });
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  // [/deadline]
  EXPECT_EQ(clock.Elapsed(), 50ms);
}

TEST(TourCancel, ComesWithStopTokens) {
  // [stop_token]
  std::stop_source source;
  const Context ctx = Context::Background().WithStopToken(source.get_token());
  auto task = Invoke(ctx, [](Context& c) {
    const std::stop_token token = c.StopToken();  // for code that knows nothing of contexts
    while (!token.stop_requested()) {
    }
  });
  source.request_stop();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  // [/stop_token]
}

TEST(TourCancel, ComesWithSignals) {
  // [signal]
  const Context ctx = Context::Background().WithSignal({SIGINT, SIGTERM});
  auto server = Invoke(ctx, [](Context& c) { return Sleep(c, 24h); });
  std::raise(SIGINT);  // as Ctrl-C does
  EXPECT_TRUE(server.Wait().Is(Errc::Cancelled));
  // [/signal]
}

TEST(TourCancel, CanBeKeptFromWhatMustBeFinished) {
  // [shield]
  const Context ctx = Context::Background().WithCancel();
  ctx.Cancel();
  auto saved = Invoke(ctx.Shield(), [] { return true; });
  EXPECT_TRUE(saved.Get());
  // [/shield]
}

TEST(TourContinuations, RunWhenAValueIsThere) {
  // [then]
  auto words = Invoke([] { return std::string("many small steps"); });
  auto length = words.Then([](const std::string& text) { return text.size(); });
  auto half = length.Then([](std::size_t n) { return n / 2; });
  EXPECT_EQ(half.Get(), 8U);
  // [/then]
}

TEST(TourContinuations, PassAnErrorOnUntilSomebodyCatchesIt) {
  // [catch]
  int closed = 0;
  auto port = Invoke([] { return ParsePort("http"); });
  auto next = After(port, [](int value) { return value + 1; });        // skipped
  auto safe = Catch(next, [](const Error& /*why*/) { return 8080; });  // replaces the error
  auto last = Finally(safe, [&closed] { ++closed; });                  // whatever came before
  EXPECT_EQ(last.Get(), 8080);
  EXPECT_EQ(closed, 1);

  auto text = ContinueWith(port, [](const Result<int>& outcome) {
    return outcome ? std::string("listening") : "cannot listen: " + outcome.Failure().Message();
  });
  EXPECT_EQ(text.Get(), "cannot listen: port 'http': Invalid argument");
  // [/catch]
}

TEST(TourPromise, CompletesATaskFromOutside) {
  // [promise]
  Promise<int> promise;
  Task<int> answer = promise.Task();
  auto doubled = answer.Then([](int value) { return value * 2; });
  EXPECT_TRUE(promise.TrySet(21));
  EXPECT_EQ(doubled.Get(), 42);
  EXPECT_TRUE(promise.Set(22).Is(Errc::AlreadyTerminal));
  // [/promise]
}

}  // namespace
}  // namespace orchestrate
