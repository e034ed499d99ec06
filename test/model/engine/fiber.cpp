#include <test/model/engine/fiber.hpp>

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace orchestrate::model {
namespace {

constexpr std::size_t kStackBytes = std::size_t{256} * 1024;

void* MapStack() {
  void* const memory =
      mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, 4096, PROT_NONE);
  return memory;
}

}  // namespace

#if defined(__x86_64__)

// Saves what a call must keep on the stack, exchanges the stacks, and restores. A system call for the signal
// mask, which swapcontext() makes, would cost more than all the rest of a step.
asm(R"(
.text
.type orchestrate_model_switch, @function
orchestrate_model_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.type orchestrate_model_begin, @function
orchestrate_model_begin:
  movq %r12, %rdi
  callq *%r13
  hlt
)");
extern "C" void orchestrate_model_switch(void** save, void* to) noexcept;
extern "C" void orchestrate_model_begin() noexcept;

Fiber::~Fiber() {
  if (stack_ != nullptr) munmap(stack_, kStackBytes);
}

void Fiber::Begin(void (*entry)(void*), void* argument) {
  if (stack_ == nullptr) stack_ = MapStack();
  auto* top = reinterpret_cast<std::uintptr_t*>(static_cast<char*>(stack_) + kStackBytes) - 2;
  *--top = reinterpret_cast<std::uintptr_t>(&orchestrate_model_begin);
  *--top = 0;                                           // rbp
  *--top = 0;                                           // rbx
  *--top = reinterpret_cast<std::uintptr_t>(argument);  // r12
  *--top = reinterpret_cast<std::uintptr_t>(entry);     // r13
  *--top = 0;                                           // r14
  *--top = 0;                                           // r15
  pointer_ = top;
}

void Fiber::SwitchTo(Fiber& from) noexcept { orchestrate_model_switch(&from.pointer_, pointer_); }

#else

namespace {

// makecontext() hands over integers only.
void Enter(unsigned high, unsigned low) {
  auto* start =
      reinterpret_cast<std::pair<void (*)(void*), void*>*>((static_cast<std::uintptr_t>(high) << 32) | low);
  start->first(start->second);
}

ucontext_t& ContextAt(void*& pointer) {
  if (pointer == nullptr) pointer = new ucontext_t{};
  return *static_cast<ucontext_t*>(pointer);
}

}  // namespace

Fiber::~Fiber() {
  delete static_cast<ucontext_t*>(pointer_);
  if (stack_ != nullptr) munmap(stack_, kStackBytes);
}

void Fiber::Begin(void (*entry)(void*), void* argument) {
  if (stack_ == nullptr) stack_ = MapStack();
  ucontext_t& context = ContextAt(pointer_);
  getcontext(&context);
  context.uc_stack.ss_sp = stack_;
  context.uc_stack.ss_size = kStackBytes;
  context.uc_link = nullptr;
  auto* start = ::new (static_cast<char*>(stack_) + 4096) std::pair<void (*)(void*), void*>(entry, argument);
  const auto bits = reinterpret_cast<std::uintptr_t>(start);
  makecontext(&context, reinterpret_cast<void (*)()>(Enter), 2, static_cast<unsigned>(bits >> 32),
              static_cast<unsigned>(bits));
}

void Fiber::SwitchTo(Fiber& from) noexcept { swapcontext(&ContextAt(from.pointer_), &ContextAt(pointer_)); }

#endif

}  // namespace orchestrate::model
