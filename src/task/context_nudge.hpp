#pragma once

#include <orchestrate/task/detail/context_node.hpp>
#include "task/thread_wait.hpp"

namespace orchestrate::inline v1::detail {

// While it lives, the end of a context makes a blocked thread look again.
class ContextNudge : Link {
 public:
  // `context` may be null: then nothing does.
  ContextNudge(ContextNode* context, ThreadWait& wait) noexcept : context_(context), wait_(wait) {
    // The thread cannot outrun this: RemoveLink() takes the lock of the list.
    fire = [](Link& link) noexcept -> Deferred* {
      static_cast<ContextNudge&>(link).wait_.Nudge();
      return nullptr;
    };
    try {
      if (context_ != nullptr) AddLink(*context_, *this);
    } catch (...) {
      failure_ = Errc::OutOfResources;
    }
  }
  ContextNudge(const ContextNudge&) = delete;
  ContextNudge& operator=(const ContextNudge&) = delete;
  ~ContextNudge() {
    if (context_ != nullptr) RemoveLink(*context_, *this);
  }

  // Why the thread need not wait any longer: the context's error, or that nothing would wake it.
  [[nodiscard]] Error Ended() const noexcept {
    return failure_ || context_ == nullptr ? failure_ : EndOf(*context_);
  }

 private:
  ContextNode* context_;
  ThreadWait& wait_;
  Error failure_;
};

}  // namespace orchestrate::inline v1::detail
