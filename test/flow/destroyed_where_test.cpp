#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#include <orchestrate/orchestrate.hpp>
#include <test/support/gate.hpp>
#include "exec/thread_state.hpp"

// A callable that a timer or the end of another task has ended is destroyed neither on the timers' thread nor
// inside the loop that tells.
namespace orchestrate::test {
namespace {

using namespace std::chrono_literals;

// Takes nothing any more once it was told so. Has the timers of the default runtime.
class Refuser final : public Executor {
 public:
  ~Refuser() override { Detach(); }
  void Post(Work work) noexcept override {
    const std::lock_guard lock(mutex_);
    if (!refuses_) queue_.push_back(std::move(work));  // else the caller drops it
  }
  [[nodiscard]] bool HasWork() {
    const std::lock_guard lock(mutex_);
    return !queue_.empty();
  }
  // Runs what it has and refuses what comes later.
  void RunAndRefuse() {
    std::unique_lock lock(mutex_);
    refuses_ = true;
    auto works = std::exchange(queue_, {});
    lock.unlock();
    for (Work& work : works) work();
  }

 private:
  std::mutex mutex_;
  std::deque<Work> queue_;  // under mutex_
  bool refuses_ = false;    // under mutex_
};

struct Fate {
  Gate destroyed;
  std::atomic<bool> was_on_timers_thread = false;
  std::atomic<bool> was_in_loop = false;

  void Note() {
    was_on_timers_thread = detail::t_thread.makers_signals != nullptr;
    was_in_loop = detail::t_thread.draining != nullptr || detail::t_thread.ending != nullptr;
    destroyed.Open();
  }
};

// Notes where it is destroyed.
class Noting {
 public:
  explicit Noting(Fate& fate) : fate_(&fate) {}
  Noting(const Noting&) = delete;
  Noting(Noting&& other) noexcept : fate_(std::exchange(other.fate_, nullptr)) {}
  ~Noting() {
    if (fate_ != nullptr) fate_->Note();
  }

 private:
  Fate* fate_;
};

enum class Takes : std::uint8_t { Nothing, TheFirstStep };

// `start(context, noting)` starts something whose callable keeps `noting` on an executor that then refuses
// what comes. Once with a handle that is kept, once without.
template <class Start>
void ExpectFitPlace(Takes takes, Start start) {
  for (const bool is_kept : {true, false}) {
    const Watchdog watchdog;
    Fate fate;
    Refuser refuser;
    auto task = start(refuser.Background(), Noting(fate));
    if (!is_kept) task = {};
    EXPECT_TRUE(Eventually([&] { return takes == Takes::Nothing || refuser.HasWork(); }));
    refuser.RunAndRefuse();
    fate.destroyed.Wait();
    EXPECT_FALSE(fate.was_on_timers_thread) << (is_kept ? "kept" : "dropped");
    EXPECT_FALSE(fate.was_in_loop) << (is_kept ? "kept" : "dropped");
  }
}

Task<void> ShortSleep() { return Sleep(Context::Background(), 20ms); }

TEST(DestroyedWhere, ARepeatIsRefusedAfterAPause) {
  ExpectFitPlace(Takes::Nothing, [](const Context& context, Noting noting) {
    return Repeat(context, 20ms, [noting = std::move(noting)] {});
  });
}

TEST(DestroyedWhere, ARepeatIsRefusedAfterTheTaskItFollows) {
  ExpectFitPlace(Takes::TheFirstStep, [](const Context& context, Noting noting) {
    return Repeat(context, 1h, [noting = std::move(noting)] { return ShortSleep(); }, {.immediately = true});
  });
}

TEST(DestroyedWhere, ARetryIsRefusedAfterAPause) {
  ExpectFitPlace(Takes::TheFirstStep, [](const Context& context, Noting noting) {
    return Retry(context, {.attempts = 2, .first_delay = 20ms},
                 [noting = std::move(noting)]() -> Error { return Errc::Closed; });
  });
}

TEST(DestroyedWhere, ARetryIsRefusedAfterTheTaskItFollows) {
  ExpectFitPlace(Takes::TheFirstStep, [](const Context& context, Noting noting) {
    return Retry(context, {.attempts = 2}, [noting = std::move(noting)] { return ShortSleep(); });
  });
}

TEST(DestroyedWhere, AContinuationIsRefusedAfterASleep) {
  ExpectFitPlace(Takes::Nothing, [](const Context& context, Noting noting) {
    return After(context, ShortSleep(), [noting = std::move(noting)] {});
  });
}

TEST(DestroyedWhere, AContinuationIsRefusedWhereATaskTells) {
  ExpectFitPlace(Takes::TheFirstStep, [](const Context& context, Noting noting) {
    return After(context, Invoke(context, [] {}), [noting = std::move(noting)] {});
  });
}

TEST(DestroyedWhere, ABodyReturnedASleep) {
  ExpectFitPlace(Takes::TheFirstStep, [](const Context& context, Noting noting) {
    return Invoke(context, [noting = std::move(noting)] { return ShortSleep(); });
  });
}

TEST(DestroyedWhere, AConsumerIsRefusedAfterASleep) {
  ExpectFitPlace(Takes::TheFirstStep, [](const Context& context, Noting noting) {
    return Consume(context, 1, [noting = std::move(noting)] { return std::optional(ShortSleep()); });
  });
}

}  // namespace
}  // namespace orchestrate::test
