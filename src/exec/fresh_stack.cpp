#include "exec/fresh_stack.hpp"

#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>

#include <orchestrate/base/mutex.hpp>
#include <orchestrate/base/sync.hpp>

#include "base/sanitizers.hpp"

#ifdef ORCHESTRATE_TSAN
extern "C" {
void* __tsan_get_current_fiber();                          // NOLINT: the sanitizer's names
void* __tsan_create_fiber(unsigned flags);                 // NOLINT
void __tsan_destroy_fiber(void* fiber);                    // NOLINT
void __tsan_switch_to_fiber(void* fiber, unsigned flags);  // NOLINT
}
#endif
#ifdef ORCHESTRATE_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void** fake, const void* bottom, std::size_t bytes);            // NOLINT
void __sanitizer_finish_switch_fiber(void* fake, const void** old_bottom, std::size_t* old_bytes);  // NOLINT
}
#endif

// The switch is a plain call with another stack pointer: it returns before its caller goes on, so nothing but
// the frame pointer needs to be kept, no system call is made, and unwinders see through it.
#if defined(__x86_64__)
#define ORCHESTRATE_FRESH_STACKS 1
extern "C" void orchestrate_call_on(void* top, void (*call)(void*), void* argument);  // NOLINT
asm(R"(
  .pushsection .text
  .globl orchestrate_call_on
  .hidden orchestrate_call_on
  .type orchestrate_call_on, @function
orchestrate_call_on:
  .cfi_startproc
  endbr64
  pushq %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  movq %rsp, %rbp
  .cfi_def_cfa_register %rbp
  movq %rdi, %rsp
  movq %rdx, %rdi
  callq *%rsi
  movq %rbp, %rsp
  popq %rbp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size orchestrate_call_on, .-orchestrate_call_on
  .popsection
)");
#endif

namespace orchestrate::inline v1::detail {

constinit thread_local BodyRange t_body_range;

namespace {

#if defined(ORCHESTRATE_TSAN) || defined(ORCHESTRATE_ASAN)
constexpr std::size_t kTimes = 4;  // instrumented frames are larger
#else
constexpr std::size_t kTimes = 1;
#endif

constexpr std::size_t kBodyBytes = kTimes * 128 * 1024;    // what a body finds at least
constexpr std::size_t kStackBytes = kTimes * 1024 * 1024;  // of which a kernel gives only what is touched
constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kKept = 64;

// The ends of the stack that this thread is on.
struct Stack {
  char* low = nullptr;  // null before it was asked for
  char* top = nullptr;
};
constinit thread_local Stack t_stack;

void SetStack(Stack stack) noexcept {
  t_stack = stack;
  const auto size = static_cast<std::size_t>(stack.top - stack.low);
  t_body_range.floor = reinterpret_cast<std::uintptr_t>(stack.low + kBodyBytes);  // NOLINT
  t_body_range.bytes = size > kBodyBytes ? size - kBodyBytes : 0;
}

Stack OwnStack() noexcept {
  pthread_attr_t attributes;
  void* address = nullptr;
  std::size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
    pthread_attr_getstack(&attributes, &address, &size);
    pthread_attr_destroy(&attributes);
  }
  Stack own{static_cast<char*>(address), static_cast<char*>(address) + size};
#ifdef ORCHESTRATE_TSAN
  // Its own record of the calls of a thread has room for 65536 of them.
  if (size > kStackBytes) own.low += size - kStackBytes;
#endif
  return own;
}

}  // namespace

// Lies at the upper end of the pages that it stands for.
class alignas(64) FreshStack {
 public:
  static FreshStack* Map() noexcept {
    void* const pages = sync::MapPages(kStackBytes, kGuardBytes);
    if (pages == nullptr) return nullptr;
    if (!sync::GuardPages(pages, kGuardBytes)) return sync::UnmapPages(pages, kStackBytes), nullptr;
    return ::new (static_cast<char*>(pages) + kStackBytes - sizeof(FreshStack)) FreshStack(pages);
  }

  void Unmap() noexcept {
#ifdef ORCHESTRATE_TSAN
    __tsan_destroy_fiber(fiber_);
#endif
    sync::UnmapPages(pages_, kStackBytes);
  }

  [[nodiscard]] char* Low() noexcept { return static_cast<char*>(pages_) + kGuardBytes; }
  [[nodiscard]] char* Top() noexcept { return reinterpret_cast<char*>(this); }

#ifdef ORCHESTRATE_TSAN
  [[nodiscard]] void* Fiber() const noexcept { return fiber_; }
#endif

  FreshStack* next = nullptr;

 private:
  explicit FreshStack(void* pages) noexcept : pages_(pages) {}

  void* pages_;
#ifdef ORCHESTRATE_TSAN
  void* fiber_ = __tsan_create_fiber(0);
#endif
};

namespace {

// Stacks between two uses, the warmest first.
class IdleList {
 public:
  FreshStack* Take() noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (FreshStack* const stack = first_; stack != nullptr) {
        first_ = stack->next;
        least_ = std::min(least_, --count_);
        return stack;
      }
    }
    return FreshStack::Map();
  }

  void Give(FreshStack& stack) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (count_ < kKept) return Push(stack);
    }
    stack.Unmap();
  }

  // The coldest lie at the end, but who takes them away one by one from the front does no harm: all that are
  // dropped were idle together.
  void DropUnused() noexcept {
    FreshStack* dropped = nullptr;
    {
      const std::lock_guard lock(mutex_);
      for (; least_ != 0; --least_) {
        FreshStack* const stack = first_;
        first_ = stack->next;
        --count_;
        stack->next = dropped;
        dropped = stack;
      }
      least_ = count_;
    }
    while (dropped != nullptr) {
      FreshStack* const stack = dropped;
      dropped = stack->next;
      stack->Unmap();
    }
  }

  std::size_t Count() noexcept {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  void Push(FreshStack& stack) noexcept {
    stack.next = first_;
    first_ = &stack;
    ++count_;
  }

  Mutex mutex_;
  FreshStack* first_ = nullptr;
  std::size_t count_ = 0;
  std::size_t least_ = 0;  // of count_ since the last DropUnused()
};

constinit IdleList g_idle;  // never destroyed: trivially

}  // namespace

std::size_t StackLeft() noexcept {
  if (t_stack.low == nullptr) SetStack(OwnStack());
  char* const here = static_cast<char*>(__builtin_frame_address(0));
  return here > t_stack.low && here <= t_stack.top ? static_cast<std::size_t>(here - t_stack.low) : 0;
}

void StackRoom::Look() noexcept {
  enough_ = StackLeft() >= kBodyBytes;
#ifdef ORCHESTRATE_FRESH_STACKS
  if (!enough_) fresh_ = g_idle.Take();
#endif
}

void StackRoom::GiveBack() noexcept { g_idle.Give(*fresh_); }

#ifdef ORCHESTRATE_FRESH_STACKS
namespace {

struct Hop {
  void (*call)(void*) noexcept;
  void* argument;
  const void* outer_low = nullptr;
  std::size_t outer_bytes = 0;
};

// On the fresh stack.
void Arrive(void* argument) noexcept {
  auto& hop = *static_cast<Hop*>(argument);
#ifdef ORCHESTRATE_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &hop.outer_low, &hop.outer_bytes);
#endif
  hop.call(hop.argument);
#ifdef ORCHESTRATE_ASAN
  __sanitizer_start_switch_fiber(nullptr, hop.outer_low, hop.outer_bytes);
#endif
}

}  // namespace

// Not instrumented: what is entered on one record of calls has to be left on the same.
#ifdef ORCHESTRATE_TSAN
__attribute__((no_sanitize("thread"), noinline))
#endif
void StackRoom::RunOn(FreshStack& stack, void (*call)(void*) noexcept, void* argument) noexcept {
  Hop hop{call, argument};
  const Stack outer = t_stack;
  SetStack({stack.Low(), stack.Top()});
#ifdef ORCHESTRATE_ASAN
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack.Low(), static_cast<std::size_t>(stack.Top() - stack.Low()));
  orchestrate_call_on(stack.Top(), Arrive, &hop);
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#elif defined(ORCHESTRATE_TSAN)
  void* const fiber = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(stack.Fiber(), 0);
  orchestrate_call_on(stack.Top(), Arrive, &hop);
  __tsan_switch_to_fiber(fiber, 0);
#else
  orchestrate_call_on(stack.Top(), Arrive, &hop);
#endif
  SetStack(outer);
}
#else
void StackRoom::RunOn(FreshStack& /*stack*/, void (* /*call*/)(void*) noexcept, void* /*argument*/) noexcept {
}
#endif

void DropUnusedStacks() noexcept { g_idle.DropUnused(); }

std::size_t IdleStacks() noexcept { return g_idle.Count(); }

}  // namespace orchestrate::inline v1::detail
