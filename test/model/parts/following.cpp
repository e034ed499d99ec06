#include <task/context_end.hpp>
#include <task/frame.hpp>
#include <test/model/task_layer.hpp>

// Tasks whose body is on no thread: the end of their context, of what they follow, and a Cancel() meet there.
namespace orchestrate::test {
namespace {

using detail::BodyResult;

Error Ended() { return {Errc::Cancelled, "by a test"}; }

void Complete(ModelTask& task) {
  if (!BeginSet(task)) return;
  task.value = 7;
  BodyResult result;
  result.end = detail::BodyEnd::Value;
  EndSet(task, result);
}

// A promise's task below the root.
struct Pending : TaskLayer {
  Pending(Program& program, bool has_context = true) : TaskLayer(program) {
    task = new ModelTask(fate, 2U, nullptr);
    if (has_context) Adopt(*task, Root());
    task->state.store(detail::kRunning | detail::TaskCore::kNoBody, memory_order_relaxed);
  }
  void CheckEnd(int told) {
    Check(task->IsTerminal(), "it has ended");
    Check(fate.told == told, "the waiter is told once");
    if (task->PhaseNow() == detail::kCancelled)
      Check(ReadError(*task).Message() == Ended().Message(), "with the cause");
    Unref(*task);
    Check(fate.released == 1, "it is released once");
  }

  Fate fate;
  ModelTask* task;
};

const Register kFirstWaiter("following", "AFirstWaiterHearsOfTheEndOfTheContext", [](Program& program) {
  auto& state = Make<Pending>(program);
  auto& added = Make<bool>(false);
  program.Thread([&] {
    added = AddWaiter(*state.task, state.task->waiter);
    Unref(*state.task);
  });
  program.Thread([&] { EndScope(state.Root(), Ended()); });
  program.Finally([&] { state.CheckEnd(added ? 1 : 0); });
});

const Register kSetOrEnded("following", "APromiseIsSetOrEndsWithItsContext", [](Program& program) {
  auto& state = Make<Pending>(program);
  state.task->AddWaiter();
  program.Thread([&] {
    Complete(*state.task);
    Unref(*state.task);
  });
  program.Thread([&] { EndScope(state.Root(), Ended()); });
  program.Finally([&] { state.CheckEnd(1); });
});

const Register kRunOrEnded("following", "AQueuedTaskWithAWaiterRunsOrEndsWithItsContext",
                           [](Program& program) {
                             auto& state = Make<Pending>(program);
                             state.task->act = ModelTask::Return;
                             state.task->state.store(detail::kQueued, memory_order_relaxed);
                             state.task->AddWaiter();
                             program.Thread([&] { RunQueued(*state.task); });
                             program.Thread([&] { EndScope(state.Root(), Ended()); });
                             program.Finally([&] { state.CheckEnd(1); });
                           });

// ---- what a body has returned ----

struct Node final : detail::FollowNode {
  static detail::TaskCore* Hear(detail::Waiter& waiter, detail::TaskCore& /*inner*/,
                                detail::Notice notice) noexcept {
    if (notice != detail::Notice::Ended) return nullptr;
    auto& self = static_cast<Node&>(waiter);
    auto& outer = static_cast<ModelTask&>(*self.successor);
    if (BeginSet(outer)) {
      outer.value = 7;
      BodyResult result;
      result.end = detail::BodyEnd::Value;
      EndSetChained(self, result);
    } else {
      AwaitLeaving(outer, detail::kAdopting);
      delete &self;
      Unref(outer);
    }
    return nullptr;
  }
};

// A task whose body returns a promise's task.
struct Returned : Pending {
  explicit Returned(Program& program) : Pending(program, false) {
    outer = new ModelTask(outer_fate, 2U, [](ModelTask& core, BodyResult& result) {
      auto& node = *new Node;
      node.notify = Node::Hear;
      node.release = [](detail::ChainNode& chained) noexcept { delete &static_cast<Node&>(chained); };
      node.successor = &core;
      node.followed = *inner;
      if (StartFollowing(core, node)) {
        result.end = detail::BodyEnd::Pending;
      } else {
        delete &node;
        result = {.end = detail::BodyEnd::Failure, .error = Ended()};
      }
    });
    inner = &Make<detail::TaskCore*>(task);
    outer->Queue();
  }
  void LetGo() {
    Check(outer->IsTerminal(), "the outer one has ended");
    Unref(*outer);
    Check(outer_fate.released == 1, "it is released once");
    Unref(*task);
    Check(fate.released == 1, "and the other");
  }

  static inline detail::TaskCore** inner = nullptr;
  Fate outer_fate;
  ModelTask* outer;
};

const Register kReturnedSet("following", "AReturnedTaskEndsTheOtherWheneverItEnds", [](Program& program) {
  auto& state = Make<Returned>(program);
  program.Thread([&] { RunQueued(*state.outer); });
  program.Thread([&] { Complete(*state.task); });
  program.Finally([&] {
    Check(state.outer->PhaseNow() == detail::kCompleted, "with its value");
    Unref(*state.task);
    state.LetGo();
  });
});

const Register kReturnedCancel("following", "AFollowingTaskIsCancelledOrHearsOfTheEnd", [](Program& program) {
  auto& state = Make<Returned>(program);
  auto& cancelled = Make<bool>(false);
  RunQueued(*state.outer);
  program.Thread([&] { cancelled = CancelTask(*state.outer, Ended()); });
  program.Thread([&] {
    Complete(*state.task);
    Unref(*state.task);
  });
  program.Finally([&] {
    Check(state.outer->PhaseNow() == (cancelled ? detail::kCancelled : detail::kCompleted),
          "Cancel() says which");
    state.LetGo();
  });
});

const Register kReturningCancel("following", "ATaskIsCancelledWhileItsBodyReturnsAnother",
                                [](Program& program) {
                                  auto& state = Make<Returned>(program);
                                  program.Thread([&] { RunQueued(*state.outer); });
                                  program.Thread([&] { CancelTask(*state.outer, Ended()); });
                                  program.Finally([&] {
                                    Check(state.outer->PhaseNow() == detail::kCancelled,
                                          "nothing else ends it");
                                    Complete(*state.task);
                                    Unref(*state.task);
                                    state.LetGo();
                                  });
                                });

}  // namespace
}  // namespace orchestrate::test
