#pragma once

namespace orchestrate::inline v1::detail {

template <class T, class Tag>
class IntrusiveList;

/// Is the base class of items of an `IntrusiveList`; `Tag` tells several lists of one type apart.
template <class Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;

  /// Tells whether the node is in a list.
  [[nodiscard]] bool IsLinked() const noexcept { return next_ != nullptr; }

  /// Takes the node out of its list, whichever that is; O(1), and nothing happens when it is in none.
  void Unlink() noexcept {
    if (next_ == nullptr) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <class T, class OtherTag>
  friend class IntrusiveList;

  void LinkBefore(ListNode& other) noexcept {
    previous_ = other.previous_;
    next_ = &other;
    previous_->next_ = this;
    other.previous_ = this;
  }

  ListNode* previous_ = nullptr;
  ListNode* next_ = nullptr;
};

/// Is a doubly linked list of items that derive from `ListNode<Tag>`; owns nothing, never allocates.
///
/// The destructor unlinks what is left.
template <class T, class Tag = void>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() noexcept { Reset(); }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() { Clear(); }

  [[nodiscard]] bool Empty() const noexcept { return root_.next_ == &root_; }

  /// Returns the oldest item, or null.
  [[nodiscard]] T* Front() const noexcept { return Empty() ? nullptr : Item(root_.next_); }

  /// Returns the newest item, or null.
  [[nodiscard]] T* Back() const noexcept { return Empty() ? nullptr : Item(root_.previous_); }

  /// Adds `item`, which is in no list, at the end.
  void PushBack(T& item) noexcept { static_cast<Node&>(item).LinkBefore(root_); }

  /// Adds `item`, which is in no list, at the beginning.
  void PushFront(T& item) noexcept { static_cast<Node&>(item).LinkBefore(*root_.next_); }

  /// Adds `item`, which is in no list, before `position`, which is in this one.
  void InsertBefore(T& position, T& item) noexcept { static_cast<Node&>(item).LinkBefore(position); }

  /// Takes the first item, or null.
  T* PopFront() noexcept { return Take(root_.next_); }

  /// Takes the last item, or null.
  T* PopBack() noexcept { return Take(root_.previous_); }

  /// Returns the item after `item`, or null at the end.
  [[nodiscard]] T* Next(const T& item) const noexcept {
    Node* const next = static_cast<const Node&>(item).next_;
    return next == &root_ ? nullptr : Item(next);
  }

  /// Moves everything from `other` to the end; O(1).
  void Splice(IntrusiveList& other) noexcept {
    if (other.Empty()) return;
    Node* const first = other.root_.next_;
    Node* const last = other.root_.previous_;
    other.Reset();
    first->previous_ = root_.previous_;
    last->next_ = &root_;
    root_.previous_->next_ = first;
    root_.previous_ = last;
  }

  /// Unlinks every item.
  void Clear() noexcept {
    while (PopFront() != nullptr) {
    }
  }

 private:
  static T* Item(Node* node) noexcept { return static_cast<T*>(node); }

  void Reset() noexcept { root_.next_ = root_.previous_ = &root_; }

  T* Take(Node* node) noexcept {
    if (node == &root_) return nullptr;
    node->Unlink();
    return Item(node);
  }

  Node root_;  // of a ring; both links of a node in no list are null
};

}  // namespace orchestrate::inline v1::detail
