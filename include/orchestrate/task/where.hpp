#pragma once

#include <source_location>
#include <string_view>

#include <orchestrate/base/here.hpp>
#include <orchestrate/exec/executor.hpp>
#include <orchestrate/task/context.hpp>

namespace orchestrate::inline v1 {

namespace detail {
struct WhereAccess;
}

/// Says under which context, by which name and on which executor work runs, and from where it was spawned.
///
/// The first parameter of every verb; a `Context` converts to it and the call site is captured on the way.
/// It refers to the context: use it in the call only, as in `Invoke(Where(ctx).Named("digest"), fn)`.
class Where {
 public:
  /// Means the background context of the default runtime.
  Where(std::source_location location = detail::Here()) noexcept  // NOLINT: converts
      : location_(location) {}

  /// Means `context`.
  Where(const Context& context,  // NOLINT(google-explicit-constructor): every verb takes a context first
        std::source_location location = detail::Here()) noexcept
      : context_(&context), location_(location) {}

  /// Names the task, for reports and observers.
  [[nodiscard]] Where Named(std::string_view name) const noexcept {
    Where copy = *this;
    copy.name_ = name;
    return copy;
  }

  /// Runs the task on `executor`, which must outlive it.
  [[nodiscard]] Where On(Executor& executor) const noexcept {
    Where copy = *this;
    copy.executor_ = &executor;
    return copy;
  }

  /// Returns where the verb was called.
  [[nodiscard]] std::source_location Location() const noexcept { return location_; }
  /// Returns the task's name, empty when it has none.
  [[nodiscard]] std::string_view Name() const noexcept { return name_; }
  /// Says whether a context was given.
  [[nodiscard]] bool HasContext() const noexcept { return context_ != nullptr; }

  /// Returns the context that the task belongs to.
  [[nodiscard]] Context Resolve() const {
    Context base = context_ != nullptr ? *context_ : Context::Background();
    return executor_ != nullptr ? base.WithExecutor(*executor_) : base;
  }

 private:
  friend struct detail::WhereAccess;
  const Context* context_ = nullptr;
  std::source_location location_;
  std::string_view name_;
  Executor* executor_ = nullptr;
};

namespace detail {

struct WhereAccess {
  // Whether a context or an executor was given.
  static bool NamesPlace(const Where& where) noexcept {
    return where.context_ != nullptr || where.executor_ != nullptr;
  }
  // Calls `fn(parent node)` without copying the context when there is nothing to add to it.
  template <class Fn>
  static auto WithParent(const Where& where, Fn&& fn) {
    if (where.executor_ != nullptr) {
      const Context context = where.Resolve();
      return fn(ContextAccess::Node(context));
    }
    return fn(where.context_ != nullptr ? ContextAccess::Node(*where.context_)
                                        : static_cast<ContextNode&>(DefaultRoot()));
  }
};

}  // namespace detail
}  // namespace orchestrate::inline v1
