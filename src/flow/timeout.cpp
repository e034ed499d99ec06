#include <orchestrate/flow/timeout.hpp>

#include <string>

#include "task/context_end.hpp"
#include "task/frame.hpp"

namespace orchestrate::inline v1::detail {
namespace {

// Between the result, which runs as long as the work does, the work, and the alarm. The end of the work or of
// the time ends the result, whichever comes first; a Cancel() of the result, or the end of its context, ends
// the work. It lives until it can hear of none of these any more.
struct Limit : Link, Deferred {
  struct Listener : ChainNode {
    Limit* limit = nullptr;
    void (*on_end)(Limit&) noexcept = nullptr;
  };

  Limit() noexcept {
    fire = [](Link& link) noexcept -> Deferred* { return &static_cast<Limit&>(link); };
    run = [](Deferred& deferred) noexcept {
      auto& self = static_cast<Limit&>(deferred);
      self.EndWork(EndOf(*self.outer));
      self.Drop();
    };
  }

  // The result shows as cancelled at once and ends with the work.
  void EndWork(const Error& cause) noexcept {
    CancelTask(*outer, cause);
    CancelTask(*inner, cause);
  }

  static void OnInner(Limit& limit) noexcept {
    const bool is_first = limit.IsFirst();
    limit.dependency.End();
    CancelTask(*limit.alarm, Errc::Cancelled);
    if (RemoveLink(*limit.outer, limit)) limit.Drop();
    if (!is_first) return;
    limit.refs.fetch_add(1, sync::memory_order_relaxed);
    limit.on_inner.release = [](ChainNode& node) noexcept {
      Limit& self = *static_cast<Listener&>(node).limit;
      self.pass_on(*self.outer, *self.inner);
      self.Drop();
    };
    SettleLater(limit.on_inner);  // it copies the value
  }
  // The alarm is cancelled by the above, and when the timers or its context end, which ends the work.
  static void OnAlarm(Limit& limit) noexcept {
    if (Error ended = ReadError(*limit.alarm)) {
      if (!limit.has_ended.load(sync::memory_order_acquire)) limit.EndWork(ended);
      return;
    }
    const bool is_first = limit.IsFirst();
    CancelTask(*limit.inner, Errc::DeadlineExceeded);
    if (!is_first) return;
    BodyResult result{.end = BodyEnd::Cancelled, .error = Errc::DeadlineExceeded};
    StampEnd(*limit.outer);
    FinishBody(*limit.outer, result);
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

  // True for the one end that becomes that of the result.
  [[nodiscard]] bool IsFirst() noexcept { return !has_ended.exchange(true, sync::memory_order_acq_rel); }

  void Drop(std::uint32_t count = 1) noexcept {
    // Release pairs with the acquire of the last one, which lets go of the tasks.
    if (refs.fetch_sub(count, sync::memory_order_acq_rel) != count) return;
    for (TaskCore* task : {outer, inner, alarm}) {
      if (task != nullptr) Unref(*task);
    }
    std::destroy_at(this);
    FreeBlock(this, sizeof(Limit));
  }

  sync::atomic<std::uint32_t> refs{4};  // the two listeners', the link's, and that of StartTimeout()
  sync::atomic<bool> has_ended{false};
  PassOn pass_on = nullptr;
  TaskCore* outer = nullptr;  // each with a reference
  TaskCore* inner = nullptr;
  TaskCore* alarm = nullptr;
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

Error CheckTimeout(const Where& where, const TaskHandle* task, Nanoseconds timeout) {
  if (task != nullptr && !*task) return {Errc::InvalidArgument, "Timeout: the task is empty"};
  if (timeout >= Nanoseconds::zero()) return RefusalAt("Timeout", where);
  return {Errc::InvalidArgument, "Timeout: timeout " + std::to_string(timeout.count()) + " ns, must be >= 0"};
}

void StartTimeout(TaskCore& outer, const Where& where, Nanoseconds timeout, const TaskHandle& inner,
                  const Where& inner_where, PassOn pass_on) {
  outer.state.store(kRunning, sync::memory_order_relaxed);  // until the work has left
  if (outer.parent == nullptr)
    WhereAccess::WithParent(where, [&outer](ContextNode& parent) { Adopt(outer, parent); });
  Limit& limit = *::new (AllocateBlock(sizeof(Limit))) Limit;
  limit.pass_on = pass_on;
  bool is_linked = false;
  Task<void> alarm;
  try {
    alarm = SleepFor(where, timeout);
    Ref(outer);
    limit.outer = &outer;
    limit.inner = Share(inner);
    limit.alarm = Share(alarm);
    is_linked = AddLink(outer, limit);
    inner.RunIn(inner_where);  // last: what throws has started nothing
  } catch (...) {
    (void)alarm.Cancel();
    const bool has_fired = is_linked && !RemoveLink(outer, limit);
    limit.Drop(has_fired ? 3 : 4);
    throw;
  }
  (void)limit.dependency.Begin(outer, *limit.inner, Dependency::Kind::Timed);
  limit.Listen(limit.on_inner, *limit.inner, Limit::OnInner);
  limit.Listen(limit.on_alarm, *limit.alarm, Limit::OnAlarm);
  if (!is_linked) limit.run(limit);  // its context has ended
  limit.Drop();
}

}  // namespace orchestrate::inline v1::detail
