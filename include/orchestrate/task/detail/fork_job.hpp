#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include <orchestrate/base/error.hpp>
#include <orchestrate/base/intrusive_list.hpp>
#include <orchestrate/base/result.hpp>
#include <orchestrate/base/slab_pool.hpp>
#include <orchestrate/base/sync.hpp>
#include <orchestrate/exec/work.hpp>
#include <orchestrate/task/detail/work_traits.hpp>

namespace orchestrate::inline v1 {

class Fork;

namespace detail {

class ForkRegion;
struct ForkPiece;

// What a fork has put off: on its stack, in a list of its own, oldest first. docs/adr/0004 has the protocol.
struct ForkJob {
  // Takes (a part of) the job out for others, and the job out of the list when nothing is left of it there.
  // Null when there is nothing to take or no memory.
  ForkPiece* (*part)(ForkJob&, Fork&) noexcept;
  ForkJob* older;
  ForkJob* newer;
};

// Tells threads apart for the price of a load.
[[nodiscard]] inline const void* ThisThread() noexcept {
#if __has_builtin(__builtin_thread_pointer)
  return __builtin_thread_pointer();
#else
  static thread_local char place;
  return &place;
#endif
}

// A part of a region that is up for others. One reference is that of the fork that joins it, the other that
// of the queue, which may hold its entry longer.
struct ORCHESTRATE_API ForkPiece : WorkNode, ListNode<> {
  ForkPiece(Fork& fork, void (*run_part)(ForkPiece&, Fork&),
            void (*release_part)(ForkPiece&) noexcept) noexcept;

  // Who wins this runs the part.
  [[nodiscard]] bool Take() noexcept { return !taken.exchange(true, sync::memory_order_acq_rel); }
  void Unref() noexcept {
    if (refs.fetch_sub(1, sync::memory_order_acq_rel) == 1) release(*this);
  }

  sync::atomic<std::uint32_t> refs{2};
  sync::atomic<bool> taken{false};
  sync::atomic<bool> stopped{false};         // its result is of no use any more
  sync::atomic<std::uint32_t> failed_at{0};  // its place among the failures of the region; 0 = none
  std::uint32_t depth = 0;              // of the join or loop that it is a part of, among those of its owner
  sync::atomic<std::uintptr_t> end{0};  // 0, the ThreadWait of the fork that joins it, or kEnded
  bool succeeded = false;               // it ended with a value
  bool told = false;                    // it had been told that it was stopped; before the end
  Error error;                          // why it failed, before the end
  Fork* owner;                          // which joins it
  void (*run)(ForkPiece&, Fork&);       // may throw
  void (*release)(ForkPiece&) noexcept;

  static constexpr std::uintptr_t kEnded = 1;
};

// The reference of the fork that joins a piece.
class PieceHold {
 public:
  explicit PieceHold(ForkPiece& piece) noexcept : piece_(piece) {}
  PieceHold(const PieceHold&) = delete;
  PieceHold& operator=(const PieceHold&) = delete;
  ~PieceHold() { piece_.Unref(); }

 private:
  ForkPiece& piece_;
};

template <class Piece, class... Args>
Piece* NewPiece(Args&&... args) noexcept {
  try {
    void* memory = AllocateBlock(sizeof(Piece));
    try {
      return ::new (memory) Piece(std::forward<Args>(args)...);
    } catch (...) {
      FreeBlock(memory, sizeof(Piece));
    }
  } catch (...) {  // then the work stays where it is
  }
  return nullptr;
}

template <class Piece>
void FreePiece(ForkPiece& piece) noexcept {
  auto& whole = static_cast<Piece&>(piece);
  std::destroy_at(&whole);
  FreeBlock(&whole, sizeof(Piece));
}

// ---- calls ----

template <class R>
struct ForkYield {
  static_assert(!kIsTask<std::remove_cv_t<R>>, "Fork: a child must not return a task; wait for it there");
  using Type = typename Yield<std::remove_cv_t<R>>::Type;
};

template <class F, class... Args>
inline constexpr bool kTakesFork = std::is_invocable_v<F&, Fork&, Args...>;

template <bool WithFork, class F, class... Args>
struct ForkRaw {
  using Type = std::invoke_result_t<F&, Args...>;
};
template <class F, class... Args>
struct ForkRaw<true, F, Args...> {
  using Type = std::invoke_result_t<F&, Fork&, Args...>;
};
template <class F, class... Args>
using ForkYieldOf = typename ForkYield<typename ForkRaw<kTakesFork<F, Args...>, F, Args...>::Type>::Type;

template <class F, class... Args>
decltype(auto) CallRaw(F& fn, Fork& fork, Args&&... args) {
  if constexpr (kTakesFork<F, Args...>) {
    return fn(fork, std::forward<Args>(args)...);
  } else {
    return fn(std::forward<Args>(args)...);
  }
}

// Calls `fn`, and throws the error that it returns.
template <class F, class... Args>
TuplePart<ForkYieldOf<F, Args...>> CallIn(F& fn, Fork& fork, Args&&... args) {
  using R = std::remove_cv_t<typename ForkRaw<kTakesFork<F, Args...>, F, Args...>::Type>;
  if constexpr (std::is_void_v<R>) {
    CallRaw(fn, fork, std::forward<Args>(args)...);
    return {};
  } else if constexpr (std::is_same_v<R, Error>) {
    if (Error error = CallRaw(fn, fork, std::forward<Args>(args)...)) error.Rethrow();
    return {};
  } else if constexpr (kIsResult<R>) {
    R outcome = CallRaw(fn, fork, std::forward<Args>(args)...);
    if (!outcome) outcome.Failure().Rethrow();
    if constexpr (std::is_void_v<typename R::ValueType>) {
      return {};
    } else {
      return *std::move(outcome);
    }
  } else {
    return CallRaw(fn, fork, std::forward<Args>(args)...);
  }
}

// One child of a join, put off.
template <class F>
struct CallJob : ForkJob {
  using Value = TuplePart<ForkYieldOf<F>>;

  explicit CallJob(F& callable) noexcept : fn(callable) { part = PartOut; }
  CallJob(const CallJob&) = delete;
  CallJob& operator=(const CallJob&) = delete;
  ~CallJob() {}  // NOLINT: the value is destroyed by hand

  struct Piece final : ForkPiece {
    Piece(CallJob& whole, Fork& fork) noexcept : ForkPiece(fork, Run, FreePiece<Piece>), job(whole) {}
    static void Run(ForkPiece& piece, Fork& fork) {
      CallJob& job = static_cast<Piece&>(piece).job;
      ::new (static_cast<void*>(std::addressof(job.value))) Value(CallIn(job.fn, fork));
    }
    CallJob& job;
  };

  static ForkPiece* PartOut(ForkJob& job, Fork& fork) noexcept;

  // After the piece has ended with a value.
  Value TakeValue() {
    struct Destroyer {
      CallJob& job;
      ~Destroyer() { std::destroy_at(std::addressof(job.value)); }
    } const destroyer{*this};
    return std::move(value);
  }

  F& fn;
  ForkPiece* piece;  // set when it is taken out of the list
  union {
    Value value;
  };
};

}  // namespace detail
}  // namespace orchestrate::inline v1
