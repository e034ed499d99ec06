#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include <test/support/little_stack.hpp>
#include <test/support/with_runtime.hpp>

// Destructors of values and callables may do what any code may, wherever the library runs them.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Does something when it is destroyed, once.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> fn) : fn_(std::move(fn)) {}
  AtEnd(AtEnd&& other) noexcept : fn_(std::exchange(other.fn_, nullptr)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (fn_) fn_();
  }

 private:
  std::function<void()> fn_;
};

// What waits for the fate of something that was dropped by the same destructor.
void DropAndWait(bool& waited) {
  Task<void> end;
  {
    Promise<int> promise;
    end = promise.Task().Then([](int) {}).Then([] {});
    const auto unrun = NewTask([owned = std::move(promise)] {});
  }
  waited = end.Wait().Is(Errc::Cancelled);
}

class Destructors : public WithRuntime {};
INSTANTIATE_TEST_SUITE_P(Over, Destructors, Widths(), WidthName);

TEST_P(Destructors, OfAValueMayWaitForWhatItDrops) {
  bool waited = false;
  {
    auto task = Completed(AtEnd([&waited] { DropAndWait(waited); }));
  }
  EXPECT_TRUE(waited);
}

TEST_P(Destructors, OfASkippedCallableMayWaitForWhatItDrops) {
  bool waited = false;
  Promise<int> promise(ctx_);
  auto task = promise.Task().Then([at_end = AtEnd([&waited] { DropAndWait(waited); })](int) {});
  promise.SetError(Errc::Closed);
  EXPECT_TRUE(task.Wait().Is(Errc::Closed));
  EXPECT_TRUE(waited);
}

TEST_P(Destructors, OfASkippedCallableMayWaitForTheNextInLine) {
  bool waited = false;
  Promise<int> promise(ctx_);
  Task<void> second;
  auto first =
      promise.Task().Then([at_end = AtEnd([&] { waited = second.Wait().Is(Errc::Closed); })](int) {});
  second = promise.Task().Then([](int) {});
  promise.SetError(Errc::Closed);
  EXPECT_TRUE(waited);
  EXPECT_TRUE(first.Wait().Is(Errc::Closed));
}

TEST_P(Destructors, OfACancelledCallableMayWaitForItsContinuation) {
  bool waited = false;
  const Context context = ctx_.WithCancel();
  Promise<int> never(ctx_);
  Task<void> next;
  auto task = After(context, never.Task(),
                    [at_end = AtEnd([&] { waited = next.Wait().Is(Errc::Cancelled); })](int) {});
  next = task.Then([] {});
  context.Cancel();
  EXPECT_TRUE(waited);
}

TEST_P(Destructors, OfACallableWithoutAContextRunOnAWorkerToo) {
  const Watchdog watchdog;
  Gate slept;
  const auto before = NewTask([] { return 1; });  // never started
  const auto next = before.Then([at_end = AtEnd([&] {
                                   (void)Sleep(ctx_, 1ms).Wait();  // on the timers' thread for ever
                                   slept.Open();
                                 })](int) {});
  EXPECT_TRUE(Timeout(ctx_, next, 5ms).Wait().Is(Errc::DeadlineExceeded));
  slept.Wait();
}

TEST_P(Destructors, OfABodyInsideAWaitAreNotPutOff) {
  bool done = false;
  const auto drops = [this, &done] {
    Promise<int> promise(ctx_);
    const auto end = promise.Task();
    {
      const auto unrun = NewTask([owned = std::move(promise)] {});
    }
    done = end.IsDone();
  };
  {
    auto task = Completed(AtEnd([&] { (void)Invoke(ctx_, drops).Wait(); }));
  }
  EXPECT_TRUE(done);
}

// Each link's callable owns the promise of the next one.
Task<int> ChainOfPromises(const Context& context, Promise<int>& head, int links) {
  Task<int> task = head.Task();
  for (int i = 0; i < links; ++i) {
    Promise<int> next(context);
    Task<int> next_task = next.Task();
    static_cast<void>(task.Then([owned = std::move(next)](int value) mutable { owned.Set(value); }));
    task = next_task;
  }
  return task;
}

TEST_P(Destructors, OfAChainOfPromisesEndInALoop) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    const auto last = ChainOfPromises(ctx_, head, 100000);
    { const Promise<int> dropped = std::move(head); }
    EXPECT_TRUE(last.Wait().Is(Errc::Cancelled));
  });
}

TEST_P(Destructors, OfAChainOfFailedPromisesEndInALoop) {
  WithLittleStack([this] {
    Promise<int> head(ctx_);
    const auto last = ChainOfPromises(ctx_, head, 100000);
    head.SetError(Errc::Closed);
    EXPECT_TRUE(last.Wait());
  });
  (void)reports_.Take();  // of the links, whose errors nothing reads
}

}  // namespace
}  // namespace orchestrate::test
