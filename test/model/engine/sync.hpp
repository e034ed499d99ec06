#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <orchestrate/base/export.hpp>
#include <source_location>
#include <type_traits>
#include <utility>

#include <test/model/engine/execution.hpp>

// What base/sync.hpp declares, under the engine: each operation is a step of the execution that runs.
namespace orchestrate::inline v1::sync {

using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

enum class FutexResult : std::uint8_t { Woken, TimedOut };

template <class T>
class atomic {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  using Execution = model::Execution;

 public:
  using Where = std::source_location;
  using value_type = T;
  static constexpr bool is_always_lock_free = true;

  constexpr atomic() noexcept : atomic(T{}) {}
  constexpr atomic(T first) noexcept : first_(first) {  // NOLINT: as std::atomic
    if (!std::is_constant_evaluated() && Execution::Current() != nullptr) (void)Here();
  }
  atomic(const atomic&) = delete;
  atomic& operator=(const atomic&) = delete;
  constexpr ~atomic() {
    if (!std::is_constant_evaluated() && Execution::Current() != nullptr) {
      Execution::Current()->End(Here(), Where::current());
    }
  }

  [[nodiscard]] T load(memory_order order = memory_order_seq_cst,
                       Where where = Where::current()) const noexcept {
    return FromBits(Execution::Current()->Load(Here(), order, where));
  }
  void store(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    Execution::Current()->Store(Here(), ToBits(value), order, where);
  }
  T exchange(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    return Modify(Execution::Op::Exchange, ToBits(value), order, where);
  }
  bool compare_exchange_weak(T& expected, T desired, memory_order success, memory_order failure,
                             Where where = Where::current()) noexcept {
    return Compare(expected, desired, Execution::Strength::Weak, success, failure, where);
  }
  bool compare_exchange_weak(T& expected, T desired, memory_order order = memory_order_seq_cst,
                             Where where = Where::current()) noexcept {
    return Compare(expected, desired, Execution::Strength::Weak, order, OnFailure(order), where);
  }
  bool compare_exchange_strong(T& expected, T desired, memory_order success, memory_order failure,
                               Where where = Where::current()) noexcept {
    return Compare(expected, desired, Execution::Strength::Strong, success, failure, where);
  }
  bool compare_exchange_strong(T& expected, T desired, memory_order order = memory_order_seq_cst,
                               Where where = Where::current()) noexcept {
    return Compare(expected, desired, Execution::Strength::Strong, order, OnFailure(order), where);
  }
  T fetch_add(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    return Modify(Execution::Op::Add, ToBits(value), order, where);
  }
  T fetch_sub(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    return Modify(Execution::Op::Sub, ToBits(value), order, where);
  }
  T fetch_or(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    return Modify(Execution::Op::Or, ToBits(value), order, where);
  }
  T fetch_and(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    return Modify(Execution::Op::And, ToBits(value), order, where);
  }
  T fetch_xor(T value, memory_order order = memory_order_seq_cst, Where where = Where::current()) noexcept {
    return Modify(Execution::Op::Xor, ToBits(value), order, where);
  }

  // For the futex calls below.
  [[nodiscard]] model::Location& Here() const noexcept {
    if (execution_ != Execution::Current()->Number()) {
      location_ = Execution::Current()->NewLocation(ToBits(first_));
      execution_ = Execution::Current()->Number();
    }
    return *location_;
  }
  [[nodiscard]] const void* Address() const noexcept { return location_; }

 private:
  static constexpr std::uint64_t kMask = std::numeric_limits<std::uint64_t>::max() >> (64 - 8 * sizeof(T));

  static constexpr memory_order OnFailure(memory_order order) noexcept {
    if (order == memory_order_acq_rel) return memory_order_acquire;
    return order == memory_order_release ? memory_order_relaxed : order;
  }
  static std::uint64_t ToBits(T value) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
  static T FromBits(std::uint64_t bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  T Modify(Execution::Op op, std::uint64_t operand, memory_order order, Where where) noexcept {
    return FromBits(Execution::Current()->Modify(Here(), op, operand, kMask, order, where));
  }
  bool Compare(T& expected, T desired, Execution::Strength strength, memory_order success,
               memory_order failure, Where where) noexcept {
    std::uint64_t bits = ToBits(expected);
    const bool done = Execution::Current()->CompareExchange(Here(), bits, ToBits(desired), strength, success,
                                                            failure, where);
    expected = FromBits(bits);
    return done;
  }

  T first_;
  mutable model::Location* location_ = nullptr;
  mutable std::uint64_t execution_ = 0;
};

template <class T>
class plain {
 public:
  using Where = std::source_location;

  constexpr plain() noexcept = default;
  constexpr plain(T value) noexcept : value_(std::move(value)) {}  // NOLINT: as T
  plain(const plain& other) noexcept : value_(other) {}
  plain& operator=(const plain& other) noexcept { return *this = static_cast<T>(other); }
  constexpr ~plain() {
    if (!std::is_constant_evaluated() && model::Execution::Current() != nullptr)
      model::Execution::Current()->EndPlain(state_, Where::current());
  }

  plain& operator=(T value) noexcept {
    model::Execution::Current()->WritePlain(state_, Where::current());
    value_ = std::move(value);
    return *this;
  }
  operator T() const noexcept {  // NOLINT: as T
    model::Execution::Current()->ReadPlain(state_, Where::current());
    return value_;
  }
  T operator->() const noexcept
    requires std::is_pointer_v<T>
  {
    return static_cast<T>(*this);
  }

 private:
  T value_{};
  mutable model::PlainState state_;
};

inline void Relax(std::source_location where = std::source_location::current()) noexcept {
  model::Execution::Current()->Relax(where);
}

inline void FutexWait(const atomic<std::uint32_t>& word, std::uint32_t expected,
                      std::source_location where = std::source_location::current()) noexcept {
  (void)model::Execution::Current()->FutexWait(word.Here(), expected, model::Execution::Patience::ForEver,
                                               where);
}

inline FutexResult FutexWaitUntil(const atomic<std::uint32_t>& word, std::uint32_t expected,
                                  std::chrono::steady_clock::time_point /*deadline*/,
                                  std::source_location where = std::source_location::current()) noexcept {
  return model::Execution::Current()->FutexWait(word.Here(), expected, model::Execution::Patience::MayTimeOut,
                                                where)
             ? FutexResult::Woken
             : FutexResult::TimedOut;
}

inline void FutexWake(const atomic<std::uint32_t>& word, int count,
                      std::source_location where = std::source_location::current()) noexcept {
  model::Execution::Current()->FutexWake(word.Address(), count, where);
}

}  // namespace orchestrate::inline v1::sync
