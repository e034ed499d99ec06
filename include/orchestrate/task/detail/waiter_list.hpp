#pragma once

#include <cstdint>

#include <orchestrate/base/sync.hpp>

namespace orchestrate::inline v1::detail {

// What a waiter is told: that the subject has ended, or that something else has changed that may matter to
// it.
enum class Notice : std::uint8_t { Ended, Look };

// A node of a WaiterList. After Notice::Ended the node may be gone. What `notify` returns has to be posted.
template <class Subject>
struct WaiterOf {
  Subject* (*notify)(WaiterOf& self, Subject& subject, Notice notice) noexcept = nullptr;
  WaiterOf* next = nullptr;
};

// Everything that waits for one completion: threads, continuations, jobs. Closed exactly once, or never when
// nobody has waited.
//
// One word: the newest node's address, a lock bit for removal, or kClosed. Adding and closing are lock-free
// while nobody removes; removal (a timed wait that gave up) holds the lock bit for a short walk.
template <class Subject>
class WaiterList {
 public:
  using Node = WaiterOf<Subject>;

  // False when the list is closed. Release pairs with the acquire in Close(): the closer sees the node's
  // fields. The acquire of a failed attempt pairs with the release of Close(): the caller sees the outcome.
  [[nodiscard]] bool Add(Node& node) noexcept {
    auto head = head_.load(sync::memory_order_acquire);
    for (;;) {
      if (head == kClosed) return false;
      if ((head & kLocked) != 0) {
        sync::Relax();
        head = head_.load(sync::memory_order_acquire);
        continue;
      }
      node.next = ToNode(head);
      // Acquire pairs with the release of WithLock(): who was too late to be told to look sees why.
      if (head_.compare_exchange_weak(head, ToWord(&node), sync::memory_order_acq_rel,
                                      sync::memory_order_acquire)) {
        return true;
      }
    }
  }

  // A snapshot.
  [[nodiscard]] bool HasNodes() const noexcept {
    const auto head = head_.load(sync::memory_order_relaxed);
    return head != 0 && head != kClosed;
  }

  // False when the node is not in the list: it was or will be notified, and must stay alive until then.
  [[nodiscard]] bool Remove(Node& node) noexcept {
    bool found = false;
    WithLock([&node, &found](Node*& first) {
      for (Node** at = &first; *at != nullptr; at = &(*at)->next) {
        if (*at != &node) continue;
        *at = node.next;
        found = true;
        return;
      }
    });
    return found;
  }

  // Calls `fn(first)` while nobody can add, remove or close; false when the list is closed. The release of
  // the lock bit is the last access: whoever comes next may free the list.
  template <class Fn>
  bool WithLock(Fn fn) noexcept {
    auto head = head_.load(sync::memory_order_acquire);
    for (;;) {
      if (head == kClosed) return false;
      if ((head & kLocked) != 0) {
        sync::Relax();
        head = head_.load(sync::memory_order_acquire);
        continue;
      }
      if (head_.compare_exchange_weak(head, head | kLocked, sync::memory_order_acquire)) break;
    }
    Node* first = ToNode(head);
    fn(first);
    head_.store(ToWord(first), sync::memory_order_release);
    return true;
  }

  // Returns the nodes, newest first. Acquire sees their fields; release publishes the subject's outcome.
  [[nodiscard]] Node* Close() noexcept {
    auto head = head_.load(sync::memory_order_acquire);
    for (;;) {
      if ((head & kLocked) != 0 && head != kClosed) {
        sync::Relax();
        head = head_.load(sync::memory_order_acquire);
        continue;
      }
      if (head_.compare_exchange_weak(head, kClosed, sync::memory_order_acq_rel,
                                      sync::memory_order_acquire)) {
        return ToNode(head);
      }
    }
  }

  // Oldest first.
  [[nodiscard]] static Node* Reverse(Node* node) noexcept {
    Node* reversed = nullptr;
    while (node != nullptr) {
      Node* next = node->next;
      node->next = reversed;
      reversed = node;
      node = next;
    }
    return reversed;
  }

 private:
  static constexpr std::uintptr_t kLocked = 1;
  static constexpr std::uintptr_t kClosed = 3;

  static Node* ToNode(std::uintptr_t word) noexcept {
    return word == kClosed ? nullptr : reinterpret_cast<Node*>(word & ~kLocked);  // NOLINT
  }
  static std::uintptr_t ToWord(Node* node) noexcept {
    return reinterpret_cast<std::uintptr_t>(node);
  }  // NOLINT

  sync::atomic<std::uintptr_t> head_{0};
};

}  // namespace orchestrate::inline v1::detail
