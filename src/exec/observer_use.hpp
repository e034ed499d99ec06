#pragma once

#include "exec/runtime_core.hpp"

namespace orchestrate::inline v1::detail {

// The observer of a runtime, which is the user's: the runtime's destructor does not return as long as this
// lives.
class ObserverUse {
 public:
  // `runtime` may be null, and stays in memory for longer than this.
  explicit ObserverUse(RuntimeCore* runtime) noexcept {
    if (runtime == nullptr || runtime->GetObserver() == nullptr) return;
    runtime_ = runtime;
    observer_ = runtime->EnterObserver();
  }
  ObserverUse(const ObserverUse&) = delete;
  ObserverUse& operator=(const ObserverUse&) = delete;
  ~ObserverUse() {
    if (runtime_ != nullptr) runtime_->LeaveObserver();
  }

  explicit operator bool() const noexcept { return observer_ != nullptr; }
  [[nodiscard]] Observer* operator->() const noexcept { return observer_; }

 private:
  RuntimeCore* runtime_ = nullptr;
  Observer* observer_ = nullptr;
};

}  // namespace orchestrate::inline v1::detail
