#pragma once

#include <type_traits>
#include <variant>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/result.hpp>

namespace orchestrate::inline v1 {

class Context;
template <class T>
class Task;

namespace detail {

template <class T>
inline constexpr bool kIsTask = false;
template <class T>
inline constexpr bool kIsTask<Task<T>> = true;

// How a piece of work is called: with the task's context before the other arguments if it takes one.
template <class F, class... Args>
inline constexpr bool kTakesContext = std::is_invocable_v<F&, Context&, Args...>;
template <class F, class... Args>
inline constexpr bool kIsWork = kTakesContext<F, Args...> || std::is_invocable_v<F&, Args...>;

template <bool WithContext, class F, class... Args>
struct RawResult {
  using Type = std::invoke_result_t<F&, Args...>;
};
template <class F, class... Args>
struct RawResult<true, F, Args...> {
  using Type = std::invoke_result_t<F&, Context&, Args...>;
};

// What a task of such work yields.
template <class R>
struct Yield {
  static_assert(!std::is_reference_v<R>,
                "a task cannot yield a reference: return a value, a pointer or std::reference_wrapper");
  using Type = std::remove_cv_t<R>;
};
template <>
struct Yield<Error> {
  using Type = void;
};
template <class T>
struct Yield<Result<T>> {
  using Type = T;
};
template <class T>
struct Yield<Task<T>> {
  using Type = T;
};

// What stands for a T in a tuple of values.
template <class T>
using TuplePart = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class F, class... Args>
using RawOf = typename RawResult<kTakesContext<F, Args...>, F, Args...>::Type;
template <class F, class... Args>
using YieldOf = typename Yield<std::remove_cv_t<RawOf<F, Args...>>>::Type;

}  // namespace detail
}  // namespace orchestrate::inline v1
