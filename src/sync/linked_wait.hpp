#pragma once

#include <orchestrate/exec/detail/scheduling.hpp>
#include <orchestrate/task/detail/context_node.hpp>
#include "task/thread_wait.hpp"

namespace orchestrate::inline v1::detail {

// A thread that waits in a queue until somebody calls Finish(), or until its context has ended.
struct LinkedWait : ThreadWait, Link {
  // `context` may be null: then only Finish() ends the wait.
  explicit LinkedWait(ContextNode* context, NoSpare no_spare = NoSpare::Fails) noexcept
      : ThreadWait(context != nullptr ? RuntimeOf(*context) : nullptr, no_spare), node(context) {
    // The thread cannot outrun this: RemoveLink() takes the lock of the list.
    fire = [](Link& link) noexcept -> Deferred* {
      static_cast<LinkedWait&>(link).Nudge();
      return nullptr;
    };
  }

  // To be called once others can reach the waiter. Returns no error when it was finished; the context's error
  // when that has ended and `leave()` said that nobody will call Finish() any more.
  template <class Leave>
  [[nodiscard]] Error Await(Leave leave) noexcept {
    Error ended;
    try {
      if (node != nullptr) AddLink(*node, *this);
    } catch (...) {
      ended = Errc::OutOfResources;
    }
    bool left = false;
    while (!left && !Finished()) {
      if (node != nullptr && !ended) ended = EndOf(*node);
      // An end that comes together with Finish() loses: what was handed over is kept.
      left = ended && leave();
      if (!left) Sleep();
    }
    if (node != nullptr) RemoveLink(*node, *this);
    return left ? ended : Error();
  }

  ContextNode* node;
};

}  // namespace orchestrate::inline v1::detail
