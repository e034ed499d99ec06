#pragma once

#include <cstddef>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::detail {

class FreshStack;

// How much stack is left below the caller on this thread, in bytes.
ORCHESTRATE_API std::size_t StackLeft() noexcept;

// Room on the stack for the body of a task: where the calling thread has little left, a fresh stack of the
// same thread. Nothing else changes there: thread, thread-locals, the exceptions in flight.
class ORCHESTRATE_API StackRoom {
 public:
  StackRoom() noexcept;
  StackRoom(const StackRoom&) = delete;
  StackRoom& operator=(const StackRoom&) = delete;
  ~StackRoom();

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
  static void RunOn(FreshStack& stack, void (*call)(void*) noexcept, void* argument) noexcept;

  bool enough_;
  FreshStack* fresh_ = nullptr;
};

// Gives the memory of the stacks that nobody needed since the last call back to the system.
void DropUnusedStacks() noexcept;

// How many wait to be used again.
[[nodiscard]] ORCHESTRATE_API std::size_t IdleStacks() noexcept;

}  // namespace orchestrate::inline v1::detail
