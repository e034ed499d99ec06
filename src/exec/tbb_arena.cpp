#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/task_arena.h>

#include "tbb_arena.h"

// Nothing here may throw into the caller or into oneTBB, which aborts on an exception that leaves a task.

extern "C" void* orchestrate_arena_create(void) {
  try {
    auto* arena = new tbb::task_arena(1, 0);
    arena->initialize();
    return arena;
  } catch (...) {
    return nullptr;
  }
}

extern "C" void orchestrate_arena_destroy(void* arena) { delete static_cast<tbb::task_arena*>(arena); }

extern "C" int orchestrate_arena_enqueue(void* arena, void (*run)(void*), void* argument) {
  try {
    static_cast<tbb::task_arena*>(arena)->enqueue([run, argument] { run(argument); });
    return 1;
  } catch (const std::bad_alloc&) {
    return 0;
  } catch (...) {
    return -1;
  }
}

namespace {

constexpr size_t kMostThreads = 4096;

tbb::global_control* control = nullptr;
tbb::task_scheduler_handle* handle = nullptr;

}  // namespace

extern "C" int orchestrate_arena_set_limit(size_t threads) {
  try {
    if (threads == 0) {
      // The control last: without it oneTBB calls back the workers that only the control allows, and where
      // that is all of them, as on one CPU, finalize() waits for ever.
      if (handle != nullptr) tbb::finalize(*handle, std::nothrow);
      delete handle;
      handle = nullptr;
      delete control;
      control = nullptr;
      return 1;
    }
    if (handle == nullptr) {
      // oneTBB fixes the most threads it will ever have when its first arena appears.
      const tbb::global_control most(tbb::global_control::max_allowed_parallelism, kMostThreads);
      handle = new tbb::task_scheduler_handle(tbb::attach{});
      tbb::task_arena(1, 0).initialize();
    }
    // The new one first: the limit in force is the smallest of all, and must not fall in between.
    auto* next = new tbb::global_control(tbb::global_control::max_allowed_parallelism, threads);
    delete control;
    control = next;
    return 1;
  } catch (...) {
    return 0;
  }
}

extern "C" void orchestrate_arena_free_limit(void) {
  delete control;
  control = nullptr;
}

extern "C" size_t orchestrate_arena_active_limit(void) {
  return tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
}

extern "C" int orchestrate_arena_limit_is_fixed(void) {
  // What oneTBB allows itself when its first arena appears without a control that allows more.
  const auto cpus = static_cast<size_t>(tbb::info::default_concurrency());
  const size_t for_cpus = (cpus <= 128 ? 4 : 2) * cpus;
  const size_t workers = for_cpus > 256 ? for_cpus : 256;
  return orchestrate_arena_active_limit() == 1 + workers ? 1 : 0;
}
