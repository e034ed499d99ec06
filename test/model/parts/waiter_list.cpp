#include <orchestrate/task/detail/waiter_list.hpp>
#include <test/model/model.hpp>

// What waits for one completion: added, removed, told.
namespace orchestrate::test {
namespace {

struct Subject {
  detail::WaiterList<Subject> waiters;
  sync::plain<int> outcome{0};
  sync::atomic<std::uint32_t> looks{0};
  static constexpr std::uint32_t kWaited = 1;
  static constexpr std::uint32_t kEnded = 2;
  sync::atomic<std::uint32_t> state{0};
  sync::atomic<std::uint32_t> refs{2};

  // What ends a task does.
  void End() {
    outcome = 7;
    if ((state.fetch_or(kEnded, memory_order_acq_rel) & kWaited) == 0) return;
    using List = detail::WaiterList<Subject>;
    for (auto* at = List::Reverse(waiters.Close()); at != nullptr;) {
      auto& waiter = *at;
      at = at->next;
      (void)waiter.notify(waiter, *this, detail::Notice::Ended);
    }
  }
};

// What whoever waits for a task does; false when it has ended.
bool NoteWaited(Subject& subject) {
  return (subject.state.fetch_or(Subject::kWaited, memory_order_acquire) & Subject::kEnded) == 0;
}
bool AddTo(Subject& subject, detail::WaiterOf<Subject>& waiter) {
  return NoteWaited(subject) && subject.waiters.Add(waiter);
}

// Dies as soon as it was told, or has left the list.
struct Told : detail::WaiterOf<Subject> {
  Told() {
    notify = [](detail::WaiterOf<Subject>& self, Subject& subject,
                detail::Notice notice) noexcept -> Subject* {
      auto& told = static_cast<Told&>(self);
      if (notice == detail::Notice::Look) {
        subject.looks.fetch_add(1, memory_order_relaxed);
        sync::FutexWake(subject.looks, 1);
        return nullptr;
      }
      Check(subject.outcome == 7, "told before the outcome is there");
      Check(told.name == 3, "what the waiter wrote before is not seen");
      told.done.store(1, memory_order_release);
      sync::FutexWake(told.done, 1);
      return nullptr;
    };
    name = 3;
  }
  void Wait() {
    while (done.load(memory_order_acquire) == 0) sync::FutexWait(done, 0);
  }
  sync::plain<int> name{0};
  sync::atomic<std::uint32_t> done{0};
};

void AddAndWait(Subject& subject) {
  auto* waiter = new Told;
  if (AddTo(subject, *waiter)) waiter->Wait();
  Check(subject.outcome == 7, "awake before the outcome is there");
}

void AddAndGiveUp(Subject& subject) {
  auto* waiter = new Told;
  if (AddTo(subject, *waiter) && !subject.waiters.Remove(*waiter)) waiter->Wait();
  delete waiter;
}

const Register kAll("waiter list", "EverybodyIsToldOnceOrComesTooLate", [](Program& program) {
  auto& subject = Make<Subject>();
  program.Thread([&subject] { subject.End(); });
  program.Thread([&subject] { AddAndWait(subject); });
  program.Thread([&subject] { AddAndWait(subject); });
});

const Register kRemoved("waiter list", "WhoGivesUpIsToldOrForgotten", [](Program& program) {
  auto& subject = Make<Subject>();
  program.Thread([&subject] { subject.End(); });
  program.Thread([&subject] { AddAndGiveUp(subject); });
  program.Thread([&subject] { AddAndWait(subject); });
});

// As when a handle of a task that was not started goes: the lock is held while the reference is given up.
const Register kLock("waiter list", "WhoEndsItWaitsForWhoHoldsTheLock", [](Program& program) {
  auto* subject = new Subject;
  const auto unref = [subject] {
    if (subject->refs.fetch_sub(1, memory_order_acq_rel) == 1) delete subject;
  };
  program.Thread([=] {
    subject->End();
    unref();
  });
  program.Thread([=] {
    const bool open = NoteWaited(*subject) && subject->waiters.WithLock([subject](auto*&) {
      Check(subject->refs.fetch_sub(1, memory_order_acq_rel) == 2, "who ends it has the other one");
    });
    if (!open) unref();
  });
});

// As a strand does: something was written elsewhere, and those who wait are told to look at it.
const Register kLook("waiter list", "WhoComesTooLateToBeToldToLookSeesWhy", [](Program& program) {
  auto& subject = Make<Subject>();
  auto& why = Make<sync::atomic<std::uint32_t>>(0U);
  program.Thread([&] {
    why.store(1, memory_order_relaxed);
    (void)subject.waiters.WithLock([&subject](auto*& first) {
      for (auto* at = first; at != nullptr; at = at->next)
        (void)at->notify(*at, subject, detail::Notice::Look);
    });
  });
  program.Thread([&] {
    auto* waiter = new Told;
    Check(subject.waiters.Add(*waiter), "nobody closes it");
    if (why.load(memory_order_relaxed) == 0) {
      while (subject.looks.load(memory_order_relaxed) == 0) sync::FutexWait(subject.looks, 0);
    }
    Check(subject.waiters.Remove(*waiter), "nobody closes it");
    delete waiter;
  });
});

}  // namespace
}  // namespace orchestrate::test
