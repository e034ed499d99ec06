#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <source_location>
#include <string>
#include <tuple>
#include <vector>

#include <test/model/engine/choices.hpp>
#include <test/model/engine/clock.hpp>
#include <test/model/engine/fiber.hpp>
#include <test/model/engine/location.hpp>

namespace orchestrate::model {

enum class Access : std::uint8_t { Load, Store, Modify, FailedExchange };

// A place in the source where a memory order is named; of a compare-exchange there are two.
struct Site {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  Access access = Access::Load;
  std::memory_order order = std::memory_order_seq_cst;

  [[nodiscard]] bool operator<(const Site& other) const noexcept {
    return std::tie(file, line, column, access, order) <
           std::tie(other.file, other.line, other.column, other.access, other.order);
  }
};

struct Limits {
  std::uint32_t preemptions = 2;  // switches away from a thread that could have gone on
  std::uint32_t stale_reads = 8;  // loads that do not return the newest value
  std::uint32_t spurious = 1;     // compare-exchanges that fail, and waits that time out, without a reason
  std::uint32_t steps = 3000;     // of one execution; more is a livelock
};

// Memory of which each thread of a program has its own, such as what the library has for each thread. It
// holds that of the one that runs.
struct ThreadLocal {
  static constexpr std::size_t kMost = 128;
  void* memory = nullptr;
  std::size_t bytes = 0;
};

// What one program does: threads, and what holds when all have ended.
class Program {
 public:
  void Thread(std::function<void()> body) { threads.push_back(std::move(body)); }
  void Finally(std::function<void()> check) { at_end = std::move(check); }

  std::vector<std::function<void()>> threads;
  std::function<void()> at_end;
  ThreadLocal local;  // begins everywhere as it is after the set-up
};

// Runs one program once: one thread at a time, each step and each value read by choice.
//
// The memory model is that of C++20 without fences and consume, less one thing: the modification order of an
// atomic is the order of execution, so what needs a store to take its place before one that was executed
// earlier is not seen (load buffering, 2+2W).
class Execution {
 public:
  explicit Execution(Choices& choices) : choices_(choices) {}
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  // Runs `setup` and then its threads; false when something was found.
  [[nodiscard]] bool Run(const std::function<void(Program&)>& setup, const Limits& limits);

  [[nodiscard]] const std::string& Failure() const noexcept { return failure_; }
  [[nodiscard]] const std::vector<std::string>& Trace() const noexcept { return trace_; }
  void SetTracing(bool on) noexcept { tracing_ = on; }
  // From now on notes every site that is used.
  void CollectSites(std::set<Site>* into) noexcept { sites_ = into; }
  // Uses `order` at `site` instead of what the source says; null for none.
  void Weaken(const Site* site, std::memory_order order) noexcept { weakened_ = site, weaker_ = order; }

  // The execution that runs now, or null.
  [[nodiscard]] static Execution* Current() noexcept;

  // ---- what the atomics and fields of the program call ----
  using Where = std::source_location;
  Location* NewLocation(std::uint64_t value);
  std::uint64_t Load(Location& at, std::memory_order order, Where where);
  void Store(Location& at, std::uint64_t value, std::memory_order order, Where where);
  enum class Op : std::uint8_t { Exchange, Add, Sub, Or, And, Xor };
  // Returns the value before; only the bits of `mask` are kept.
  std::uint64_t Modify(Location& at, Op op, std::uint64_t operand, std::uint64_t mask,
                       std::memory_order order, Where where);
  enum class Strength : std::uint8_t { Weak, Strong };
  bool CompareExchange(Location& at, std::uint64_t& expected, std::uint64_t desired, Strength strength,
                       std::memory_order success, std::memory_order failure, Where where);
  void End(Location& at, Where where);
  void ReadPlain(PlainState& field, Where where);
  void WritePlain(PlainState& field, Where where);
  void EndPlain(PlainState& field, Where where);
  enum class Patience : std::uint8_t { ForEver, MayTimeOut };
  // False when it timed out.
  bool FutexWait(Location& at, std::uint64_t expected, Patience patience, Where where);
  void FutexWake(const void* address, int count, Where where);
  void Relax(Where where);
  void Check(bool holds, const char* what, Where where);
  [[nodiscard]] std::uint64_t Number() const noexcept { return number_; }
  // Where a futex of this location sleeps.
  static const void* AddressOf(const Location& at) noexcept { return &at; }

 private:
  enum class State : std::uint8_t { Absent, Ready, Yielded, Blocked, Joining, Done };
  struct ModelThread {
    Fiber fiber;
    State state = State::Absent;
    VectorClock past;
    const void* blocked_on = nullptr;
    std::uint64_t yielded_at = 0;  // how many writes there had been
    bool fresh = false;            // the next load returns the newest value: nothing stays stale for ever
    Where blocked_where;
    std::function<void()>* body = nullptr;
    std::array<std::byte, ThreadLocal::kMost> local{};  // while another one runs
  };

  static void Enter(void* self);
  void RunThread(std::size_t index);
  void Begin(std::size_t index, std::function<void()>* body);
  void RunMain(const std::function<void(Program&)>& setup);

  // Before a step that others can see: maybe somebody else runs first.
  void StepBegins();
  // The running thread cannot go on; picks another.
  void Leave(State state);
  void SwitchTo(std::size_t index);
  [[nodiscard]] bool CanRun(std::size_t index) const noexcept;
  [[nodiscard]] bool MayPreempt(std::size_t index) const noexcept;
  [[noreturn]] void Fail(const std::string& what, Where where);
  void Note(const char* op, std::uint32_t location, std::uint64_t value, std::memory_order order, Where where,
            const char* remark = "");
  void CheckAlive(const Location& at, Where where);
  void CheckAlive(PlainState& field, Where where);
  [[nodiscard]] std::memory_order OrderAt(std::memory_order order, Access access, Where where);
  std::uint64_t ReadFrom(Location& at, std::size_t index, std::memory_order order);
  void Append(Location& at, std::uint64_t value, std::memory_order order, bool is_rmw);
  [[nodiscard]] std::size_t ChooseStore(Location& at, std::size_t oldest);
  [[nodiscard]] ModelThread& Self() noexcept { return threads_[running_]; }

  Choices& choices_;
  Limits limits_;
  Fiber host_;
  std::array<ModelThread, kMaxThreads> threads_;
  ThreadLocal local_;
  std::size_t count_ = 0;
  std::size_t running_ = 0;
  std::vector<std::unique_ptr<Location>> locations_;  // kept for the next execution
  std::size_t used_ = 0;
  std::uint32_t next_plain_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t number_ = 0;
  std::uint32_t steps_ = 0;
  std::uint32_t preemptions_ = 0;
  std::uint32_t stale_reads_ = 0;
  std::uint32_t spurious_ = 0;
  const std::function<void(Program&)>* setup_ = nullptr;
  std::string failure_;
  bool tracing_ = false;
  std::vector<std::string> trace_;
  std::set<Site>* sites_ = nullptr;
  const Site* weakened_ = nullptr;
  std::memory_order weaker_ = std::memory_order_relaxed;
};

// Reports a broken promise of the program that runs.
inline void Check(bool holds, const char* what,
                  std::source_location where = std::source_location::current()) {
  Execution::Current()->Check(holds, what, where);
}

}  // namespace orchestrate::model
