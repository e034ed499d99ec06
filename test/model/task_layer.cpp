#include <test/model/task_layer.hpp>

#include <cstdlib>

#include <exec/forked.hpp>
#include <exec/thread_state.hpp>
#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/time/ticks.hpp>
#include <task/frame.hpp>
#include <task/root_node.hpp>
#include "exec/scheduling.hpp"

namespace orchestrate::test {
namespace {

constinit TaskLayer* g_layer = nullptr;

class ModelExecutor final : public Executor {
 public:
  void Post(Work work) noexcept override { Work(std::move(work))(); }
};

ModelTask& TaskOf(detail::TaskCore& core) noexcept { return static_cast<ModelTask&>(core); }

void CallBody(detail::TaskCore& core, detail::BodyResult& result) noexcept {
  ModelTask& task = TaskOf(core);
  ++task.fate.called;
  Check(task.callable == 1, "the callable was there");
  task.act(task, result);
}

void DestroyParts(detail::TaskCore& core, unsigned parts) noexcept {
  ModelTask& task = TaskOf(core);
  if ((parts & detail::kCallable) != 0) {
    task.callable = 0;
    ++task.fate.callables_destroyed;
  }
  if ((parts & detail::kValue) != 0) {
    task.value = 0;
    ++task.fate.values_destroyed;
  }
}

void Release(detail::TaskCore& core) noexcept {
  ModelTask& task = TaskOf(core);
  ++task.fate.released;
  delete &task;
}

constexpr detail::TaskOps kOps{{detail::RunQueued, detail::DropQueued, detail::IsStaleEntry},
                               CallBody,
                               DestroyParts,
                               Release,
                               nullptr,
                               false,
                               true};

}  // namespace

ModelTask::ModelTask(Fate& its_fate, std::uint32_t first_refs, Act its_act)
    : TaskCore(kOps, std::source_location(), first_refs), fate(its_fate), act(its_act) {
  after.successor = this;
}

void ModelTask::Queue() {
  detail::Adopt(*this, g_layer->Root());
  state.store(detail::kQueued, memory_order_relaxed);
}

void ModelTask::Return(ModelTask& task, detail::BodyResult& result) {
  task.value = 7;
  result.end = detail::BodyEnd::Value;
}

void ModelTask::Throw(ModelTask& /*task*/, detail::BodyResult& result) {
  result = {.end = detail::BodyEnd::Failure, .error = Error(Errc::Exception, "thrown by a test")};
}

detail::TaskCore* ModelTask::Told(detail::Waiter& waiter, detail::TaskCore& core,
                                  detail::Notice notice) noexcept {
  if (notice != detail::Notice::Ended) return nullptr;
  ModelTask& task = TaskOf(core);
  Check(&waiter == &task.waiter && core.IsTerminal(), "who waits is told after the end");
  ++task.fate.told;
  return nullptr;
}

TaskLayer::TaskLayer(Program& program) {
  g_layer = this;
  detail::t_thread = {};
  program.local = {&detail::t_thread, sizeof detail::t_thread};
  root = &Make<detail::RootNode>(Make<ModelExecutor>(), nullptr);
  // As long as nothing ends a look at the epoch is enough; and it was there before all threads.
  root->seen_epoch.store(detail::g_end_epoch.load(memory_order_relaxed), memory_order_relaxed);
}

void TaskLayer::RunPosted() {
  while (RunPostedOnce()) {
  }
}

bool TaskLayer::RunPostedOnce() {
  detail::WorkNode* node = posted.exchange(nullptr, memory_order_acquire);
  if (node == nullptr) return false;
  while (node != nullptr) {
    detail::WorkNode& next = *std::exchange(node, node->next);
    next.ops->run(next);
  }
  return true;
}

}  // namespace orchestrate::test

// ---- what the task layer calls elsewhere ----

namespace orchestrate::inline v1 {

Executor::~Executor() = default;
TimerService& Executor::Timers() noexcept { std::abort(); }
TimePoint Executor::Now() noexcept { return Clock::now(); }
void Executor::Detach() noexcept {}

std::chrono::nanoseconds TicksToDuration(std::uint64_t ticks) noexcept {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(ticks));
}

namespace detail {

constinit thread_local ThreadState t_thread;
constinit std::atomic<bool> g_forked{false};
std::atomic<bool> counter_is_steady{false};  // each execution must be repeatable

std::uint64_t ReadTicksSlowly() noexcept { return 1; }
Error ShutDownError(const ContextNode& /*node*/) noexcept { return Errc::ShutDown; }
Error ForkedError(const char* /*function*/) noexcept { return Errc::ShutDown; }

RootNode::RootNode(Executor& owner, ContextNode* base) noexcept : ScopeNode(base, kRoot) {
  executor.store(&owner, sync::memory_order_relaxed);
}
void RootNode::CancelAll() noexcept {}
void RootNode::ExecutorEnded() noexcept {}
void RootNode::Keep(Executor& /*owner*/) noexcept {}
void RootNode::Describe(const void* /*frame*/, Report& /*report*/) noexcept {}
void RefRoot(RootNode& /*root*/, std::uint32_t /*count*/) noexcept {}
void UnrefRoot(RootNode& /*root*/, std::uint32_t /*count*/) noexcept {}
ScopeNode& DefaultRoot() { return test::g_layer->Root(); }
ExecutorUse::ExecutorUse(const ContextNode& node) noexcept : root_(nullptr), executor_(&ExecutorOf(node)) {}
ExecutorUse::~ExecutorUse() {
  model::Check(root_ == nullptr && !is_inside_, "a model's executor is not held");
}
TimePoint NowBelow(const ContextNode& node) noexcept { return ExecutorOf(node).Now(); }
RuntimeCore* LastingRuntimeOf(const ContextNode& /*node*/) noexcept { return nullptr; }

void PostNode(Executor& /*executor*/, WorkNode& node) noexcept {
  auto& posted = test::g_layer->posted;
  WorkNode* first = posted.load(sync::memory_order_relaxed);
  do {
    node.next = first;
  } while (
      !posted.compare_exchange_weak(first, &node, sync::memory_order_release, sync::memory_order_relaxed));
}
void PostFollower(Executor& executor, WorkNode& node, const WorkNode& /*before*/) noexcept {
  PostNode(executor, node);
}
void PostLast(Executor& executor, WorkNode& node) noexcept { PostNode(executor, node); }
void PostBelow(const ContextNode& node, WorkNode& work) noexcept { PostNode(ExecutorOf(node), work); }
void PostLastBelow(const ContextNode& node, WorkNode& work) noexcept { PostBelow(node, work); }
bool PostTask(TaskCore& core, PostFn /*post*/) noexcept { return PostBelow(core, core), true; }

void NoteSpawned(TaskCore& /*core*/) noexcept {}
void NoteStarted(TaskCore& /*core*/) noexcept {}
void NoteEnded(TaskCore& /*core*/) noexcept {}
void TellOccupants(const TaskCore& /*core*/) noexcept {}
void Withdraw(Frame& /*frame*/) noexcept {}
void Dependency::End() noexcept {}

void SendReport(RuntimeCore* /*runtime*/, const Report& /*report*/) noexcept { ++test::g_layer->reports; }

}  // namespace detail
}  // namespace orchestrate::inline v1
