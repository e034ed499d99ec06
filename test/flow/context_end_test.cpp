#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <orchestrate/testkit/live_counts.hpp>
#include <orchestrate/testkit/manual_clock.hpp>
#include <test/support/gate.hpp>
#include <test/support/occupied.hpp>
#include <test/support/waiting.hpp>
#include <test/support/with_runtime.hpp>

// Everything that is pending under a context ends with it, at once, however the context ends.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// What others of the program hold: nothing of it ends during a test.
struct Others {
  Runtime runtime{RuntimeOptions(1)};
  Promise<int> never{Where(runtime.Background())};
  Gate began;
  Gate gate;
  Task<int> busy = Invoke(runtime.Background(), [this] {
    began.Open();
    gate.Wait();
    return 1;
  });
  std::vector<std::shared_ptr<void>> unset;  // promises
  Channel<Task<int>> tasks{1};
  Channel<int> empty{1};
  Channel<int> full{1};
  Others() {
    began.Wait();
    (void)full.Send(1);
  }
  ~Others() { gate.Open(); }

  // The task of a promise that nothing sets.
  template <class T>
  Task<T> Unset(Context& context) {
    auto promise = std::make_shared<Promise<T>>(context);
    unset.push_back(promise);
    return promise->Task();
  }
};

struct Pending {
  const char* name;
  // Makes one of its kind under the context.
  std::function<Task<void>(Context&, Others&)> make;
};

template <class T>
Task<void> AsVoid(Task<T> task) {
  return ContinueWith(Context::Background(), task,
                      [](const Result<T>& result) { return result ? Error() : result.Failure(); });
}

// A sleep has one of its own.
std::size_t CountWaiters(const Task<void>& task) {
  std::size_t count = 0;
  detail::TaskAccess::Core(task).waiters.WithLock([&count](detail::Waiter*& first) {
    for (const detail::Waiter* at = first; at != nullptr; at = at->next) ++count;
  });
  return count;
}

const Pending kAll[] = {
    {"APromise", [](Context& ctx, Others& others) { return others.Unset<void>(ctx); }},
    {"AContinuationOfAPromise",
     [](Context& ctx, Others& others) { return After(ctx, others.never.Task(), [](int) {}); }},
    {"AContinuationOfABody",
     [](Context& ctx, Others& others) { return After(ctx, others.busy, [](int) {}); }},
    {"AChainOfContinuations",
     [](Context& ctx, Others& others) {
       return After(ctx, others.never.Task(), [](int) { return 1; })
           .Then([](int) { return 2; })
           .Then([](int) {});
     }},
    {"AContinuationWithoutAContextOfItsOwn",
     [](Context& ctx, Others& others) { return others.Unset<int>(ctx).Then([](int) {}); }},
    {"AFinally",
     [](Context& ctx, Others& others) { return AsVoid(Finally(ctx, others.never.Task(), [] {})); }},
    {"AFlattenedTask",
     [](Context& ctx, Others& others) {
       return AsVoid(Invoke(ctx, [never = others.never.Task()] { return never; }));
     }},
    {"ATaskFlattenedTwice",
     [](Context& ctx, Others& others) {
       return AsVoid(Invoke(ctx, [never = others.never.Task()](Context& own) {
         return Invoke(own, [never] { return never; });
       }));
     }},
    {"AJobOverAPromise",
     [](Context& ctx, Others& others) -> Task<void> {
       return InvokeAll(ctx, 1, std::vector{others.never.Task()});
     }},
    {"AJobWithoutALimitOverABody",
     [](Context& ctx, Others& others) -> Task<void> { return InvokeAll(ctx, 0, std::vector{others.busy}); }},
    {"AJobOverAFlattenedTask",
     [](Context& ctx, Others& others) -> Task<void> {
       return InvokeAll(ctx, 2, std::vector{NewTask([never = others.never.Task()] { return never; })});
     }},
    {"AJobWithoutALimitOverAFlattenedTask",
     [](Context& ctx, Others& others) -> Task<void> {
       return InvokeAll(ctx, 0, std::vector{NewTask([never = others.never.Task()] { return never; })});
     }},
    {"AConsumerOfAPromise",
     [](Context& ctx, Others& others) -> Task<void> {
       return Consume(ctx, 1, [task = std::optional(others.never.Task())]() mutable {
         return std::exchange(task, std::nullopt);
       });
     }},
    {"ARetryThatFollows",
     [](Context& ctx, Others& others) {
       return AsVoid(Retry(ctx, {.attempts = 3}, [never = others.never.Task()] { return never; }));
     }},
    {"ARetryBetweenTwoAttempts",
     [](Context& ctx, Others&) {
       return Retry(ctx, {.attempts = 3, .first_delay = 24h, .max_delay = 24h},
                    []() -> Error { return Errc::Closed; });
     }},
    {"ARepeatThatFollows",
     [](Context& ctx, Others& others) -> Task<void> {
       Job job = Repeat(ctx, 1ms, [never = others.never.Task()] { return never; }, {.immediately = true});
       EXPECT_TRUE(Eventually([&job] { return job.Runs() == 1; }));
       return job;
     }},
    {"ARepeatBetweenTwoCalls", [](Context& ctx, Others&) -> Task<void> { return Repeat(ctx, 24h, [] {}); }},
    {"ASleep", [](Context& ctx, Others&) { return Sleep(ctx, 24h); }},
    {"ATimeoutOfAPromise",
     [](Context& ctx, Others& others) { return AsVoid(Timeout(ctx, others.Unset<int>(ctx), 24h)); }},
    {"ABatchThatYieldsResults",
     [](Context& ctx, Others& others) {
       return AsVoid(InvokeAllResults(ctx, 1, std::vector{others.never.Task()}));
     }},
    {"AConsumerOfAnOpenChannel",
     [](Context& ctx, Others& others) -> Task<void> { return Consume(ctx, 1, others.tasks); }},
    {"ABodyInRecv",
     [](Context& ctx, Others& others) {
       return AsVoid(Begun(Invoke(ctx, [items = others.empty](Context& own) { return items.Recv(own); })));
     }},
    {"ABodyInSend",
     [](Context& ctx, Others& others) {
       return Begun(Invoke(ctx, [items = others.full](Context& own) { return items.Send(own, 2); }));
     }},
};

struct Way {
  const char* name;
  Errc error;
};
const Way kWays[] = {{"Cancelled", Errc::Cancelled},
                     {"PastItsDeadline", Errc::DeadlineExceeded},
                     {"BelowACancelledOne", Errc::Cancelled},
                     {"OfARuntimeThatShutsDown", Errc::Cancelled},
                     {"OfADestroyedRuntime", Errc::Cancelled}};

class EndOfContext : public testing::TestWithParam<std::tuple<std::size_t, std::size_t>> {
 protected:
  EndOfContext() {
    RuntimeOptions options(2);
    options.clock = &clock_;
    options.on_report = reports_.Sink();
    runtime_.emplace(std::move(options));
  }

  [[nodiscard]] const Pending& Kind() const { return kAll[std::get<0>(GetParam())]; }
  [[nodiscard]] std::size_t WayIndex() const { return std::get<1>(GetParam()); }
  [[nodiscard]] Errc Expected() const { return kWays[WayIndex()].error; }

  Context MakeContext() {
    const Context root = runtime_->Background();
    parent_ = root.WithCancel();
    return WayIndex() == 1 ? root.WithTimeout(20ms) : parent_->WithCancel();
  }

  void End(const Context& context) {
    switch (WayIndex()) {
      case 0:
        context.Cancel();
        break;
      case 1:
        clock_.Advance(20ms);
        break;
      case 2:
        parent_->Cancel();
        break;
      case 3:
        EXPECT_EQ(runtime_->Shutdown(ShutdownMode::Cancel, 20s).ValueOr(1), 0U);
        break;
      default:
        runtime_.reset();
    }
  }

  // Bodies that were about to run have done so.
  void Settle() {
    (void)Invoke(runtime_->Background(), [] {}).Wait();
  }

  ManualClock clock_;
  ReportLog reports_;
  std::optional<Runtime> runtime_;
  std::optional<Context> parent_;
  Others others_;
};

// D35 K49
TEST_P(EndOfContext, ReachesWhatIsWaitedFor) {
  Context context = MakeContext();
  Task<void> task = Kind().make(context, others_);
  Settle();
  const std::size_t before = CountWaiters(task);
  Error seen;
  std::thread waiter([&] { seen = task.Wait(); });
  // Done: a retry gives up at once when the next attempt would be past the deadline.
  EXPECT_TRUE(Eventually([&] { return task.IsDone() || CountWaiters(task) > before; }));
  End(context);
  waiter.join();
  EXPECT_TRUE(seen.Is(Expected())) << seen.Message();
  EXPECT_EQ(others_.never.Task().State(), TaskState::Running) << "what was not started here goes on";
}

// D35 K58
TEST_P(EndOfContext, IsSeenByALaterLook) {
  Context context = MakeContext();
  Task<void> task = Kind().make(context, others_);
  Settle();
  End(context);
  EXPECT_TRUE(Eventually([&] { return task.IsDone(); }));
  EXPECT_TRUE(task.Wait().Is(Expected())) << task.Wait().Message();
}

const auto kNameOfCase = [](const auto& param_info) {
  return std::string(kAll[std::get<0>(param_info.param)].name) + kWays[std::get<1>(param_info.param)].name;
};
INSTANTIATE_TEST_SUITE_P(Of, EndOfContext,
                         testing::Combine(testing::Range<std::size_t>(0, std::size(kAll)),
                                          testing::Range<std::size_t>(0, std::size(kWays))),
                         kNameOfCase);

// The ways that do not wait for the bodies, too.
using EndOfContextOnBusyWorkers = EndOfContext;
INSTANTIATE_TEST_SUITE_P(Of, EndOfContextOnBusyWorkers,
                         testing::Combine(testing::Range<std::size_t>(0, std::size(kAll)),
                                          testing::Range<std::size_t>(0, 3)),
                         kNameOfCase);

// D35
TEST_P(EndOfContextOnBusyWorkers, NeedsNoneOfThem) {
  Context context = MakeContext();
  Task<void> task = Kind().make(context, others_);
  Settle();
  Occupied busy(*runtime_);
  busy.WaitUntilAllRun();
  End(context);
  EXPECT_TRUE(task.Wait().Is(Expected())) << task.Wait().Message();
}

// What is peculiar to one kind.

class EndOfAContext : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, EndOfAContext, Widths(), WidthName);

// K49
TEST_P(EndOfAContext, LeavesNothingToSet) {
  const Context context = ctx_.WithCancel();
  Promise<int> promise(context);
  context.Cancel();
  EXPECT_EQ(promise.Task().State(), TaskState::Cancelled);
  EXPECT_FALSE(promise.TrySet(1));
}

// K50
TEST_P(EndOfAContext, TakesAContinuationOutOfItsPredecessor) {
  Promise<int> never(ctx_);
  const std::size_t before = CountLive().tasks;
  const Context context = ctx_.WithCancel();
  bool called = false;
  {
    auto task = After(context, never.Task(), [&called](int) { called = true; });
    EXPECT_EQ(CountLive().tasks, before + 1);
    context.Cancel();
    EXPECT_EQ(task.State(), TaskState::Cancelled);
  }
  EXPECT_EQ(CountLive().tasks, before) << "the predecessor keeps no waiter";
  never.Set(1);
  EXPECT_FALSE(called);
}

TEST_P(EndOfAContext, IsNotNeededForACancelledTaskToLeaveWhatItWaitsFor) {
  Promise<int> never(ctx_);
  const std::size_t before = CountLive().tasks;
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(never.Task().Then([](int) {}).Cancel());
    auto flattened = Invoke(ctx_, [task = never.Task()] { return task; });
    (void)Invoke(ctx_, [] {}).Wait();
    flattened.Cancel();
  }
  EXPECT_TRUE(Eventually([&] { return CountLive().tasks == before; }));
}

// D36 K51
TEST_P(EndOfAContext, EndsAJobWithoutWhatItDidNotStart) {
  Promise<void> others(ctx_);
  Gate began;
  std::atomic<bool> own_left = false;
  const auto own = NewTask([&](Context& context) {
    began.Open();
    while (!context.IsDone()) std::this_thread::yield();
    own_left = true;
  });
  Job job = InvokeAll(ctx_, 2, std::vector{others.Task(), own});
  began.Wait();
  EXPECT_TRUE(job.Cancel());
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(own_left);
  EXPECT_TRUE(own.IsDone());
  EXPECT_EQ(others.Task().State(), TaskState::Running);
  EXPECT_TRUE(others.TrySet());
}

// D36. A wait would run it.
TEST_P(EndOfAContext, ReachesATaskOfABatchThatIsNotAdmitted) {
  Gate began;
  Gate may_leave;
  const OpenAtEnd open(may_leave);
  const Context context = ctx_.WithCancel();
  const auto first = NewTask([&] {
    began.Open();
    may_leave.Wait();
  });
  const auto second = NewTask([] {});
  const auto told =
      ContinueWith(ctx_, second, [](const Result<void>& result) { return result.Failure().Code(); });
  const Job job = InvokeAll(context, 1, std::vector{first, second});
  began.Wait();
  context.Cancel();
  // Not by a look of this thread, which would end it.
  const auto& core = *detail::TaskAccess::Core(static_cast<const detail::TaskHandle&>(second));
  EXPECT_TRUE(Eventually([&core] { return core.IsTerminal(); }));
  may_leave.Open();
  EXPECT_EQ(told.Get(), Error(Errc::Cancelled).Code());
  EXPECT_TRUE(job.Wait().Is(Errc::Cancelled));
}

// D38 K54
TEST_P(EndOfAContext, OfATimeoutLetsTheBodyLeaveFirst) {
  Gate began;
  Gate may_leave;
  std::atomic<bool> left = false;
  const OpenAtEnd open(may_leave);
  auto task = Timeout(ctx_, 1h, [&] {
    began.Open();
    may_leave.Wait();
    left = true;
  });
  began.Wait();
  EXPECT_TRUE(task.Cancel());
  EXPECT_EQ(task.State(), TaskState::Cancelled);
  EXPECT_FALSE(task.IsDone());
  may_leave.Open();
  EXPECT_TRUE(task.Wait().Is(Errc::Cancelled));
  EXPECT_TRUE(left);
}

// The callable of a task that the end of a context ends is destroyed by a worker, not by the timers' thread.
TEST_P(EndOfAContext, DestroysCallablesOnWorkers) {
  struct Noting {
    Noting(const Context& on_same_timers, Gate& gate) : context(on_same_timers), destroyed(&gate) {}
    Noting(Noting&& other) noexcept
        : context(other.context), destroyed(std::exchange(other.destroyed, nullptr)) {}
    ~Noting() {
      if (destroyed == nullptr) return;
      (void)Sleep(context, 1ms).Wait();  // for ever on the thread of these timers
      destroyed->Open();
    }
    Context context;
    Gate* destroyed;
  };
  const Watchdog watchdog;
  Promise<int> never(ctx_);
  Gate destroyed;
  auto task = After(ctx_.WithTimeout(5ms), never.Task(), [noting = Noting(ctx_, destroyed)](int) {});
  EXPECT_TRUE(task.Wait().Is(Errc::DeadlineExceeded));
  destroyed.Wait();
}

}  // namespace
}  // namespace orchestrate::test
