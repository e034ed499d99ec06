#include <orchestrate/flow/timeout.hpp>

#include <string>

#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// Listens to the ends of three tasks: the result, the work, and the alarm. It lives until the last of them.
struct Limit {
  struct Listener : ChainNode {
    Limit* limit = nullptr;
    void (*on_end)(Limit&) noexcept = nullptr;
  };

  // What each end means; to cancel what has ended already does nothing.
  static void OnOuter(Limit& limit) noexcept {
    CancelTask(*limit.alarm, Errc::Cancelled);
    if (limit.outer->PhaseNow() == kCancelled) CancelTask(*limit.inner, limit.outer->error.Get());
  }
  static void OnInner(Limit& limit) noexcept {
    limit.dependency.End();
    limit.pass_on(*limit.outer, *limit.inner);
    CancelTask(*limit.alarm, Errc::Cancelled);
  }
  static void OnAlarm(Limit& limit) noexcept {
    // The alarm is cancelled by the end of its context, or by one of the above.
    const Error ended = ReadError(*limit.alarm);
    CancelTask(*limit.outer, ended ? ended : Error(Errc::DeadlineExceeded));
  }

  void Listen(Listener& listener, TaskCore& task, void (*on_end)(Limit&) noexcept) noexcept {
    listener.limit = this;
    listener.on_end = on_end;
    listener.notify = Notify;
    listener.release = React;
    if (!AddWaiter(task, listener)) Notify(listener, task, Notice::Ended);
  }

  static TaskCore* Notify(Waiter& waiter, TaskCore& /*task*/, Notice notice) noexcept {
    if (notice == Notice::Ended) ReleaseSoon(static_cast<Listener&>(waiter));  // a chain costs no stack
    return nullptr;
  }
  static void React(ChainNode& node) noexcept {
    auto& listener = static_cast<Listener&>(node);
    Limit& limit = *listener.limit;
    listener.on_end(limit);
    limit.Drop();
  }

  void Drop() noexcept {
    // Release pairs with the acquire of the last one, which lets go of the tasks.
    if (refs.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
    Unref(*outer);
    Unref(*inner);
    Unref(*alarm);
    std::destroy_at(this);
    FreeBlock(this, sizeof(Limit));
  }

  sync::atomic<std::uint32_t> refs{4};  // the listeners', and that of StartTimeout()
  PassOn pass_on = nullptr;
  TaskCore* outer = nullptr;  // each with a reference
  TaskCore* inner = nullptr;
  TaskCore* alarm = nullptr;
  Listener on_outer;
  Listener on_inner;
  Listener on_alarm;
  Dependency dependency;
};

TaskCore* Share(const TaskHandle& task) noexcept {
  TaskCore* core = TaskAccess::Core(task);
  Ref(*core);
  return core;
}

}  // namespace

Error CheckTimeout(const TaskHandle* task, Nanoseconds timeout) {
  if (task != nullptr && !*task) return {Errc::InvalidArgument, "Timeout: the task is empty"};
  if (timeout >= Nanoseconds::zero()) return {};
  return {Errc::InvalidArgument, "Timeout: timeout " + std::to_string(timeout.count()) + " ns, must be >= 0"};
}

void StartTimeout(TaskCore& outer, const Where& where, Nanoseconds timeout, const TaskHandle& inner,
                  const Where& inner_where, PassOn pass_on) {
  Limit& limit = *::new (AllocateBlock(sizeof(Limit))) Limit;
  Task<void> alarm;
  try {
    alarm = SleepFor(where, timeout);
    inner.RunIn(inner_where);  // last: what throws has started nothing
  } catch (...) {
    (void)alarm.Cancel();
    FreeBlock(&limit, sizeof(Limit));
    throw;
  }
  limit.pass_on = pass_on;
  Ref(outer);
  limit.outer = &outer;
  limit.inner = Share(inner);
  limit.alarm = Share(alarm);
  (void)limit.dependency.Begin(outer, *limit.inner, Dependency::Kind::Timed);
  limit.Listen(limit.on_inner, *limit.inner, Limit::OnInner);
  limit.Listen(limit.on_alarm, *limit.alarm, Limit::OnAlarm);
  limit.Listen(limit.on_outer, outer, Limit::OnOuter);
  limit.Drop();
}

}  // namespace orchestrate::inline v1::detail
