#pragma once

#include <memory>
#include <new>
#include <orchestrate/base/error.hpp>
#include <type_traits>
#include <utility>

namespace orchestrate::inline v1 {

template <class T>
class Result;

namespace detail {

template <class T>
inline constexpr bool kIsResult = false;
template <class T>
inline constexpr bool kIsResult<Result<T>> = true;

// Everything that an `E` may stand for as the failure of a Result<T>: Error itself, codes.
template <class E, class T>
concept FailureFor = std::is_convertible_v<E, Error> && !std::is_same_v<std::remove_cvref_t<E>, Error> &&
                     !std::is_convertible_v<E, T> && !kIsResult<std::remove_cvref_t<E>>;

template <class U, class T>
concept ValueFor =
    std::is_constructible_v<T, U> && !std::is_same_v<std::remove_cvref_t<U>, Error> &&
    !std::is_same_v<std::remove_cvref_t<U>, std::in_place_t> && !kIsResult<std::remove_cvref_t<U>>;

// What a Result<T> holds when it was given no reason: never an empty error that reads like a value.
[[nodiscard]] ORCHESTRATE_API Error UnsetFailure() noexcept;

// Calls `fn` with the value of `result`, or with nothing when that is void.
template <class R, class F>
decltype(auto) WithValue(R&& result, F&& fn) {
  if constexpr (std::is_void_v<typename std::remove_cvref_t<R>::ValueType>) {
    return std::forward<F>(fn)();
  } else {
    return std::forward<F>(fn)(std::forward<R>(result).Unchecked());
  }
}

template <class R, class F>
auto MapResult(R&& result, F&& fn) {
  using U = std::remove_cvref_t<decltype(WithValue(std::forward<R>(result), std::forward<F>(fn)))>;
  if (!result) return Result<U>(std::forward<R>(result).Failure());
  if constexpr (std::is_void_v<U>) {
    WithValue(std::forward<R>(result), std::forward<F>(fn));
    return Result<U>();
  } else {
    return Result<U>(WithValue(std::forward<R>(result), std::forward<F>(fn)));
  }
}

template <class R, class F>
auto ChainResult(R&& result, F&& fn) {
  using Next = std::remove_cvref_t<decltype(WithValue(std::forward<R>(result), std::forward<F>(fn)))>;
  static_assert(kIsResult<Next>,
                "AndThen: the function must return a Result; use Map for one that returns a value");
  if (!result) return Next(std::forward<R>(result).Failure());
  return WithValue(std::forward<R>(result), std::forward<F>(fn));
}

template <class R, class F>
std::remove_cvref_t<R> MapFailure(R&& result, F&& fn) {
  if (result) return std::forward<R>(result);
  return Error(std::forward<F>(fn)(std::forward<R>(result).Failure()));
}

template <class R, class F>
std::remove_cvref_t<R> Recover(R&& result, F&& fn) {
  if (result) return std::forward<R>(result);
  return std::forward<F>(fn)(std::forward<R>(result).Failure());
}

}  // namespace detail

/// Holds a value or the `Error` that stands in its place.
///
/// Nothing here is undefined: reading the value of a failure throws what `Error::Rethrow` throws, a
/// moved-from failure reads `Errc::AlreadyTaken`, and an empty error is no failure but becomes
/// `Errc::InvalidArgument`.
///
/// @par Thread safety  Like `T`; one object needs the caller's lock unless all only read.
template <class T>
class [[nodiscard("Result: look whether it failed, or cast to void")]] Result {
  static_assert(!std::is_same_v<std::remove_cv_t<T>, Error>,
                "Result<Error>: an Error is a failure, not a value; use Error alone or Result<void>");
  static_assert(!std::is_reference_v<T>, "Result<T&>: a result owns its value; use Result<T*> or a copy");
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>,
                "Result<T>: T must be void or an object type, and neither an array nor const");

 public:
  using ValueType = T;

  /// Takes the value.
  template <class U = T>
    requires detail::ValueFor<U, T>
  explicit(!std::is_convertible_v<U, T>) Result(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
      : value_(std::forward<U>(value)) {}

  /// Makes the value in place.
  template <class... Args>
  explicit Result(std::in_place_t /*tag*/, Args&&... args) : value_(std::forward<Args>(args)...) {}

  /// Takes the failure.
  Result(Error error) noexcept  // NOLINT(google-explicit-constructor): `return error;`
      : error_(error ? std::move(error) : detail::UnsetFailure()) {}

  /// Takes a code as the failure: `return Errc::Closed;`.
  template <detail::FailureFor<T> E>
  Result(E&& code) noexcept : Result(Error(std::forward<E>(code))) {}  // NOLINT(google-explicit-constructor)

  Result(const Result& other)
    requires std::is_copy_constructible_v<T>
      : error_(other.error_) {
    if (!error_) Construct(other.value_);
  }
  Result(Result&& other) noexcept(std::is_nothrow_move_constructible_v<T>)
    requires std::is_move_constructible_v<T>
      : error_(other.TakeError()) {
    if (!error_) Construct(std::move(other.value_));
  }
  Result& operator=(const Result& other)
    requires std::is_copy_constructible_v<T> && std::is_copy_assignable_v<T>
  {
    if (this != &other) Assign(other);
    return *this;
  }
  Result& operator=(Result&& other) noexcept(
      std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T>)
    requires std::is_move_constructible_v<T> && std::is_move_assignable_v<T>
  {
    if (this != &other) Assign(std::move(other));
    return *this;
  }
  ~Result() {
    if (!error_) value_.~T();
  }

  /// Tells whether there is a value.
  [[nodiscard]] bool HasValue() const noexcept { return !error_; }
  /// Tells whether there is a value.
  [[nodiscard]] explicit operator bool() const noexcept { return !error_; }

  /// Returns the failure, empty when there is a value.
  [[nodiscard]] const Error& Failure() const& noexcept { return error_; }
  /// Moves the failure out.
  [[nodiscard]] Error Failure() && noexcept { return TakeError(); }

  /// Returns the value, or throws what `Error::Rethrow` throws.
  [[nodiscard]] T& Value() & { return Checked(), value_; }
  /// Returns the value, or throws what `Error::Rethrow` throws.
  [[nodiscard]] const T& Value() const& { return Checked(), value_; }
  /// Moves the value out, or throws what `Error::Rethrow` throws.
  [[nodiscard]] T Value() && { return Checked(), std::move(value_); }

  /// Returns the value, or throws as `Value` does.
  [[nodiscard]] T& operator*() & { return Value(); }
  /// Returns the value, or throws as `Value` does.
  [[nodiscard]] const T& operator*() const& { return Value(); }
  /// Moves the value out, or throws as `Value` does.
  [[nodiscard]] T operator*() && { return std::move(*this).Value(); }
  /// Points to the value, or throws as `Value` does.
  [[nodiscard]] T* operator->() { return std::addressof(Value()); }
  /// Points to the value, or throws as `Value` does.
  [[nodiscard]] const T* operator->() const { return std::addressof(Value()); }

  /// Returns the value, or `fallback` in place of a failure.
  template <class U>
  [[nodiscard]] T ValueOr(U&& fallback) const& {
    return error_ ? static_cast<T>(std::forward<U>(fallback)) : value_;
  }
  /// Moves the value out, or returns `fallback` in place of a failure.
  template <class U>
  [[nodiscard]] T ValueOr(U&& fallback) && {
    return error_ ? static_cast<T>(std::forward<U>(fallback)) : std::move(value_);
  }

  /// Returns a result with `fn(value)`; a failure passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] auto Map(F&& fn) const& {
    return detail::MapResult(*this, std::forward<F>(fn));
  }
  /// Returns a result with `fn(value)`; a failure passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] auto Map(F&& fn) && {
    return detail::MapResult(std::move(*this), std::forward<F>(fn));
  }
  /// Returns what `fn(value)`, itself a result, returns; a failure passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] auto AndThen(F&& fn) const& {
    return detail::ChainResult(*this, std::forward<F>(fn));
  }
  /// Returns what `fn(value)`, itself a result, returns; a failure passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] auto AndThen(F&& fn) && {
    return detail::ChainResult(std::move(*this), std::forward<F>(fn));
  }
  /// Replaces a failure by the error `fn(error)`; a value passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] Result MapError(F&& fn) const& {
    return detail::MapFailure(*this, std::forward<F>(fn));
  }
  /// Replaces a failure by the error `fn(error)`; a value passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] Result MapError(F&& fn) && {
    return detail::MapFailure(std::move(*this), std::forward<F>(fn));
  }
  /// Replaces a failure by the value or result `fn(error)`; a value passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] Result OrElse(F&& fn) const& {
    return detail::Recover(*this, std::forward<F>(fn));
  }
  /// Replaces a failure by the value or result `fn(error)`; a value passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] Result OrElse(F&& fn) && {
    return detail::Recover(std::move(*this), std::forward<F>(fn));
  }

 private:
  template <class R, class F>
  friend decltype(auto) detail::WithValue(R&& result, F&& fn);

  void Checked() const {
    if (error_) error_.Rethrow();
  }
  [[nodiscard]] const T& Unchecked() const& noexcept { return value_; }
  [[nodiscard]] T&& Unchecked() && noexcept { return std::move(value_); }

  template <class U>
  void Construct(U&& value) {
    ::new (static_cast<void*>(std::addressof(value_))) T(std::forward<U>(value));
  }

  // Leaves a failure behind where there was one: an empty error would say that value_ lives.
  [[nodiscard]] Error TakeError() noexcept {
    return error_ ? std::exchange(error_, Error(Errc::AlreadyTaken)) : Error();
  }

  // Keeps error_ set until value_ lives, so that a throwing constructor leaves a failure.
  template <class R>
  void Assign(R&& other) {
    if (!error_ && !other.error_) {
      value_ = std::forward<R>(other).Unchecked();
    } else if (other.error_) {
      if (!error_) value_.~T();
      error_ = std::forward<R>(other).Failure();
    } else {
      Construct(std::forward<R>(other).Unchecked());
      error_ = Error();
    }
  }

  // Invariant: value_ lives exactly while error_ is empty.
  Error error_;
  union {
    T value_;
  };
};

/// Holds success or the `Error` that says why not.
///
/// An empty `Error` is success here, so that a function's `Error` converts.
template <>
class [[nodiscard("Result: look whether it failed, or cast to void")]] Result<void> {
 public:
  using ValueType = void;

  /// Makes a success.
  Result() noexcept = default;
  /// Makes a success.
  explicit Result(std::in_place_t /*tag*/) noexcept {}
  /// Takes an error; an empty one is success.
  Result(Error error) noexcept : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  /// Takes a code as the failure: `return Errc::Closed;`.
  template <detail::FailureFor<void> E>
  Result(E&& code) noexcept : error_(std::forward<E>(code)) {}  // NOLINT(google-explicit-constructor)

  Result(const Result&) noexcept = default;
  Result(Result&& other) noexcept : error_(other.TakeError()) {}
  Result& operator=(Result other) noexcept {
    std::swap(error_, other.error_);
    return *this;
  }
  ~Result() = default;

  /// Tells whether it succeeded.
  [[nodiscard]] bool HasValue() const noexcept { return !error_; }
  /// Tells whether it succeeded.
  [[nodiscard]] explicit operator bool() const noexcept { return !error_; }
  /// Returns the failure, empty after success.
  [[nodiscard]] const Error& Failure() const& noexcept { return error_; }
  /// Moves the failure out.
  [[nodiscard]] Error Failure() && noexcept { return TakeError(); }
  /// Returns after success, or throws what `Error::Rethrow` throws.
  void Value() const {
    if (error_) error_.Rethrow();
  }

  /// Returns a result with `fn()`; a failure passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] auto Map(F&& fn) const {
    return detail::MapResult(*this, std::forward<F>(fn));
  }
  /// Returns what `fn()`, itself a result, returns; a failure passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] auto AndThen(F&& fn) const {
    return detail::ChainResult(*this, std::forward<F>(fn));
  }
  /// Replaces a failure by the error `fn(error)`; success passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] Result MapError(F&& fn) const {
    return detail::MapFailure(*this, std::forward<F>(fn));
  }
  /// Replaces a failure by the result `fn(error)`; success passes by and `fn` is not called.
  template <class F>
  [[nodiscard]] Result OrElse(F&& fn) const {
    return detail::Recover(*this, std::forward<F>(fn));
  }

 private:
  [[nodiscard]] Error TakeError() noexcept {
    return error_ ? std::exchange(error_, Error(Errc::AlreadyTaken)) : Error();
  }

  Error error_;
};

}  // namespace orchestrate::inline v1
