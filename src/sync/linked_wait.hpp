#pragma once

#include <orchestrate/task/detail/context_node.hpp>
#include "exec/scheduling.hpp"
#include "task/context_nudge.hpp"
#include "task/thread_wait.hpp"

namespace orchestrate::inline v1::detail {

// A thread that waits in a queue until another calls Finish(), or until its context has ended.
struct LinkedWait : ThreadWait {
  // `context` may be null: then only Finish() ends the wait.
  LinkedWait(ContextNode* context, const char* verb, NoSpare no_spare = NoSpare::Fails) noexcept
      : ThreadWait(context != nullptr ? RuntimeOf(*context) : nullptr, verb, no_spare), node(context) {}

  // To be called once others can reach the waiter. Returns no error when it was finished; the context's error
  // when that has ended and `leave()` said that nobody will call Finish() any more.
  template <class Leave>
  [[nodiscard]] Error Await(Leave leave) noexcept {
    const ContextNudge nudge(node, *this);
    Error ended;
    while (!Finished()) {
      if (!ended) ended = nudge.Ended();
      // An end that comes together with Finish() loses: what was handed over is kept.
      if (ended && leave()) return ended;
      Sleep();
    }
    return {};
  }

  ContextNode* node;
};

}  // namespace orchestrate::inline v1::detail
