#pragma once

#include <utility>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1 {
namespace detail {

struct WorkNode;

// What can happen to a node that was handed to an executor: exactly one of the two, exactly once.
struct WorkOps {
  void (*run)(WorkNode&) noexcept;   // runs the work and gives up the node
  void (*drop)(WorkNode&) noexcept;  // ends the work unrun and gives up the node
  // Whether somebody else has run the work, so that run() only gives up the node; null means never.
  bool (*is_stale)(const WorkNode&) noexcept = nullptr;
};

// The intrusive head of everything an executor can run. `next` belongs to whichever queue holds the node.
struct WorkNode {
  const WorkOps* ops;
  WorkNode* next = nullptr;
};

}  // namespace detail

/// Holds one piece of work that an executor accepted and has to run once.
///
/// Destroying it unrun ends its task with `Errc::ShutDown`, so an executor can lose no task.
class Work {
 public:
  explicit Work(detail::WorkNode& node) noexcept : node_(&node) {}
  Work(Work&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Work& operator=(Work&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Work() {
    if (node_ != nullptr) node_->ops->drop(*node_);
  }

  /// Runs the work on the calling thread; a second call does nothing.
  void operator()() noexcept {
    if (auto* node = Release()) node->ops->run(*node);
  }

  /// Gives up the node to a queue that links nodes itself.
  [[nodiscard]] detail::WorkNode* Release() noexcept { return std::exchange(node_, nullptr); }

 private:
  detail::WorkNode* node_;
};

}  // namespace orchestrate::inline v1
