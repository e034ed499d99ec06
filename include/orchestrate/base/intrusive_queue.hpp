#pragma once

#include <cstddef>

namespace orchestrate::inline v1::detail {

/// Names the member `next` as the link of an intrusive queue.
template <class T>
struct NextLink {
  static T*& Next(T& item) noexcept { return item.next; }
};

/// Is a singly linked first-in, first-out queue of items that carry their own link; owns nothing.
template <class T, class Link = NextLink<T>>
class IntrusiveQueue {
 public:
  IntrusiveQueue() = default;
  IntrusiveQueue(IntrusiveQueue&& other) noexcept { Append(other); }
  IntrusiveQueue& operator=(IntrusiveQueue&&) = delete;

  [[nodiscard]] bool Empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] T* Front() const noexcept { return first_; }

  /// Adds `item` as the newest.
  void Push(T& item) noexcept {
    Link::Next(item) = nullptr;
    (last_ == nullptr ? first_ : Link::Next(*last_)) = &item;
    last_ = &item;
  }

  /// Puts `item` back as the oldest.
  void PushFront(T& item) noexcept {
    Link::Next(item) = first_;
    first_ = &item;
    if (last_ == nullptr) last_ = &item;
  }

  /// Takes the oldest, or null.
  T* Pop() noexcept {
    T* const item = first_;
    if (item == nullptr) return nullptr;
    first_ = Link::Next(*item);
    if (first_ == nullptr) last_ = nullptr;
    Link::Next(*item) = nullptr;
    return item;
  }

  /// Moves everything from `other` behind the newest.
  void Append(IntrusiveQueue& other) noexcept {
    if (other.first_ == nullptr) return;
    (last_ == nullptr ? first_ : Link::Next(*last_)) = other.first_;
    last_ = other.last_;
    other.first_ = other.last_ = nullptr;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace orchestrate::inline v1::detail
