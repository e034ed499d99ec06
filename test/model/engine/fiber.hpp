#pragma once

#include <cstddef>

namespace orchestrate::model {

// A stack of its own that the engine's one thread may run on. It is begun anew for each execution, also when
// the last one was left in the middle.
class Fiber {
 public:
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // The next SwitchTo() calls `entry(argument)`, which never returns.
  void Begin(void (*entry)(void*), void* argument);

  // Leaves `from`, the one that runs, for this one.
  void SwitchTo(Fiber& from) noexcept;

 private:
  void* stack_ = nullptr;    // null for the stack of the thread itself
  void* pointer_ = nullptr;  // where it stands
};

}  // namespace orchestrate::model
