#pragma once

#include <cstdint>

#include <orchestrate/base/export.hpp>

namespace orchestrate::inline v1::detail {

class RuntimeCore;
struct Slot;

// What the library knows about the calling thread. Trivial, so that it lives as long as the thread itself.
struct ThreadState {
  RuntimeCore* runtime = nullptr;  // whose permit this thread holds
  Slot* slot = nullptr;            // set on a worker, null on a thread from outside
  void* frame = nullptr;           // the innermost running task (task layer)
  void* draining = nullptr;        // completions put off to the outermost call (task layer)
};

extern ORCHESTRATE_API constinit thread_local ThreadState t_thread;

}  // namespace orchestrate::inline v1::detail
