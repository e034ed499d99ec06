#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/function.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/task/detail/context_node.hpp>
#include <orchestrate/time/clock.hpp>
#include <orchestrate/time/deadline.hpp>

namespace orchestrate::inline v1 {

namespace detail {
struct ContextAccess;
struct DoneCallback;
}  // namespace detail

/// Names a value that contexts carry; identity is the type and the object's address, so declare keys as
/// constants.
template <class T>
class ORCHESTRATE_API ContextKey {
 public:
  constexpr ContextKey() noexcept = default;
  ContextKey(const ContextKey&) = delete;
  ContextKey& operator=(const ContextKey&) = delete;

 private:
  friend class Context;
  [[nodiscard]] detail::KeyId Id() const noexcept { return {this, &kType}; }
  // Two keys may lie at one address, one after the other or without a place of their own.
  static constexpr char kType = 0;
};

/// Keeps a call-back of `Context::OnDone` registered while it lives.
class ORCHESTRATE_API Registration {
 public:
  Registration() noexcept = default;
  Registration(Registration&& other) noexcept : callback_(std::exchange(other.callback_, nullptr)) {}
  Registration& operator=(Registration&& other) noexcept {
    std::swap(callback_, other.callback_);
    return *this;
  }
  ~Registration() { Reset(); }

  /// Takes the call-back back.
  ///
  /// One that has been handed to the executor already still runs.
  ///
  /// @return true when the call-back will not run.
  bool Reset() noexcept;

 private:
  friend class Context;
  explicit Registration(detail::DoneCallback* callback) noexcept : callback_(callback) {}
  detail::DoneCallback* callback_ = nullptr;
};

/// Carries the end of work (cancellation with a cause, or a deadline), values and the executor to all who
/// take part.
///
/// A context is a handle; copies share. Children made by the With… functions see the end of their parent,
/// never the reverse. The body of a task gets a context of its own, which ends when the task is cancelled.
///
/// @par Thread safety  All const members may be called from any thread.
class ORCHESTRATE_API Context {
 public:
  Context(const Context& other) noexcept;
  Context(Context&& other) noexcept : Context(std::as_const(other)) {}
  Context& operator=(const Context& other) noexcept;
  ~Context();

  /// Returns the root of the default runtime, which never ends before the process does.
  [[nodiscard]] static Context Background();

  /// Returns a child that `Cancel` can end.
  [[nodiscard]] Context WithCancel() const;

  /// Returns a child that ends at `deadline` by the executor's clock.
  ///
  /// @par Errors  Throws `ErrorException` with `OutOfResources` when the executor has no timers of its own
  /// and
  ///              there is no thread for those of the default runtime.
  [[nodiscard]] Context WithDeadline(TimePoint deadline) const;

  /// Returns a child that ends after `timeout`; 0 or less has ended already.
  ///
  /// @par Errors  Throws `ErrorException` with `InvalidArgument` for a time that is not a number.
  template <class Rep, class Period>
  [[nodiscard]] Context WithTimeout(std::chrono::duration<Rep, Period> timeout) const {
    if (const Error wrong = CheckNumber(timeout, "Context::WithTimeout: timeout is not a number"))
      wrong.Rethrow();
    return WithDeadline(SaturatingAdd(Now(), timeout));
  }

  /// Returns a child that carries `value` under `key`.
  template <class T>
  [[nodiscard]] Context WithValue(const ContextKey<T>& key, T value) const {
    return WithSharedValue(key.Id(), std::make_shared<const T>(std::move(value)));
  }

  /// Returns a child that ends when stop is requested through `token`.
  [[nodiscard]] Context WithStopToken(std::stop_token token) const;

  /// Returns a child that ends with `Cancelled` when one of `signals` arrives, which then has its old effect
  /// again.
  ///
  /// @par Errors  Throws `ErrorException` with `InvalidArgument` for a signal that cannot be caught, with
  ///              `OutOfResources` when there is no thread to pass it on.
  [[nodiscard]] Context WithSignal(std::initializer_list<int> signals) const;

  /// Returns a child whose work runs on `executor`.
  [[nodiscard]] Context WithExecutor(Executor& executor) const;

  /// Returns a child that keeps values and executor but does not see this context's end.
  [[nodiscard]] Context Shield() const;

  /// Ends this context and all below it.
  ///
  /// @param cause  what `Err()` will return; empty is taken for `Errc::Cancelled`.
  /// @return true for the one call that ended it; false for a root, which ends with its runtime.
  bool Cancel(Error cause = Errc::Cancelled) const noexcept;

  /// Returns why this context has ended, empty while it has not.
  ///
  /// @par Complexity  O(1) while nothing has ended since the last call, else the depth of the tree.
  [[nodiscard]] Error Err() const noexcept { return detail::EndOf(Node()); }

  /// Tells whether this context has ended.
  [[nodiscard]] bool IsDone() const noexcept { return static_cast<bool>(Err()); }

  /// Returns the earliest deadline of this context and its ancestors.
  [[nodiscard]] std::optional<TimePoint> Deadline() const noexcept;

  /// Calls `fn` once when this context has ended, at once when it has; on its executor, never inside this
  /// call.
  ///
  /// It is called also when all workers are busy.
  /// @par Errors  Throws `std::bad_alloc`, and `ErrorException` with `InvalidArgument` for an empty function.
  [[nodiscard]] Registration OnDone(Function<void()> fn) const;

  /// Returns a token that is stopped when this context ends, by the thread that ends it.
  [[nodiscard]] std::stop_token StopToken() const;

  /// Returns the value under `key`, or null.
  template <class T>
  [[nodiscard]] const T* Value(const ContextKey<T>& key) const noexcept {
    return static_cast<const T*>(SharedValue(key.Id()));
  }

  /// Returns the executor where work under this context runs.
  [[nodiscard]] Executor& GetExecutor() const noexcept { return detail::ExecutorOf(Node()); }

  /// Returns the time by the executor's clock.
  [[nodiscard]] TimePoint Now() const noexcept { return GetExecutor().Now(); }

 private:
  friend struct detail::ContextAccess;
  explicit Context(detail::ContextNode& node, std::uintptr_t borrowed = 0) noexcept
      : word_(reinterpret_cast<std::uintptr_t>(&node) | borrowed) {
  }  // NOLINT: takes over a reference, or none

  [[nodiscard]] detail::ContextNode& Node() const noexcept {
    return *reinterpret_cast<detail::ContextNode*>(word_ & ~kBorrowed);  // NOLINT
  }

  [[nodiscard]] Context WithSharedValue(detail::KeyId key, std::shared_ptr<const void> value) const;
  [[nodiscard]] const void* SharedValue(detail::KeyId key) const noexcept;

  static constexpr std::uintptr_t kBorrowed = 1;
  std::uintptr_t word_;  // the node's address; kBorrowed: without a reference, which copies take
};

namespace detail {
struct ContextAccess {
  static ContextNode& Node(const Context& context) noexcept { return context.Node(); }
  static Context Take(ContextNode& node) noexcept { return Context(node); }
  static Context Share(ContextNode& node) noexcept {
    RefNode(node);
    return Context(node);
  }
  // For a call during which `node` stays: what is given to a body, which may copy it or assign to it.
  static Context Borrow(ContextNode& node) noexcept { return Context(node, Context::kBorrowed); }
};
}  // namespace detail

}  // namespace orchestrate::inline v1
