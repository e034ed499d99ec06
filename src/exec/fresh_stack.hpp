#pragma once

#include <cstddef>
#include <cstdint>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::detail {

class FreshStack;

// How much stack is left below the caller on this thread, in bytes; 0 on a stack of the program's own.
ORCHESTRATE_API std::size_t StackLeft() noexcept;

// The part of this thread's stack that leaves enough for a body below it: where it begins, and its size,
// which is 0 before it was asked for. A frame outside lies too low, or on a stack of the program's own (a
// fiber's), of which nothing is known.
struct BodyRange {
  std::uintptr_t floor = 0;
  std::uintptr_t bytes = 0;
};
extern ORCHESTRATE_API constinit thread_local BodyRange t_body_range;

// Room on the stack for the body of a task: where the calling thread has little left, a fresh stack of the
// same thread. Nothing else changes there: thread, thread-locals, the exceptions in flight.
class ORCHESTRATE_API StackRoom {
 public:
  StackRoom() noexcept {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));  // NOLINT
    if (here - t_body_range.floor >= t_body_range.bytes) Look();
  }
  StackRoom(const StackRoom&) = delete;
  StackRoom& operator=(const StackRoom&) = delete;
  ~StackRoom() {
    if (fresh_ != nullptr) GiveBack();
  }

  // False when there was neither room nor memory for a fresh stack.
  explicit operator bool() const noexcept { return enough_ || fresh_ != nullptr; }

  // Calls `call`, on the fresh stack when there is one, and returns when it has returned.
  template <typename Call>
  void Run(Call&& call) noexcept {
    if (enough_) return call();
    RunOn(
        *fresh_, [](void* argument) noexcept { (*static_cast<Call*>(argument))(); }, &call);
  }

 private:
  void Look() noexcept;
  void GiveBack() noexcept;
  static void RunOn(FreshStack& stack, void (*call)(void*) noexcept, void* argument) noexcept;

  bool enough_ = true;
  FreshStack* fresh_ = nullptr;
};

// Gives the memory of the stacks that nobody needed since the last call back to the system.
void DropUnusedStacks() noexcept;

// How many wait to be used again.
[[nodiscard]] ORCHESTRATE_API std::size_t IdleStacks() noexcept;

}  // namespace orchestrate::inline v1::detail
