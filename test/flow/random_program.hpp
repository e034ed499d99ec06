#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <orchestrate/base/result.hpp>
#include <test/support/stress.hpp>

// Random programs out of the library's verbs, and what each of them may yield.
namespace orchestrate::test {

// What a program may yield: a bit for each value, which is counted modulo kValues, and for each kind of
// error.
using Outcomes = std::uint64_t;
inline constexpr int kValues = 32;
inline constexpr Outcomes kAnyValue = 0xffffffff;
inline constexpr Outcomes kThrew = Outcomes{1} << 32;
inline constexpr Outcomes kRefused = Outcomes{1} << 33;
inline constexpr Outcomes kCancelled = Outcomes{1} << 34;
inline constexpr Outcomes kLate = Outcomes{1} << 35;
inline constexpr Outcomes kUnexpected = Outcomes{1} << 36;
// What may come of anything whose context ends at some time.
inline constexpr Outcomes kEnded = kCancelled | kLate;

enum class Op : std::uint8_t {
  Value,
  Throw,
  Refuse,
  Completed,
  Failed,
  Sleep,
  Promise,
  Channel,
  Rate,
  Reduce,
  ForEach,
  Repeat,
  Then,
  ContinueWith,
  Catch,
  Finally,
  ThrowFinally,
  Nested,
  Returned,
  Blocking,
  Timeout,
  ShortTimeout,
  Retry,
  Shield,
  CancelContext,
  CancelTask,
  Deadline,
  OnStrand,
  Drop,
  WaitAll,
  WaitAllFor,
  WaitAny,
  InvokeAll,
  InvokeAllStop,
  InvokeTuple,
  InvokeAllResults,
  ConsumeRange,
  ConsumeFunction,
  ConsumeChannel,
  ForkJoin
};

struct Shape {
  const char* name;
  int fewest;  // children
  int most;
  int strandable;  // 2: also where a task of the strand waits for it, 1: only where none does, 0: not at all
};

inline constexpr std::array<Shape, 40> kShapes = {{
    {"Value", 0, 0, 2},          {"Throw", 0, 0, 2},
    {"Refuse", 0, 0, 2},         {"Completed", 0, 0, 2},
    {"Failed", 0, 0, 2},         {"Sleep", 0, 0, 2},
    {"Promise", 0, 0, 1},        {"Channel", 0, 0, 0},
    {"Rate", 0, 0, 2},           {"Reduce", 0, 0, 2},
    {"ForEach", 0, 0, 2},        {"Repeat", 0, 0, 1},
    {"Then", 1, 1, 2},           {"ContinueWith", 1, 1, 2},
    {"Catch", 1, 1, 2},          {"Finally", 1, 1, 2},
    {"ThrowFinally", 1, 1, 2},   {"Nested", 1, 1, 2},
    {"Returned", 1, 1, 1},       {"Blocking", 1, 1, 2},
    {"Timeout", 1, 1, 1},        {"ShortTimeout", 1, 1, 1},
    {"Retry", 1, 1, 1},          {"Shield", 1, 1, 2},
    {"CancelContext", 1, 1, 1},  {"CancelTask", 1, 1, 1},
    {"Deadline", 1, 1, 2},       {"OnStrand", 1, 1, 0},
    {"Drop", 1, 1, 1},           {"WaitAll", 1, 3, 2},
    {"WaitAllFor", 1, 3, 0},     {"WaitAny", 1, 3, 0},
    {"InvokeAll", 1, 3, 0},      {"InvokeAllStop", 1, 3, 0},
    {"InvokeTuple", 2, 2, 0},    {"InvokeAllResults", 1, 3, 0},
    {"ConsumeRange", 1, 3, 0},   {"ConsumeFunction", 1, 3, 0},
    {"ConsumeChannel", 1, 3, 0}, {"ForkJoin", 2, 2, 2},
}};

struct Node {
  Op op;
  int number;
  std::vector<std::shared_ptr<const Node>> children;
};
using Program = std::shared_ptr<const Node>;

[[nodiscard]] inline const Shape& ShapeOf(Op op) { return kShapes[static_cast<std::size_t>(op)]; }

// Where a part of a program runs: what would wait for ever on a strand is left out there.
enum class Place : std::uint8_t { Anywhere, Strand, WaitedOnStrand };

[[nodiscard]] inline Place PlaceBelow(Op op, Place place) {
  if (op == Op::OnStrand) return Place::Strand;
  if (place == Place::Anywhere) return place;
  switch (op) {
    case Op::Nested:
    case Op::Blocking:
    case Op::WaitAll:
    case Op::ForkJoin:
      return Place::WaitedOnStrand;
    default:
      return place;
  }
}

[[nodiscard]] inline Program MakeProgram(Chance& chance, int depth, Place place) {
  for (;;) {
    const Op op{static_cast<std::uint8_t>(chance(static_cast<int>(kShapes.size())))};
    const Shape& shape = ShapeOf(op);
    if (depth == 0 && shape.most > 0) continue;
    if (depth > 1 && shape.most == 0 && chance(3) > 0) continue;
    if (shape.strandable < static_cast<int>(place)) continue;
    auto node = std::make_shared<Node>(Node{op, chance(kValues), {}});
    const int count = shape.fewest + (shape.most > shape.fewest ? chance(shape.most - shape.fewest + 1) : 0);
    for (int i = 0; i < count; ++i)
      node->children.push_back(MakeProgram(chance, depth - 1, PlaceBelow(op, place)));
    return node;
  }
}

[[nodiscard]] inline std::string ToString(const Program& program) {
  std::string text = ShapeOf(program->op).name + std::string(" ") + std::to_string(program->number);
  if (program->children.empty()) return text;
  text += " (";
  for (const Program& child : program->children)
    text += (&child == program->children.data() ? "" : ", ") + ToString(child);
  return text + ')';
}

[[nodiscard]] inline Outcomes OutcomeOf(int value) { return Outcomes{1} << (value % kValues); }

[[nodiscard]] inline Outcomes OutcomeOf(const Result<int>& result) {
  if (result) return OutcomeOf(*result);
  const std::error_code code = result.Failure().Code();
  if (code == Errc::Exception) return kThrew;
  if (code == Errc::Closed) return kRefused;
  if (code == Errc::Cancelled) return kCancelled;
  if (code == Errc::DeadlineExceeded) return kLate;
  return kUnexpected;
}

[[nodiscard]] inline Outcomes Plus(Outcomes values, int number) {
  return std::rotl(static_cast<std::uint32_t>(values), number);
}

[[nodiscard]] inline Outcomes Sums(Outcomes a, Outcomes b) {
  Outcomes sums = 0;
  for (int value = 0; value < kValues; ++value)
    if ((a >> value & 1) != 0) sums |= Plus(b, value);
  return sums;
}

[[nodiscard]] inline Outcomes Possible(const Program& program, Outcomes ended);

// The sum of all children, or the error of the first that has one.
[[nodiscard]] inline Outcomes Folded(const Program& program, Outcomes ended) {
  Outcomes values = OutcomeOf(0);
  Outcomes errors = 0;
  for (const Program& child : program->children) {
    const Outcomes next = Possible(child, ended);
    if (values != 0) errors |= next & ~kAnyValue;
    values = Sums(values, next & kAnyValue);
  }
  return values | errors;
}

// The same where a failure stops the others.
[[nodiscard]] inline Outcomes FoldedStopping(const Program& program, Outcomes ended) {
  Outcomes all = Folded(program, ended);
  if ((all & ~kAnyValue) == 0) return all;
  for (const Program& child : program->children) all |= Possible(child, kEnded) & ~kAnyValue;
  return all | kEnded;
}

// The sum of all children, with that number in place of an error.
inline constexpr int kInsteadOfError = 3;
[[nodiscard]] inline Outcomes Resulting(const Program& program, Outcomes ended) {
  Outcomes values = OutcomeOf(0);
  for (const Program& child : program->children) {
    const Outcomes next = Possible(child, ended);
    values = Sums(values, (next & kAnyValue) | ((next & ~kAnyValue) != 0 ? OutcomeOf(kInsteadOfError) : 0));
  }
  return values;
}

[[nodiscard]] inline Outcomes PossibleOfOne(const Node& node, Outcomes ended) {
  const Program& child = node.children.front();
  switch (node.op) {
    case Op::Shield:
      return Possible(child, 0);
    case Op::CancelContext:
    case Op::CancelTask:
    case Op::Deadline:
    case Op::ShortTimeout:
      return Possible(child, kEnded) | kEnded;
    case Op::Drop:
      return OutcomeOf(node.number) | ended;
    case Op::ThrowFinally:
      return kThrew | ended | (Possible(child, ended) & kEnded);
    default:
      break;
  }
  const Outcomes before = Possible(child, ended);
  const Outcomes values = before & kAnyValue;
  const Outcomes errors = before & ~kAnyValue;
  const Outcomes replaced = errors != 0 ? OutcomeOf(node.number) : 0;
  switch (node.op) {
    case Op::Then:
      return Plus(values, node.number) | errors | ended;
    case Op::ContinueWith:
      return Plus(values, node.number) | replaced | ended;
    case Op::Catch:
      return values | replaced | ended;
    case Op::Retry:  // no time for one more attempt: the error of the last
      return before | ended | (ended != 0 ? kThrew : 0);
    default:
      return before | ended;
  }
}

// What the program may yield under a context that ends with `ended`, or does not end.
inline Outcomes Possible(const Program& program, Outcomes ended) {
  switch (program->op) {
    case Op::Completed:
      return OutcomeOf(program->number);
    case Op::Failed:
      return kRefused;
    case Op::Throw:
      return kThrew | ended;
    case Op::Refuse:
      return kRefused | ended;
    case Op::WaitAll:
    case Op::WaitAllFor:
    case Op::InvokeAll:
    case Op::InvokeTuple:
    case Op::ConsumeRange:
    case Op::ConsumeFunction:
    case Op::ConsumeChannel:
      return Folded(program, ended) | ended;
    case Op::InvokeAllStop:
    case Op::ForkJoin:
      return FoldedStopping(program, ended) | ended;
    case Op::InvokeAllResults:
      return Resulting(program, ended) | ended;
    case Op::WaitAny: {
      Outcomes any = ended;
      for (const Program& child : program->children) any |= Possible(child, ended);
      return any;
    }
    default:
      return program->children.empty() ? OutcomeOf(program->number) | ended : PossibleOfOne(*program, ended);
  }
}

}  // namespace orchestrate::test
