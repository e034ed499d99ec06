#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <orchestrate/base/slab_pool.hpp>

namespace orchestrate::inline v1 {

template <class T>
class Task;

namespace detail {

// True when a move of a `T` and the destructor of what was moved from run no user code, so that a channel may
// move it under its lock.
template <class T>
inline constexpr bool kMovesAlone = std::is_trivially_copyable_v<T>;
template <class T>
inline constexpr bool kMovesAlone<Task<T>> = true;
template <class T>
inline constexpr bool kMovesAlone<std::unique_ptr<T>> = true;
template <class T>
inline constexpr bool kMovesAlone<std::shared_ptr<T>> = true;
template <class C>
inline constexpr bool kMovesAlone<std::basic_string<C>> = true;
template <class T>
inline constexpr bool kMovesAlone<std::vector<T>> = true;

// An item in a block of its own. Only the pointer moves under the lock of a channel.
template <class T>
class Boxed {
 public:
  // Moves `value` into a block; without memory the box is empty and `value` as it was.
  explicit Boxed(T& value) noexcept {
    try {
      item_ = ::new (Allocate()) T(std::move(value));
    } catch (...) {  // the move does not throw
    }
  }
  Boxed(Boxed&& other) noexcept : item_(std::exchange(other.item_, nullptr)) {}
  Boxed& operator=(Boxed&&) = delete;
  ~Boxed() {
    if (item_ == nullptr) return;
    std::destroy_at(item_);
    Free();
  }

  [[nodiscard]] bool IsEmpty() const noexcept { return item_ == nullptr; }
  [[nodiscard]] T& Value() noexcept { return *item_; }
  // Moves the item back to where it came from.
  void GiveBack(T& value) noexcept {
    std::destroy_at(std::addressof(value));
    ::new (static_cast<void*>(std::addressof(value))) T(std::move(*item_));
  }

 private:
  static constexpr bool kFromPool = alignof(T) <= 64;

  static void* Allocate() {
    if constexpr (kFromPool) {
      return AllocateBlock(sizeof(T));
    } else {
      return ::operator new(sizeof(T), std::align_val_t{alignof(T)});
    }
  }
  void Free() noexcept {
    if constexpr (kFromPool) {
      FreeBlock(item_, sizeof(T));
    } else {
      ::operator delete(static_cast<void*>(item_), std::align_val_t{alignof(T)});
    }
  }

  T* item_ = nullptr;
};

// What the ring of a channel of `T` holds.
template <class T>
using CellOf = std::conditional_t<kMovesAlone<T>, T, Boxed<T>>;

}  // namespace detail
}  // namespace orchestrate::inline v1
