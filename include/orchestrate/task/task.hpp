#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <orchestrate/base/function.hpp>
#include <orchestrate/base/result.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/task/detail/task_block.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/detail/wait_table.hpp>
#include <orchestrate/task/task_handle.hpp>
#include <orchestrate/task/where.hpp>

namespace orchestrate::inline v1 {

/// Refers to a piece of work: its lifecycle, its result and how long it took.
///
/// A handle is one pointer; copies share. A task whose last handle is dropped before anybody ran it becomes
/// `Cancelled`; one that was started goes on without handles, and a failure nobody read is reported.
/// @par Thread safety  All const members may be called from any thread, on one handle, too.
template <class T>
class [[nodiscard("Task: keep the handle to learn how it ends, or cast to void")]] Task
    : public detail::TaskHandle {
  static_assert(!std::is_same_v<T, Error>, "Task<Error>: work that returns Error is a Task<void>");
  static_assert(!std::is_reference_v<T>,
                "a task cannot yield a reference: return a value, a pointer or std::reference_wrapper");

 public:
  using ValueType = T;

  /// Makes an empty handle.
  Task() noexcept = default;

  /// Starts a created task once; see `RunIn`.
  /// @return this handle.
  const Task& Run(const Where& where = {}) const {
    RunIn(where);
    return *this;
  }

  /// Waits, and returns the value or the error; a value that cannot be copied is moved out, once.
  ///
  /// Errors, blocking and cancellation are those of `Wait()`; `AlreadyTaken` when the value is gone.
  Result<T> Outcome() const {
    if (Error error = Settle()) return error;
    return Read();
  }
  /// Waits as `Wait(context)` does, and returns the same, or the error of `context` when that ended first.
  Result<T> Outcome(const Context& context) const {
    if (Error error = Wait(context)) return error;
    return Read();
  }

  /// Waits, and returns the value in place; throws what the work threw, or `ErrorException`.
  decltype(auto) Get() const& {
    if (Error error = Settle()) error.Rethrow();
    if constexpr (!std::is_void_v<T>) {
      if (IsTaken()) detail::TakenError().Rethrow();
      return std::as_const(Core().value);
    }
  }
  /// Waits, and returns the value: a copy, or moved out when this is the only handle or it cannot be copied.
  T Get() && {
    if (Error error = Settle()) error.Rethrow();
    if constexpr (std::is_void_v<T>) {
      return;
    } else if constexpr (std::is_copy_constructible_v<T>) {
      if (IsTaken()) detail::TakenError().Rethrow();
      if (core_->refs.load(sync::memory_order_acquire) == 1) return std::move(Core().value);
      return std::as_const(Core().value);
    } else {
      return Take();
    }
  }

  /// Waits, and moves the value out; the second call throws `AlreadyTaken`.
  ///
  /// Not while another thread copies the value through `Get` or `Outcome`.
  T Take() const {
    if (Error error = Settle()) error.Rethrow();
    if constexpr (!std::is_void_v<T>) {
      if (!MarkTaken()) detail::TakenError().Rethrow();
      return std::move(Core().value);
    }
  }

  /// Returns the outcome if the task has ended, without waiting.
  [[nodiscard]] std::optional<Result<T>> TryGet() const {
    if (!IsDone()) return std::nullopt;
    return Outcome();
  }

  /// Runs `fn` with the value when this task has completed; see `After`.
  template <class F>
  auto Then(F&& fn, std::source_location location = detail::Here()) const;

 private:
  friend struct detail::TaskAccess;
  explicit Task(detail::ValueCore<T>& core) noexcept : TaskHandle(core) {}

  [[nodiscard]] detail::ValueCore<T>& Core() const noexcept {
    return static_cast<detail::ValueCore<T>&>(*core_);
  }
  // Of a task that has completed.
  [[nodiscard]] Result<T> Read() const {
    if constexpr (std::is_void_v<T>) {
      return {};
    } else if constexpr (std::is_copy_constructible_v<T>) {
      if (IsTaken()) return detail::TakenError();
      return Result<T>(std::in_place, std::as_const(Core().value));
    } else {
      if (!MarkTaken()) return detail::TakenError();
      return Result<T>(std::in_place, std::move(Core().value));
    }
  }
  [[nodiscard]] bool IsTaken() const noexcept {
    return (core_->state.load(sync::memory_order_acquire) & detail::ContextNode::kTaken) != 0;
  }
};

namespace detail {

// Takes the outcome of `inner`, which has ended, as that of `outer`.
template <class T>
void TakeOver(ValueCore<T>& outer, TaskCore& inner, BodyResult& result) noexcept {
  result.end = BodyEnd::Value;
  if (Error error = ReadError(inner)) {
    Fail(result, std::move(error));
    if (inner.PhaseNow() == kCancelled) result.end = BodyEnd::Cancelled;
  } else if constexpr (!std::is_void_v<T>) {
    auto& typed = static_cast<ValueCore<T>&>(inner);
    RunInto(outer, result, [&typed] { return TaskAccess::Share(typed).Outcome(); });
  }
}

// Waits for an inner task on behalf of an outer one.
template <class T>
struct FlattenNode final : FollowNode {
  static TaskCore* Notify(Waiter& waiter, TaskCore& subject, Notice notice) noexcept {
    if (notice != Notice::Ended) return nullptr;
    auto& self = static_cast<FlattenNode&>(waiter);
    auto& core = static_cast<ValueCore<T>&>(*self.successor);
    if (BeginSet(core)) {
      self.dependency.End();
      Ref(subject);
      self.release = Settle;
      SettleLater(self);
    } else {
      AwaitLeaving(core, kAdopting);
      Free(self);
      Unref(core);
    }
    return nullptr;
  }
  static void Settle(ChainNode& node) noexcept {
    auto& self = static_cast<FlattenNode&>(node);
    TaskCore& subject = *self.followed;
    BodyResult result;
    TakeOver(static_cast<ValueCore<T>&>(*self.successor), subject, result);
    self.release = Free;
    EndSetChained(self, result);
    Unref(subject);
  }
  static FlattenNode& Make(TaskCore& outer, TaskCore& inner) {
    auto& node = *::new (AllocateBlock(sizeof(FlattenNode))) FlattenNode;
    node.notify = Notify;
    node.release = Free;
    node.successor = &outer;
    node.followed = &inner;
    return node;
  }
  static void Free(ChainNode& node) noexcept {
    std::destroy_at(static_cast<FlattenNode*>(&node));
    FreeBlock(&node, sizeof(FlattenNode));
  }
};

template <class T>
void Flatten(ValueCore<T>& outer, const Task<T>& inner, BodyResult& result) {
  TaskCore* core = TaskAccess::Core(static_cast<const TaskHandle&>(inner));
  if (core == nullptr) return Fail(result, {Errc::InvalidArgument, "the work returned an empty task"});
  if (core == &outer) return Fail(result, {Errc::WouldDeadlock, "the work returned its own task"});
  if (core->IsTerminal()) return TakeOver(outer, *core, result);
  auto& node = FlattenNode<T>::Make(outer, *core);
  if (!node.dependency.Begin(outer, *core)) {
    FlattenNode<T>::Free(node);
    return Fail(result, {Errc::WouldDeadlock, "the work returned a task that waits for it"});
  }
  if (!StartFollowing(outer, node)) {  // cancelled meanwhile: the body leaves now
    FlattenNode<T>::Free(node);
    return Fail(result, Errc::Cancelled);
  }
  result.end = BodyEnd::Pending;
}

// A task that nobody has started and no other handle knows.
template <class F>
auto MakeCall(F&& fn, const Where& where) {
  using Fn = std::decay_t<F>;
  auto task = TaskAccess::Take<YieldOf<Fn>>(
      MakeBlock<YieldOf<Fn>, CallBody<Fn>>(where.Location(), 1, std::forward<F>(fn)));
  if (!where.Name().empty()) SetName(TaskAccess::Core(task), where.Name());
  return task;
}

[[nodiscard]] ORCHESTRATE_API Error EmptyFunction(const char* verb) noexcept;
[[nodiscard]] ORCHESTRATE_API Error EmptyTask(const char* verb) noexcept;

// Makes an unshared task without a body one that has failed; an error that is not read goes where `where`
// says.
ORCHESTRATE_API void FailAtBirth(TaskCore& core, Error error, const Where& where) noexcept;
[[nodiscard]] ORCHESTRATE_API Error RefusalAt(const char* verb, const Where& where);

template <class T>
Task<T> MakeFailed(Error error, const Where& where) {
  auto& core = MakeBlock<T, NoBody>(where.Location(), 1);
  FailAtBirth(core, std::move(error), where);
  return TaskAccess::Take(core);
}

// NewTask() in the name of `verb`.
template <class F>
auto MakeNew(const char* verb, F&& fn, const Where& where) {
  if (IsEmptyCallable(fn)) return MakeFailed<YieldOf<std::decay_t<F>>>(EmptyFunction(verb), where);
  return MakeCall(std::forward<F>(fn), where);
}

}  // namespace detail

/// Makes a task that nobody has started; `Run` or a verb over many tasks starts it.
///
/// @param fn  any callable `()` or `(Context&)` that returns `T`, `void`, `Error`, `Result<T>` or `Task<T>`.
/// @return the task; an empty function gives one that has failed with `InvalidArgument`.
/// @par Errors      Throws `std::bad_alloc`, and what copying or moving `fn` throws.
/// @par Complexity  O(1), one pooled block.
template <class F>
auto NewTask(F&& fn, std::source_location location = detail::Here()) {
  using Fn = std::decay_t<F>;
  static_assert(detail::kIsWork<Fn>, "NewTask: the work must be callable as fn() or fn(Context&)");
  return detail::MakeNew("NewTask", std::forward<F>(fn), Where(location));
}

/// Makes a task and starts it under `where`'s context.
///
/// @return the task: `ShutDown` when the executor takes no more work, `InvalidArgument` for an empty
/// function.
/// @par Errors      Throws `std::bad_alloc`, and what copying or moving `fn` throws; then nothing was
/// started.
/// @par Blocks      Never.
/// @par Complexity  O(1), one pooled block.
template <class F>
auto Invoke(const Where& where, F&& fn) {
  using Fn = std::decay_t<F>;
  static_assert(detail::kIsWork<Fn>, "Invoke: the work must be callable as fn() or fn(Context&)");
  using T = detail::YieldOf<Fn>;
  if (detail::IsEmptyCallable(fn)) return detail::MakeFailed<T>(detail::EmptyFunction("Invoke"), where);
  auto task = detail::MakeCall(std::forward<F>(fn), where);
  auto& core = detail::TaskAccess::Core(task);
  detail::WhereAccess::WithParent(where,
                                  [&core](detail::ContextNode& parent) { detail::Adopt(core, parent); });
  core.refs.store(2, sync::memory_order_relaxed);  // the queue's, too; nobody else knows the task yet
  detail::Submit(core);
  return task;
}

/// Makes a task and starts it on the default runtime.
template <class F>
  requires(!std::is_convertible_v<F, Where>)
auto Invoke(F&& fn, std::source_location location = detail::Here()) {
  return Invoke(Where(location), std::forward<F>(fn));
}

/// Makes several tasks that nobody has started, in the order of the functions.
template <class F, class... Fs>
auto NewTasks(F&& fn, Fs&&... fns) {
  static_assert((detail::kIsWork<std::decay_t<F>> && ... && detail::kIsWork<std::decay_t<Fs>>),
                "NewTasks: the work must be callable as fn() or fn(Context&)");
  using T = detail::YieldOf<std::decay_t<F>>;
  static_assert((std::is_same_v<T, detail::YieldOf<std::decay_t<Fs>>> && ...),
                "NewTasks: all work must yield the same type");
  std::vector<Task<T>> tasks;
  tasks.reserve(1 + sizeof...(Fs));
  const Where where;
  tasks.push_back(detail::MakeNew("NewTasks", std::forward<F>(fn), where));
  (tasks.push_back(detail::MakeNew("NewTasks", std::forward<Fs>(fns), where)), ...);
  return tasks;
}

}  // namespace orchestrate::inline v1
