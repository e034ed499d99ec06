#pragma once

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/task/detail/task_core.hpp>

namespace orchestrate::inline v1::detail {

// The link of a node's std::stop_source. What it runs, or releases, are call-backs of the user.
struct StopLink : Link, Deferred, ChainNode {
  void (*drop)(StopLink&) noexcept = nullptr;
};

// Returns the node's stop link, which is `mine` when it had none. Throws std::bad_alloc.
StopLink& ShareStopLink(ContextNode& node, StopLink& mine);

// Everything that wants to be told when `owner` ends; made when the first such thing comes.
struct ContextLinks : Deferred {
  explicit ContextLinks(ContextNode& node) noexcept : owner(&node) {}

  // Takes `link` out of the list; the lock is held.
  void Unlink(Link& link) noexcept {
    (link.prev != nullptr ? link.prev->next : first) = link.next;
    (link.next != nullptr ? link.next->prev : last) = link.prev;
    link.prev = link.next = nullptr;
    link.in = nullptr;
  }

  struct UpLink : Link {
    ContextLinks* child = nullptr;
  };

  ContextNode* owner;
  Mutex mutex;
  Link* first = nullptr;  // in the order of registration
  Link* last = nullptr;
  UpLink up;  // this node's place among its parent's links
  sync::atomic<StopLink*> stop{nullptr};
  sync::atomic<bool> activated{false};  // it and all above it are tied together
  Mutex activation;                     // makes one thread at a time tie this node to its parent
};

}  // namespace orchestrate::inline v1::detail
