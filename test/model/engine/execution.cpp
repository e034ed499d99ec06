#include <test/model/engine/execution.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include <test/model/engine/arena.hpp>

namespace orchestrate::model {
namespace {

Execution* g_current = nullptr;
std::uint64_t g_executions = 0;

std::string PlaceOf(std::source_location where) {
  const std::string path = where.file_name();
  return path.substr(path.rfind('/') + 1) + ':' + std::to_string(where.line());
}

const char* NameOf(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    default:
      return "seq_cst";
  }
}

}  // namespace

Execution* Execution::Current() noexcept { return g_current; }

bool Execution::Run(const std::function<void(Program&)>& setup, const Limits& limits) {
  const MemoryOf scope(Side::Engine);
  EmptyArena();
  choices_.Rewind();
  limits_ = limits;
  setup_ = &setup;
  used_ = next_plain_ = steps_ = preemptions_ = stale_reads_ = spurious_ = 0;
  writes_ = 0;
  number_ = ++g_executions;
  failure_.clear();
  trace_.clear();
  count_ = 1;
  running_ = 0;
  local_ = {};
  Begin(0, nullptr);
  g_current = this;
  threads_[0].fiber.SwitchTo(host_);
  g_current = nullptr;
  return failure_.empty();
}

void Execution::Begin(std::size_t index, std::function<void()>* body) {
  ModelThread& thread = threads_[index];
  thread.state = State::Ready;
  thread.past = index == 0 ? VectorClock() : threads_[0].past;
  thread.blocked_on = nullptr;
  thread.yielded_at = 0;
  thread.fresh = false;
  thread.body = body;
  if (local_.bytes != 0) std::memcpy(thread.local.data(), local_.memory, local_.bytes);
  thread.fiber.Begin(Enter, this);
}

void Execution::Enter(void* self) {
  auto& execution = *static_cast<Execution*>(self);
  execution.RunThread(execution.running_);
}

void Execution::RunThread(std::size_t index) {
  if (index == 0) {
    RunMain(*setup_);
    return;
  }
  {
    const MemoryOf scope(Side::Program);
    (*threads_[index].body)();
  }
  Leave(State::Done);
}

void Execution::RunMain(const std::function<void(Program&)>& setup) {
  {
    const MemoryOf scope(Side::Program);
    Program program;
    setup(program);
    {
      const MemoryOf engine(Side::Engine);
      local_ = program.local;
      for (auto& body : program.threads) {
        if (count_ == kMaxThreads) Fail("too many threads", Where::current());
        Begin(count_++, &body);
      }
      if (count_ > 1) Leave(State::Joining);
      for (std::size_t i = 1; i < count_; ++i) threads_[0].past.Join(threads_[i].past);
    }
    if (program.at_end) program.at_end();
    const MemoryOf engine(Side::Engine);
    host_.SwitchTo(threads_[0].fiber);  // and never comes back
  }
}

// ---- who runs ----

bool Execution::CanRun(std::size_t index) const noexcept {
  const ModelThread& thread = threads_[index];
  if (thread.state == State::Ready) return true;
  if (thread.state == State::Yielded) return thread.yielded_at != writes_;
  if (thread.state != State::Joining) return false;
  for (std::size_t i = 1; i < count_; ++i) {
    if (threads_[i].state != State::Done) return false;
  }
  return true;
}

bool Execution::MayPreempt(std::size_t index) const noexcept { return index != running_ && CanRun(index); }

void Execution::StepBegins() {
  if (++steps_ > limits_.steps)
    Fail("no end after " + std::to_string(limits_.steps) + " steps", Where::current());
  if (preemptions_ == limits_.preemptions || count_ == 1) return;
  std::array<std::size_t, kMaxThreads> others{};
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (MayPreempt(i)) others[count++] = i;
  }
  const std::uint32_t chosen = choices_.Choose(count + 1);
  if (chosen == 0) return;
  ++preemptions_;
  SwitchTo(others[chosen - 1]);
}

void Execution::Leave(State state) {
  ModelThread& self = Self();
  self.state = state;
  self.yielded_at = writes_;
  std::array<std::size_t, kMaxThreads> others{};
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (i != running_ && CanRun(i)) others[count++] = i;
  }
  if (count == 0) {
    // All that could run have yielded since the last write: they look again, in turn.
    for (std::size_t i = 1; i <= count_ && count == 0; ++i) {
      const std::size_t next = (running_ + i) % count_;
      if (threads_[next].state == State::Yielded) others[count++] = next;
    }
  }
  if (count == 0) {
    std::string what = "deadlock:";
    for (std::size_t i = 1; i < count_; ++i) {
      if (threads_[i].state == State::Blocked)
        what += " thread " + std::to_string(i) + " sleeps at " + PlaceOf(threads_[i].blocked_where) + ';';
    }
    Fail(what, Where::current());
  }
  SwitchTo(others[choices_.Choose(count)]);
}

void Execution::SwitchTo(std::size_t index) {
  ModelThread& from = Self();
  running_ = index;
  ModelThread& to = Self();
  if (to.state == State::Yielded) to.fresh = true;
  to.state = State::Ready;
  if (&from == &to) return;
  if (local_.bytes != 0) {
    std::memcpy(from.local.data(), local_.memory, local_.bytes);
    std::memcpy(local_.memory, to.local.data(), local_.bytes);
  }
  to.fiber.SwitchTo(from.fiber);
}

// ---- what was found ----

void Execution::Check(bool holds, const char* what, Where where) {
  if (holds) return;
  const MemoryOf scope(Side::Engine);
  Fail(what, where);
}

void Execution::Fail(const std::string& what, Where where) {
  failure_ = what + " (" + PlaceOf(where) + ", thread " + std::to_string(running_) + ')';
  host_.SwitchTo(Self().fiber);  // and never comes back
  __builtin_unreachable();
}

void Execution::Note(const char* op, std::uint32_t location, std::uint64_t value, std::memory_order order,
                     Where where, const char* remark) {
  if (!tracing_) return;
  char line[256];
  std::snprintf(line, sizeof line, "%4u  thread %zu  %-22s  #%-3u %#18llx  %-7s %s%s", steps_, running_, op,
                location, static_cast<unsigned long long>(value), NameOf(order), PlaceOf(where).c_str(),
                remark);
  trace_.emplace_back(line);
}

std::memory_order Execution::OrderAt(std::memory_order order, Access access, Where where) {
  if (sites_ != nullptr) sites_->insert({where.file_name(), where.line(), where.column(), access, order});
  if (weakened_ == nullptr || weakened_->line != where.line() || weakened_->column != where.column() ||
      weakened_->access != access || weakened_->file != where.file_name()) {
    return order;
  }
  return weaker_;
}

}  // namespace orchestrate::model
