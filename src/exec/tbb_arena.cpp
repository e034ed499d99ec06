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
constexpr size_t kBeyondAll = size_t{1} << 20;

tbb::global_control* control = nullptr;
tbb::task_scheduler_handle* handle = nullptr;
size_t fixed_limit =
    0;  // what oneTBB has fixed for as long as it is in use; 0 while a lower control hides it

// What oneTBB allows itself when its first arena appears without a control that allows more.
size_t DefaultLimit() {
  const auto cpus = static_cast<size_t>(tbb::info::default_concurrency());
  const size_t for_cpus = (cpus <= 128 ? 4 : 2) * cpus;
  return 1 + (for_cpus > 256 ? for_cpus : 256);
}

// oneTBB fixes the most threads it will ever have when its first arena appears.
void Attach() {
  // Without a control this is the number of CPUs, which is less than oneTBB ever fixes.
  const size_t before = orchestrate_arena_active_limit();
  const tbb::global_control beyond_all(tbb::global_control::max_allowed_parallelism, kBeyondAll);
  {
    const tbb::global_control most(tbb::global_control::max_allowed_parallelism, kMostThreads);
    handle = new tbb::task_scheduler_handle(tbb::attach{});
    tbb::task_arena(1, 0).initialize();
  }
  const size_t now = orchestrate_arena_active_limit();
  fixed_limit = now != before || now == DefaultLimit() ? now : 0;
}

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
    if (handle == nullptr) Attach();
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

extern "C" int orchestrate_arena_limit_cause(void) {
  const size_t limit = orchestrate_arena_active_limit();
  if (limit == 1 + kMostThreads) return OrchestrateLimitOfLibrary;
  const bool is_fixed = limit == fixed_limit || limit == DefaultLimit();
  return is_fixed ? OrchestrateLimitOfFirstUse : OrchestrateLimitOfControl;
}
