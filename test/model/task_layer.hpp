#pragma once

#include <orchestrate/task/detail/task_core.hpp>
#include <test/model/model.hpp>

// The sources of the task layer under the engine, on an executor that lets whoever posts work run it.
namespace orchestrate::test {

// What became of one task; stays when it has gone.
struct Fate {
  int called = 0;
  int callables_destroyed = 0;
  int values_destroyed = 0;
  int released = 0;
  int told = 0;  // those who wait for it
};

// A task without handles, whose body does `act`.
struct ModelTask : detail::TaskCore {
  using Act = void (*)(ModelTask&, detail::BodyResult&);

  ModelTask(Fate& its_fate, std::uint32_t first_refs, Act its_act = nullptr);

  // What the callable holds, and the value: whoever destroys or reads them has to know of the last access.
  sync::plain<int> callable{1};
  sync::plain<int> value{0};
  detail::AfterNode after;  // of a continuation
  detail::Waiter waiter{Told};
  Fate& fate;
  Act act;

  // Before anybody else knows it: waits for its turn on the executor.
  void Queue();
  // Has `fate.told` count its end.
  void AddWaiter() { Check(detail::AddWaiter(*this, waiter), "it has not ended"); }
  // Ends it from a body as a body does.
  static void Return(ModelTask& task, detail::BodyResult& result);
  static void Throw(ModelTask& task, detail::BodyResult& result);

 private:
  static detail::TaskCore* Told(detail::Waiter& waiter, detail::TaskCore& core,
                                detail::Notice notice) noexcept;
};

// What there is beside the tasks, once in each execution.
struct TaskLayer {
  explicit TaskLayer(Program& program);

  detail::ScopeNode& Root() noexcept { return *root; }
  // Runs what was posted until nothing is left.
  void RunPosted();
  // Runs what has been posted so far; false when that is nothing.
  bool RunPostedOnce();

  int reports = 0;  // of failures that nobody read
  detail::ScopeNode* root = nullptr;
  sync::atomic<detail::WorkNode*> posted{nullptr};
};

}  // namespace orchestrate::test
