#include <algorithm>

#include <test/model/engine/arena.hpp>
#include <test/model/engine/execution.hpp>

// The memory: which value a load returns, and what the reader learns with it.
namespace orchestrate::model {
namespace {

bool Acquires(std::memory_order order) noexcept {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst || order == std::memory_order_consume;
}

bool Releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

// A thread that reads one outdated value again and again sees a newer one in the end.
constexpr std::uint8_t kStaleInARow = 3;

}  // namespace

Location* Execution::NewLocation(std::uint64_t value) {
  const MemoryOf scope(Side::Engine);
  if (used_ == locations_.size()) locations_.push_back(std::make_unique<Location>());
  Location& at = *locations_[used_++];
  at.Begin(static_cast<std::uint32_t>(used_), value, static_cast<std::uint8_t>(running_),
           Self().past.Tick(running_));
  return &at;
}

void Execution::CheckAlive(const Location& at, Where where) {
  if (at.dead) Fail("use after free of atomic #" + std::to_string(at.number), where);
  if (!Self().past.Knows(at.stores[0].thread, at.stores[0].time))
    Fail("atomic #" + std::to_string(at.number) + " is used before its construction is known", where);
}

std::size_t Execution::ChooseStore(Location& at, std::size_t oldest) {
  const std::size_t newest = at.stores.size() - 1;
  ModelThread& self = Self();
  auto& in_a_row = at.stale_reads[running_];
  if (self.fresh || stale_reads_ >= limits_.stale_reads || in_a_row >= kStaleInARow) oldest = newest;
  self.fresh = false;
  const auto back = choices_.Choose(static_cast<std::uint32_t>(newest - oldest + 1));
  if (back == 0) {
    in_a_row = 0;
  } else {
    ++in_a_row;
    ++stale_reads_;
  }
  return newest - back;
}

std::uint64_t Execution::ReadFrom(Location& at, std::size_t index, std::memory_order order) {
  ModelThread& self = Self();
  at.NoteRead(index, running_, self.past.Tick(running_));
  if (Acquires(order)) self.past.Join(at.stores[index].release);
  if (order == std::memory_order_seq_cst) at.sc_floor = std::max(at.sc_floor, index);
  return at.stores[index].value;
}

// A store without a release that is no read-modify-write ends every release sequence.
void Execution::Append(Location& at, std::uint64_t value, std::memory_order order, bool is_rmw) {
  ModelThread& self = Self();
  StoreEvent next;
  next.value = value;
  next.thread = static_cast<std::uint8_t>(running_);
  next.time = self.past.Tick(running_);
  if (is_rmw) next.release = at.stores.back().release;
  if (Releases(order)) next.release.Join(self.past);
  at.stores.push_back(next);
  if (order == std::memory_order_seq_cst) at.sc_floor = at.stores.size() - 1;
  ++writes_;
}

std::uint64_t Execution::Load(Location& at, std::memory_order order, Where where) {
  const MemoryOf scope(Side::Engine);
  StepBegins();
  CheckAlive(at, where);
  order = OrderAt(order, Access::Load, where);
  std::size_t oldest = at.OldestReadable(Self().past);
  if (order == std::memory_order_seq_cst) oldest = std::max(oldest, at.sc_floor);
  const std::size_t index = ChooseStore(at, oldest);
  const std::uint64_t value = ReadFrom(at, index, order);
  Note("load", at.number, value, order, where, index + 1 != at.stores.size() ? "  (not the newest)" : "");
  return value;
}

void Execution::Store(Location& at, std::uint64_t value, std::memory_order order, Where where) {
  const MemoryOf scope(Side::Engine);
  StepBegins();
  CheckAlive(at, where);
  order = OrderAt(order, Access::Store, where);
  Append(at, value, order, false);
  Note("store", at.number, value, order, where);
}

std::uint64_t Execution::Modify(Location& at, Op op, std::uint64_t operand, std::uint64_t mask,
                                std::memory_order order, Where where) {
  const MemoryOf scope(Side::Engine);
  StepBegins();
  CheckAlive(at, where);
  order = OrderAt(order, Access::Modify, where);
  const std::uint64_t before = ReadFrom(at, at.stores.size() - 1, order);
  std::uint64_t after = operand;
  switch (op) {
    case Op::Exchange:
      break;
    case Op::Add:
      after = before + operand;
      break;
    case Op::Sub:
      after = before - operand;
      break;
    case Op::Or:
      after = before | operand;
      break;
    case Op::And:
      after = before & operand;
      break;
    case Op::Xor:
      after = before ^ operand;
      break;
  }
  Append(at, after & mask, order, true);
  Note("read-modify-write", at.number, after & mask, order, where);
  return before;
}

bool Execution::CompareExchange(Location& at, std::uint64_t& expected, std::uint64_t desired,
                                Strength strength, std::memory_order success, std::memory_order failure,
                                Where where) {
  const MemoryOf scope(Side::Engine);
  StepBegins();
  CheckAlive(at, where);
  success = OrderAt(success, Access::Modify, where);
  failure = OrderAt(failure, Access::FailedExchange, where);
  // A failure is a load, which may return an outdated value, only not the expected one.
  std::size_t oldest = at.OldestReadable(Self().past);
  if (failure == std::memory_order_seq_cst) oldest = std::max(oldest, at.sc_floor);
  std::size_t index = ChooseStore(at, oldest);
  if (index + 1 != at.stores.size() && at.stores[index].value == expected) index = at.stores.size() - 1;
  bool equal = at.stores[index].value == expected;
  if (equal && strength == Strength::Weak && spurious_ < limits_.spurious && choices_.Choose(2) == 1) {
    ++spurious_;
    equal = false;
  }
  if (!equal) {
    expected = ReadFrom(at, index, failure);
    Note("compare-exchange fails", at.number, expected, failure, where);
    return false;
  }
  (void)ReadFrom(at, index, success);
  Append(at, desired, success, true);
  Note("compare-exchange", at.number, desired, success, where);
  return true;
}

void Execution::End(Location& at, Where where) {
  const MemoryOf scope(Side::Engine);
  if (at.dead) Fail("atomic #" + std::to_string(at.number) + " is destroyed twice", where);
  Note("end of atomic", at.number, 0, std::memory_order_relaxed, where);
  at.dead = true;
}

// ---- fields that are not atomic ----

void Execution::CheckAlive(PlainState& field, Where where) {
  if (field.execution != number_) {
    field = PlainState();
    field.execution = number_;
    field.number = ++next_plain_;
    field.writer = static_cast<std::uint8_t>(running_);
    field.written = 0;
  }
  if (field.dead) Fail("use after free of field #" + std::to_string(field.number), where);
}

void Execution::ReadPlain(PlainState& field, Where where) {
  const MemoryOf scope(Side::Engine);
  CheckAlive(field, where);
  ModelThread& self = Self();
  if (!self.past.Knows(field.writer, field.written)) {
    Fail("data race: field #" + std::to_string(field.number) + " is read while thread " +
             std::to_string(field.writer) + " writes it",
         where);
  }
  field.read[running_] = self.past.Tick(running_);
}

void Execution::WritePlain(PlainState& field, Where where) {
  const MemoryOf scope(Side::Engine);
  CheckAlive(field, where);
  ModelThread& self = Self();
  bool races = !self.past.Knows(field.writer, field.written);
  std::size_t other = field.writer;
  for (std::size_t i = 0; i < count_ && !races; ++i) {
    races = !self.past.Knows(i, field.read[i]);
    other = i;
  }
  if (races) {
    Fail("data race: field #" + std::to_string(field.number) + " is written while thread " +
             std::to_string(other) + " uses it",
         where);
  }
  field.writer = static_cast<std::uint8_t>(running_);
  field.written = self.past.Tick(running_);
}

void Execution::EndPlain(PlainState& field, Where where) {
  WritePlain(field, where);
  field.dead = true;
}

// ---- waiting ----

bool Execution::FutexWait(Location& at, std::uint64_t expected, Patience patience, Where where) {
  const MemoryOf scope(Side::Engine);
  StepBegins();
  CheckAlive(at, where);
  Note("futex wait", at.number, expected, std::memory_order_relaxed, where);
  if (at.stores.back().value != expected) return true;
  if (patience == Patience::MayTimeOut && spurious_ < limits_.spurious && choices_.Choose(2) == 1) {
    ++spurious_;
    return false;
  }
  ModelThread& self = Self();
  self.blocked_on = &at;
  self.blocked_where = where;
  Leave(State::Blocked);
  self.fresh = true;
  return true;
}

void Execution::FutexWake(const void* address, int count, Where where) {
  const MemoryOf scope(Side::Engine);
  StepBegins();
  Note("futex wake", 0, static_cast<std::uint64_t>(count), std::memory_order_relaxed, where);
  for (std::size_t i = 0; i < count_ && count > 0; ++i) {
    ModelThread& thread = threads_[i];
    if (thread.state != State::Blocked || thread.blocked_on != address) continue;
    thread.state = State::Ready;
    --count;
  }
}

void Execution::Relax(Where /*where*/) {
  const MemoryOf scope(Side::Engine);
  if (++steps_ > limits_.steps)
    Fail("no end after " + std::to_string(limits_.steps) + " steps", Where::current());
  Leave(State::Yielded);
  Self().fresh = true;
}

}  // namespace orchestrate::model
