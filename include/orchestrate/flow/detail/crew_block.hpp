#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <orchestrate/flow/concurrency.hpp>
#include <orchestrate/flow/detail/job_core.hpp>
#include <orchestrate/flow/job.hpp>
#include <orchestrate/flow/job_options.hpp>
#include <orchestrate/task/task.hpp>

// What the templates of InvokeAll and Consume need; the machinery is in src/flow.
namespace orchestrate::inline v1 {
namespace detail {

class Crew;

// One task of a batch, and its place among those that wait for it when somebody else runs it.
struct BatchEntry : Waiter {
  TaskCore* core = nullptr;  // a reference; null = an empty handle, skipped
  Crew* crew = nullptr;
  bool is_mine = false;  // started by the batch
};

// The number of no task.
inline constexpr std::size_t kNoTask = ~std::size_t{0};

// The tasks of a batch in the order of the arguments. It refers to them, or (until the verb has begun) relies
// on the caller's range, which saves a walk over all of them.
struct TaskList {
  TaskList() noexcept = default;
  TaskList(TaskList&& other) noexcept : entries(std::move(other.entries)), borrowed(other.borrowed) {}
  TaskList& operator=(TaskList&&) = delete;
  ~TaskList() { Clear(); }

  void Add(const TaskHandle& task) {
    TaskCore* core = TaskAccess::Core(task);
    entries.emplace_back().core = core;
    if (core != nullptr && !borrowed) Ref(*core);
  }
  ORCHESTRATE_API void Clear() noexcept;

  std::vector<BatchEntry> entries;
  std::size_t stop_cause = kNoTask;  // the task whose failure stopped the others
  bool borrowed = false;
};

// Turns the ended tasks of a batch into the value of `core`, or into an error in `result`; may throw.
using CollectFn = void (*)(TaskCore& core, TaskList& tasks, BodyResult& result);

// `InvalidArgument` for options that cannot be.
[[nodiscard]] ORCHESTRATE_API Error CheckOptions(const char* verb, const JobOptions& options) noexcept;

ORCHESTRATE_API void HelpCrew(Crew& crew) noexcept;  // runs some of its tasks on a thread that waits for it
[[nodiscard]] ORCHESTRATE_API std::size_t WidthOfCrew(const Crew& crew) noexcept;
ORCHESTRATE_API void FinishCrew(Crew& crew) noexcept;  // runs as a piece of work when all have left
ORCHESTRATE_API void CloseCrew(Crew& crew) noexcept;   // destroys what the user gave
ORCHESTRATE_API void DeleteCrew(Crew& crew) noexcept;

// The block of a job with a crew, or (T is not void) of a task that yields what a batch brought.
template <class T>
struct CrewBlock final : std::conditional_t<std::is_void_v<T>, JobCore, ValueCore<T>> {
  using Base = std::conditional_t<std::is_void_v<T>, JobCore, ValueCore<T>>;

  CrewBlock(std::source_location location, std::uint32_t first_refs) noexcept
      : Base(kOps, location, first_refs) {}
  ~CrewBlock() {
    if (crew != nullptr) DeleteCrew(*crew);
  }

  static CrewBlock& Self(WorkNode& node) noexcept {
    return static_cast<CrewBlock&>(static_cast<TaskCore&>(node));
  }
  static void Run(WorkNode& node) noexcept { FinishCrew(*Self(node).crew); }
  static void Invoke(TaskCore& /*core*/, BodyResult& /*result*/) noexcept {}
  static void Destroy(TaskCore& core, unsigned parts) noexcept {
    if ((parts & kCallable) != 0 && Self(core).crew != nullptr) CloseCrew(*Self(core).crew);
    if constexpr (!std::is_void_v<T>) {
      if ((parts & kValue) != 0) std::destroy_at(std::addressof(Self(core).value));
    }
  }
  static void Release(TaskCore& core) noexcept {
    if constexpr (!std::is_void_v<T>) {
      if (core.PhaseNow() == kCompleted) std::destroy_at(std::addressof(Self(core).value));
    }
    std::destroy_at(&Self(core));
    FreeBlock(&core, sizeof(CrewBlock));
  }
  static void Help(TaskCore& core) noexcept { HelpCrew(*Self(core).crew); }
  static std::size_t Width(const TaskCore& core) noexcept {
    return WidthOfCrew(*static_cast<const CrewBlock&>(core).crew);
  }
  static constexpr TaskOps kOps{{Run, Run}, Invoke, Destroy, Release, Help, false, false, false, Width};

  Crew* crew = nullptr;
};

template <class T>
CrewBlock<T>& MakeCrewBlock(const Where& where) {
  return *::new (AllocateBlock(sizeof(CrewBlock<T>))) CrewBlock<T>(where.Location(), 2);
}

}  // namespace detail

/// Is any range whose elements are handles of tasks.
template <class R>
concept TaskRange = requires(R& range) {
  std::begin(range) != std::end(range);
  requires std::is_base_of_v<detail::TaskHandle, std::remove_cvref_t<decltype(*std::begin(range))>>;
};

namespace detail {

template <class R>
using TaskOf = std::remove_cvref_t<decltype(*std::begin(std::declval<R&>()))>;

// Whether the handles that the range shows stay where they are while it is walked; what is an iterator of one
// pass only may keep them itself.
template <class R>
inline constexpr bool kShowsHandles = std::is_lvalue_reference_v<decltype(*std::begin(std::declval<R&>()))> &&
                                      std::forward_iterator<decltype(std::begin(std::declval<R&>()))>;

template <TaskRange Tasks>
TaskList ListOf(Tasks&& tasks) {
  TaskList list;
  list.borrowed = kShowsHandles<Tasks>;
  if constexpr (requires { std::size(tasks); })
    list.entries.reserve(static_cast<std::size_t>(std::size(tasks)));
  for (const auto& task : tasks) list.Add(task);
  return list;
}

}  // namespace detail
}  // namespace orchestrate::inline v1
