#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <orchestrate/base/export.hpp>
#include <type_traits>
#include <utility>

namespace orchestrate::inline v1 {

namespace detail {

[[noreturn]] ORCHESTRATE_API void ThrowEmptyFunction();

// Function pointers and std::function-like classes can be empty themselves.
template <class F>
[[nodiscard]] bool IsEmptyCallable(const F& fn) noexcept {
  if constexpr (std::is_pointer_v<F>) {
    return fn == nullptr;
  } else if constexpr (requires { fn.operator bool(); }) {
    return !fn.operator bool();
  } else {
    return false;
  }
}

}  // namespace detail

template <class Signature>
class Function;

/// Owns any callable, also one that can only be moved.
///
/// Callables of up to 32 bytes that move without throwing lie inside; larger ones are allocated. Moving is a
/// copy of bytes or one move of the callable. Calling an empty one throws `Errc::InvalidArgument`.
///
/// @par Thread safety  None: one object belongs to one thread at a time.
template <class R, class... Args>
class Function<R(Args...)> {
 public:
  /// Makes an empty one.
  Function() noexcept = default;
  /// Makes an empty one.
  Function(std::nullptr_t) noexcept {}  // NOLINT(google-explicit-constructor)

  /// Takes `fn`; a null pointer or an empty function object gives an empty one.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Function> &&
             std::is_invocable_r_v<R, std::decay_t<F>&, Args...>)
  Function(F&& fn) {  // NOLINT(google-explicit-constructor): lambdas convert
    using Callable = std::decay_t<F>;
    if (detail::IsEmptyCallable<Callable>(fn)) return;
    // TakeFrom() copies the whole place.
    if constexpr (std::is_empty_v<Callable> || sizeof(Callable) < kInsideSize)
      std::memset(place_, 0, kInsideSize);
    if constexpr (kFitsInside<Callable>) {
      ::new (static_cast<void*>(place_)) Callable(std::forward<F>(fn));
      ops_ = &kInsideOps<Callable>;
    } else {
      auto* callable = new Callable(std::forward<F>(fn));
      std::memcpy(place_, &callable, sizeof callable);
      ops_ = &kOutsideOps<Callable>;
    }
  }

  Function(Function&& other) noexcept { TakeFrom(other); }
  Function& operator=(Function&& other) noexcept {
    if (this != &other) {
      Reset();
      TakeFrom(other);
    }
    return *this;
  }
  Function(const Function&) = delete;
  Function& operator=(const Function&) = delete;
  ~Function() { Reset(); }

  /// Tells whether there is something to call.
  [[nodiscard]] explicit operator bool() const noexcept { return ops_ != nullptr; }

  /// Calls it.
  R operator()(Args... args) {
    if (ops_ == nullptr) detail::ThrowEmptyFunction();
    return ops_->call(place_, std::forward<Args>(args)...);
  }

  /// Destroys what it holds and leaves it empty.
  void Reset() noexcept {
    // Empty first: the callable's destructor may look at its owner.
    const Ops* ops = std::exchange(ops_, nullptr);
    if (ops != nullptr && ops->destroy != nullptr) ops->destroy(place_);
  }

 private:
  static constexpr std::size_t kInsideSize = 32;

  struct Ops {
    R (*call)(std::byte* place, Args&&... args);
    void (*move)(std::byte* to, std::byte* from) noexcept;  // null: copy the bytes
    void (*destroy)(std::byte* place) noexcept;             // null: nothing to do
  };

  template <class F>
  static constexpr bool kFitsInside =
      sizeof(F) <= kInsideSize && alignof(F) <= alignof(void*) && std::is_nothrow_move_constructible_v<F>;

  template <class F>
  static F& Inside(std::byte* place) noexcept {
    return *std::launder(reinterpret_cast<F*>(place));
  }
  template <class F>
  static F& Outside(std::byte* place) noexcept {
    F* callable = nullptr;
    std::memcpy(&callable, place, sizeof callable);
    return *callable;
  }

  template <class F, F& (*Get)(std::byte*) noexcept>
  static R Call(std::byte* place, Args&&... args) {
    if constexpr (std::is_void_v<R>) {
      static_cast<void>(Get(place)(std::forward<Args>(args)...));
    } else {
      return Get(place)(std::forward<Args>(args)...);
    }
  }
  template <class F>
  static void MoveInside(std::byte* to, std::byte* from) noexcept {
    ::new (static_cast<void*>(to)) F(std::move(Inside<F>(from)));
    Inside<F>(from).~F();
  }
  template <class F>
  static void DestroyInside(std::byte* place) noexcept {
    Inside<F>(place).~F();
  }
  template <class F>
  static void DestroyOutside(std::byte* place) noexcept {
    delete &Outside<F>(place);
  }

  template <class F>
  static constexpr Ops kInsideOps = {
      &Call<F, &Inside<F>>,
      std::is_trivially_copyable_v<F> ? nullptr : &MoveInside<F>,
      std::is_trivially_destructible_v<F> ? nullptr : &DestroyInside<F>,
  };
  template <class F>
  static constexpr Ops kOutsideOps = {&Call<F, &Outside<F>>, nullptr, &DestroyOutside<F>};

  void TakeFrom(Function& other) noexcept {
    ops_ = std::exchange(other.ops_, nullptr);
    if (ops_ == nullptr) return;
    if (ops_->move != nullptr) {
      ops_->move(place_, other.place_);
    } else {
      std::memcpy(place_, other.place_, kInsideSize);
    }
  }

  const Ops* ops_ = nullptr;
  alignas(void*) std::byte place_[kInsideSize];
};

}  // namespace orchestrate::inline v1
