#pragma once

#include <memory>
#include <new>
#include <utility>

#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/task/detail/task_core.hpp>
#include <orchestrate/task/detail/work_traits.hpp>

namespace orchestrate::inline v1::detail {

// The typed part that every handle can reach: where the value will lie.
template <class T>
struct ValueCore : TaskCore {
  ValueCore(const TaskOps& task_ops, std::source_location location, std::uint32_t first_refs) noexcept
      : TaskCore(task_ops, location, first_refs) {}
  ~ValueCore() {}  // NOLINT: the value is destroyed by hand
  union {
    T value;
  };
};
template <>
struct ValueCore<void> : TaskCore {
  using TaskCore::TaskCore;
};

struct NoExtra {};

// One pooled block: header, value, body, and what has to outlive the body. Called as body(block, result).
template <class T, class Body, class Extra = NoExtra>
struct TaskBlock final : ValueCore<T> {
  template <class... Args>
  TaskBlock(std::source_location location, std::uint32_t first_refs, Args&&... args)
      : ValueCore<T>(kOps, location, first_refs), body(std::forward<Args>(args)...) {}
  ~TaskBlock() {}  // NOLINT: the body is destroyed by hand

  static void Invoke(TaskCore& core, BodyResult& result) noexcept { Self(core).body(Self(core), result); }

  static void Destroy(TaskCore& core, unsigned parts) noexcept {
    if ((parts & kCallable) != 0) std::destroy_at(&Self(core).body);
    if constexpr (!std::is_void_v<T>) {
      if ((parts & kValue) != 0) std::destroy_at(std::addressof(Self(core).value));
    }
  }

  static void Release(TaskCore& core) noexcept {
    // The end of a task destroys its callable, except a cancelled one whose work somebody else still does.
    const auto state = core.state.load(sync::memory_order_relaxed);
    constexpr auto kBits = ContextNode::kNoBody | ContextNode::kBodyGone;
    Destroy(core, ((state & kBits) == ContextNode::kNoBody ? kCallable : 0U) |
                      ((state & ContextNode::kPhaseMask) == kCompleted ? kValue : 0U));
    std::destroy_at(&Self(core));
    FreeBlock(&core, sizeof(TaskBlock));
  }

  static TaskBlock& Self(TaskCore& core) noexcept { return static_cast<TaskBlock&>(core); }

  static constexpr bool kLight =
      std::is_trivially_destructible_v<Body> && (std::is_void_v<T> || std::is_trivially_destructible_v<T>);
  static constexpr bool kPlain = kLight && std::is_trivially_destructible_v<Extra>;
  static constexpr TaskOps kOps{
      {RunQueued, DropQueued, IsStaleEntry}, Invoke, Destroy, Release, nullptr, kLight, kPlain};

  [[no_unique_address]] Extra extra;
  union {
    [[no_unique_address]] Body body;
  };
};

// Makes a block with `first_refs` references; throws std::bad_alloc and what the body's constructor throws.
template <class T, class Body, class Extra = NoExtra, class... Args>
TaskBlock<T, Body, Extra>& MakeBlock(std::source_location location, std::uint32_t first_refs,
                                     Args&&... args) {
  using Block = TaskBlock<T, Body, Extra>;
  static_assert(alignof(Block) <= 64, "a task's callable or value is over-aligned");
  void* memory = AllocateBlock(sizeof(Block));
  try {
    return *::new (memory) Block(location, first_refs, std::forward<Args>(args)...);
  } catch (...) {
    FreeBlock(memory, sizeof(Block));
    throw;
  }
}

inline void Fail(BodyResult& result, Error error) noexcept {
  result = {.end = BodyEnd::Failure, .error = std::move(error)};
}

// Completes `outer` with the outcome of the task that its body returned.
template <class T>
void Flatten(ValueCore<T>& outer, const Task<T>& inner, BodyResult& result);

// Calls `call` and turns whatever it returns or throws into the task's value or error.
template <class T, class Call>
void RunInto(ValueCore<T>& core, BodyResult& result, Call&& call) noexcept {
  using R = std::remove_cv_t<decltype(call())>;
  try {
    if constexpr (std::is_void_v<R>) {
      call();
    } else if constexpr (std::is_same_v<R, Error>) {
      if (Error error = call()) Fail(result, std::move(error));
    } else if constexpr (kIsResult<R>) {
      R outcome = call();
      if (!outcome) {
        Fail(result, std::move(outcome).Failure());
      } else if constexpr (!std::is_void_v<T>) {
        ::new (static_cast<void*>(std::addressof(core.value))) T(*std::move(outcome));
      }
    } else if constexpr (kIsTask<R>) {
      Flatten(core, call(), result);
    } else {
      ::new (static_cast<void*>(std::addressof(core.value))) T(call());
    }
  } catch (...) {
    Fail(result, Error::FromCurrentException());
  }
}

// The body of plain work.
template <class F>
struct CallBody {
  template <class G>
  explicit CallBody(G&& callable) : fn(std::forward<G>(callable)) {}

  template <class T>
  void operator()(ValueCore<T>& core, BodyResult& result) noexcept {
    if constexpr (kTakesContext<F>) {
      Context context = ContextAccess::Borrow(core);
      RunInto(core, result, [&]() -> decltype(auto) { return fn(context); });
    } else {
      RunInto(core, result, [&]() -> decltype(auto) { return fn(); });
    }
  }

  F fn;
};

// The body of a task that somebody else completes.
struct NoBody {
  template <class T>
  void operator()(ValueCore<T>& /*core*/, BodyResult& /*result*/) noexcept {}
};

}  // namespace orchestrate::inline v1::detail
