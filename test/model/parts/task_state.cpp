#include <array>

#include <task/frame.hpp>
#include <test/model/task_layer.hpp>
#include "task/context_end.hpp"

// One task's life: who runs, cancels, completes or continues it, and who lets go of it last.
namespace orchestrate::test {
namespace {

using detail::BodyResult;

// With memory of its own, so that it matters who sees what.
Error Cause() { return {Errc::Cancelled, "by a test"}; }

// One task that somebody may run.
struct State : TaskLayer {
  State(Program& program, std::uint32_t refs, ModelTask::Act act) : TaskLayer(program) {
    task = new ModelTask(fate, refs, act);
  }
  // What holds at the end of each task, when all references are gone.
  void CheckGone(const Fate& its) const {
    Check(its.released == 1, "it is released once");
    Check(its.called <= 1, "the body is called once at the most");
    Check(its.callables_destroyed == 1, "the callable is destroyed once");
    Check(its.values_destroyed <= 1, "a value is destroyed once at the most");
  }

  Fate fate;
  ModelTask* task;
};

const Register kClaim("task state", "OneOfTwoRunsIt", [](Program& program) {
  auto& state = Make<State>(program, 3U, ModelTask::Return);
  state.task->Queue();
  for (int i = 0; i < 2; ++i) {
    program.Thread([&] {
      detail::TryRun(*state.task, detail::kQueued);
      if (state.task->IsTerminal()) Check(state.task->value == 7, "who sees the end sees the value");
      Unref(*state.task);
    });
  }
  program.Finally([&] {
    Check(state.task->PhaseNow() == detail::kCompleted, "it has run");
    Unref(*state.task);
    state.CheckGone(state.fate);
    Check(state.fate.called == 1, "the body was called");
  });
});

const Register kCancel("task state", "ARunningTaskEndsOnceAlsoWhenItIsCancelled", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Return);
  auto& cancelled = Make<bool>(false);
  state.task->Queue();
  state.task->AddWaiter();
  program.Thread([&] { RunQueued(*state.task); });
  program.Thread([&] { cancelled = CancelTask(*state.task, Cause()); });
  program.Finally([&] {
    const auto phase = state.task->PhaseNow();
    Check(phase == (cancelled ? detail::kCancelled : detail::kCompleted), "Cancel() says what became of it");
    Check(cancelled == state.task->error.IsSet() || !cancelled, "a cancelled task has a cause");
    Check(state.fate.told == 1, "who waits is told once");
    Unref(*state.task);
    state.CheckGone(state.fate);
    Check(state.fate.values_destroyed == (cancelled ? state.fate.called : 0),
          "a value that nobody gets is destroyed");
  });
});

// Whoever finds it queued sees what it was given before.
struct Starting : State {
  explicit Starting(Program& program) : State(program, 3, ModelTask::Return) {
    program.Thread([this] {
      Start(*task, Root());
      Unref(*task);
      RunPosted();
    });
    program.Finally([this] {
      Check(task->IsTerminal(), "it has ended");
      Unref(*task);
      CheckGone(fate);
    });
  }
};

const Register kClaimStarted("task state", "AStartedTaskIsRunOnce", [](Program& program) {
  auto& state = Make<Starting>(program);
  program.Thread([&] {
    detail::TryRun(*state.task, detail::kQueued);
    Unref(*state.task);
  });
});

const Register kCancelStarted("task state", "AStartedTaskIsRunOrCancelled", [](Program& program) {
  auto& state = Make<Starting>(program);
  program.Thread([&] {
    CancelTask(*state.task, Cause());
    Unref(*state.task);
  });
});

const Register kCauseInside("task state", "ABodySeesWhyItShallEnd", [](Program& program) {
  auto& state = Make<State>(program, 2U, [](ModelTask& task, BodyResult& result) {
    if (const Error ended = EndOf(task)) Check(ended.Code() == Errc::Cancelled, "that is why");
    ModelTask::Return(task, result);
  });
  state.task->Queue();
  program.Thread([&] { RunQueued(*state.task); });
  program.Thread([&] {
    CancelTask(*state.task, Cause());
    Unref(*state.task);
  });
  program.Finally([&] { state.CheckGone(state.fate); });
});

const Register kCauseOutside("task state", "WhoSeesTheEndSeesTheCause", [](Program& program) {
  auto& state = Make<State>(program, 3U, ModelTask::Return);
  state.task->Queue();
  program.Thread([&] {
    CancelTask(*state.task, Cause());
    Unref(*state.task);
  });
  program.Thread([&] {
    if (state.task->PhaseNow() == detail::kCancelled)
      Check(ReadError(*state.task).Code() == Errc::Cancelled, "that is the cause");
    Unref(*state.task);
  });
  program.Finally([&] {
    RunQueued(*state.task);  // the entry that stayed behind
    state.CheckGone(state.fate);
  });
});

const Register kFails("task state", "AFailureAndACancelHaveOneCause", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Throw);
  auto& cancelled = Make<bool>(false);
  state.task->Queue();
  program.Thread([&] { RunQueued(*state.task); });
  program.Thread([&] { cancelled = CancelTask(*state.task, Cause()); });
  program.Finally([&] {
    const auto phase = state.task->PhaseNow();
    Check(phase == (cancelled ? detail::kCancelled : detail::kFailed), "Cancel() says what became of it");
    Check(ReadError(*state.task).Code() == (cancelled ? Errc::Cancelled : Errc::Exception), "and why");
    Unref(*state.task);
    state.CheckGone(state.fate);
    Check(state.reports == 0, "a failure that was read is not reported");
  });
});

const Register kTwoCancels("task state", "OneOfTwoCancelsIsTheCause", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Return);
  auto& won = Make<std::array<bool, 2>>();
  state.task->Queue();
  state.task->AddWaiter();
  program.Thread([&] { won[0] = CancelTask(*state.task, Cause()); });
  program.Thread([&] { won[1] = CancelTask(*state.task, Errc::DeadlineExceeded); });
  program.Finally([&] {
    Check(won[0] != won[1], "one has won");
    Check(ReadError(*state.task).Code() == (won[0] ? Errc::Cancelled : Errc::DeadlineExceeded),
          "and is the cause");
    Check(state.fate.told == 1, "who waits is told once");
    RunQueued(*state.task);  // the entry that stayed behind
    Unref(*state.task);
    state.CheckGone(state.fate);
    Check(state.fate.called == 0, "it was not called");
  });
});

const Register kContext("task state", "AnEndedContextEndsItOrComesTooLate", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Return);
  state.task->Queue();
  program.Thread([&] { RunQueued(*state.task); });
  program.Thread([&] { EndScope(state.Root(), Cause()); });
  program.Finally([&] {
    const bool cancelled = state.task->PhaseNow() == detail::kCancelled;
    Check(cancelled || state.task->PhaseNow() == detail::kCompleted, "it has ended");
    Check(!cancelled || ReadError(*state.task).Code() == Errc::Cancelled, "with the context's cause");
    Unref(*state.task);
    state.CheckGone(state.fate);
  });
});

// A task without a body.
const Register kPromise("task state", "APromiseIsSetOrCancelled", [](Program& program) {
  auto& state = Make<State>(program, 3U, nullptr);
  state.task->state.store(detail::kRunning | detail::TaskCore::kNoBody, memory_order_relaxed);
  state.task->AddWaiter();
  auto& set = Make<bool>(false);
  auto& cancelled = Make<bool>(false);
  program.Thread([&] {
    if (BeginSet(*state.task)) {
      state.task->value = 7;
      BodyResult result;
      EndSet(*state.task, result);
      set = true;
    }
    Unref(*state.task);
  });
  program.Thread([&] {
    cancelled = CancelTask(*state.task, Cause());
    if (state.task->PhaseNow() == detail::kCompleted)
      Check(state.task->value == 7, "who sees the end sees the value");
    Unref(*state.task);
  });
  program.Finally([&] {
    Check(set != cancelled, "one has won");
    Check(state.task->PhaseNow() == (set ? detail::kCompleted : detail::kCancelled), "the one that says so");
    Check(state.fate.told == 1, "who waits is told once");
    Unref(*state.task);
    Check(state.fate.released == 1, "it is released once");
  });
});

const Register kHandle("task state", "TheLastToLetGoReleasesIt", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Throw);
  auto& read = Make<bool>(false);
  state.task->Queue();
  program.Thread([&] { RunQueued(*state.task); });
  program.Thread([&] {
    read = state.task->IsTerminal() && ReadError(*state.task);
    Unref(*state.task);
  });
  program.Finally([&] {
    state.CheckGone(state.fate);
    Check(state.reports == (read ? 0 : 1), "a failure is read or reported");
  });
});

// Who is told gives the reference up by which the task was found.
const Register kLate("task state", "WhoComesAtTheEndIsToldOrSeesIt", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Return);
  static constexpr auto kLetGo = [](detail::Waiter&, detail::TaskCore& core,
                                    detail::Notice) noexcept -> detail::TaskCore* {
    ++static_cast<ModelTask&>(core).fate.told;
    Unref(core);
    return nullptr;
  };
  state.task->waiter.notify = kLetGo;
  auto& added = Make<bool>(false);
  state.task->Queue();
  program.Thread([&] { RunQueued(*state.task); });
  program.Thread([&] {
    added = AddWaiter(*state.task, state.task->waiter);
    if (added) return;
    Check(state.task->value == 7, "who is refused sees the value");
    Unref(*state.task);
  });
  program.Finally([&] {
    Check(state.fate.told == (added ? 1 : 0), "who is not refused is told once");
    state.CheckGone(state.fate);
  });
});

// As the next, where nobody waits: who ends the task does not close the list then.
const Register kDroppedAlone("task state", "AHandleGoesWhileTheTaskStartsAndEnds", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Return);
  program.Thread([&] {
    Start(*state.task, state.Root());
    state.RunPosted();
    Unref(*state.task);
  });
  program.Thread([&] { Unref(*state.task); });
  program.Finally([&] { state.CheckGone(state.fate); });
});

// The last handle of a task that nobody has run goes while somebody else runs it.
const Register kDropped("task state", "ACreatedTaskIsRunOrEndsWithItsLastHandle", [](Program& program) {
  auto& state = Make<State>(program, 2U, ModelTask::Return);
  state.task->AddWaiter();
  program.Thread([&] {
    Start(*state.task, state.Root());
    Unref(*state.task);
    state.RunPosted();
  });
  program.Thread([&] { Unref(*state.task); });
  program.Finally([&] {
    state.CheckGone(state.fate);
    Check(state.fate.called == 1, "it has run: its starter had a handle");
    Check(state.fate.told == 1, "who waits is told once");
  });
});

// ---- continuations ----

struct Chain : State {
  Chain(Program& program, ModelTask::Act act) : State(program, 2, act) {
    task->Queue();
    next = new ModelTask(next_fate, 2, [](ModelTask& next_task, BodyResult& result) {
      auto& before = static_cast<ModelTask&>(*next_task.after.predecessor);
      Check(before.value == 7, "a continuation sees the value");
      result.end = detail::BodyEnd::Value;
    });
  }
  void Continue() {
    Attach(next->after, *task, detail::AfterMode::OnValue);
    RunPosted();
  }
  void RunFirst() {
    RunQueued(*task);
    RunPosted();
  }
  // Of both, and the queue is empty.
  void LetGo() {
    Unref(*next);
    Unref(*task);
    CheckGone(fate);
    CheckGone(next_fate);
  }

  Fate next_fate;
  ModelTask* next;
};

const Register kAttach("task state", "AContinuationRunsOnceWheneverItIsAttached", [](Program& program) {
  auto& chain = Make<Chain>(program, ModelTask::Return);
  program.Thread([&] { chain.RunFirst(); });
  program.Thread([&] { chain.Continue(); });
  program.Finally([&] {
    chain.RunPosted();
    Check(chain.next->PhaseNow() == detail::kCompleted, "it has run");
    chain.LetGo();
    Check(chain.next_fate.called == 1, "its body was called");
  });
});

const Register kPassesOn("task state", "AContinuationTakesTheErrorOver", [](Program& program) {
  auto& chain = Make<Chain>(program, ModelTask::Throw);
  program.Thread([&] { chain.RunFirst(); });
  program.Thread([&] { chain.Continue(); });
  program.Finally([&] {
    Check(chain.next->PhaseNow() == detail::kFailed, "it has failed, too");
    Check(ReadError(*chain.next).Code() == Errc::Exception, "with the same error");
    chain.LetGo();
    Check(chain.next_fate.called == 0, "its body was not called");
    Check(chain.reports == 0, "who takes an error over has read it");
  });
});

const Register kCancelNext("task state", "AContinuationIsCancelledOrRuns", [](Program& program) {
  auto& chain = Make<Chain>(program, ModelTask::Return);
  auto& cancelled = Make<bool>(false);
  chain.Continue();
  program.Thread([&] { chain.RunFirst(); });
  program.Thread([&] { cancelled = CancelTask(*chain.next, Cause()); });
  program.Finally([&] {
    chain.RunPosted();
    Check(chain.next->PhaseNow() == (cancelled ? detail::kCancelled : detail::kCompleted),
          "Cancel() says which");
    chain.LetGo();
  });
});

// Who waits for a continuation looks at its predecessor while that ends.
const Register kShare("task state", "APredecessorIsSharedOrHasLeft", [](Program& program) {
  auto& chain = Make<Chain>(program, ModelTask::Return);
  chain.Continue();
  Unref(*chain.task);
  program.Thread([&] { chain.RunFirst(); });  // and destroys it
  program.Thread([&] {
    detail::TaskCore* before = detail::SharePredecessor(*chain.next);
    if (before == nullptr) return;
    Check(before == chain.task, "that is it");
    (void)before->PhaseNow();
    Unref(*before);
  });
  program.Finally([&] {
    chain.RunPosted();
    Check(chain.next_fate.called == 1, "the continuation has run");
    Unref(*chain.next);
    chain.CheckGone(chain.fate);
    chain.CheckGone(chain.next_fate);
  });
});

}  // namespace
}  // namespace orchestrate::test
