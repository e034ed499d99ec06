#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <orchestrate/orchestrate.hpp>
#include <test/flow/random_program.hpp>

// Runs what random_program.hpp makes.
namespace orchestrate::test {

// What programs share. It outlives all of their tasks.
struct World {
  explicit World(Runtime& runtime)
      : strands{Strand(runtime.GetExecutor()), Strand(runtime.GetExecutor())},
        limiter(Rate(1'000'000), kValues) {}
  std::array<Strand, 2> strands;
  RateLimiter limiter;
};

class Running {
 public:
  Running(World& world, Program program) : world_(world), program_(std::move(program)) {}

  [[nodiscard]] Task<int> Start(const Context& context) const {
    const Op op = program_->op;
    if (op <= Op::Refuse) return StartLeaf(context);
    if (op <= Op::Repeat) return StartSource(context);
    if (op <= Op::Finally || op == Op::ThrowFinally) return StartContinuation(context);
    if (op <= Op::Retry) return StartAround(context);
    if (op <= Op::Drop) return StartUnder(context);
    if (op <= Op::WaitAny || op == Op::ForkJoin)
      return Invoke(context, [self = *this](Context& c) { return self.WaitInside(c); });
    return StartMany(context);
  }

 private:
  using Tasks = std::vector<Task<int>>;
  using Micros = std::chrono::microseconds;
  static constexpr std::chrono::hours kLong{1};

  [[nodiscard]] int Number() const { return program_->number; }
  [[nodiscard]] Running Child(std::size_t index = 0) const { return {world_, program_->children[index]}; }
  // Callable as work.
  [[nodiscard]] auto Work(std::size_t index = 0) const {
    return [child = Child(index)](Context& c) { return child.Start(c); };
  }
  [[nodiscard]] std::size_t Count() const { return program_->children.size(); }

  [[nodiscard]] Tasks Made() const {
    Tasks tasks;
    for (std::size_t i = 0; i < Count(); ++i) tasks.push_back(NewTask(Work(i)));
    return tasks;
  }
  [[nodiscard]] Tasks Started(const Context& context) const {
    Tasks tasks;
    for (std::size_t i = 0; i < Count(); ++i) tasks.push_back(Child(i).Start(context));
    return tasks;
  }
  static Result<int> Sum(const Tasks& tasks) {
    int sum = 0;
    for (const auto& task : tasks) {
      auto outcome = task.Outcome();
      if (!outcome) return std::move(outcome).Failure();
      sum += *outcome;
    }
    return sum % kValues;
  }
  // A wrong count inside of a program is an error that no program may yield.
  static Result<int> Checked(int counted, int number) {
    if (counted == number) return number;
    return Error(Errc::NotSupported, "counted " + std::to_string(counted));
  }

  [[nodiscard]] Task<int> StartLeaf(const Context& context) const {
    const int number = Number();
    switch (program_->op) {
      case Op::Value:
        if (number % 2 == 0) return NewTask([number] { return number; }).Run(context);
        return Invoke(context, [number] { return number; });
      case Op::Throw:
        return Invoke(context, []() -> int { throw std::runtime_error("thrown"); });
      default:
        return Invoke(context, []() -> Result<int> { return Errc::Closed; });
    }
  }

  [[nodiscard]] Task<int> StartSource(const Context& context) const {
    const int number = Number();
    switch (program_->op) {
      case Op::Completed:
        return orchestrate::Completed(number);
      case Op::Failed:
        return ReadFailure();
      case Op::Sleep:
        return After(context, orchestrate::Sleep(context, Micros(number * 50)), [number] { return number; });
      case Op::Promise: {
        auto promise = std::make_shared<orchestrate::Promise<int>>(context);
        auto task = promise->Task();
        (void)Invoke(context, [promise, number] { (void)promise->TrySet(number); });
        return task;
      }
      case Op::Channel:
        return Invoke(context, [number](Context& c) { return ThroughChannel(c, number); });
      case Op::Rate:
        return Invoke(context, [&world = world_, number](Context& c) -> Result<int> {
          if (Error error = world.limiter.Acquire(c, static_cast<std::size_t>(number))) return error;
          return number;
        });
      case Op::Reduce:
        return Invoke(context, [number](Context& c) {
          return ParallelReduce(
              c, 0, number, 0, [](int) { return 1; }, [](int a, int b) { return a + b; });
        });
      case Op::ForEach:
        return Invoke(context, [number](Context& c) -> Result<int> {
          std::atomic<int> calls{0};
          if (Error error = ParallelFor(c, 0, number, [&calls](int) { ++calls; })) return error;
          return Checked(calls, number);
        });
      default:
        return Repeated(context);
    }
  }

  // Belongs to no runtime that is silent: what reads its error keeps it off the screen.
  static Task<int> ReadFailure() {
    auto task = orchestrate::Failed<int>(Errc::Closed);
    (void)task.Wait();
    return task;
  }
  // A made task belongs to no context, which its continuations could share.
  static bool HasContext(const Node& node) {
    switch (node.op) {
      case Op::Completed:
      case Op::Failed:
        return false;
      case Op::Shield:
      case Op::CancelContext:
      case Op::CancelTask:
      case Op::Deadline:
      case Op::OnStrand:
        return HasContext(*node.children.front());
      default:
        return true;
    }
  }

  static Result<int> ThroughChannel(const Context& context, int number) {
    const orchestrate::Channel<int> channel(1 + number % 3);
    const auto sender = Invoke(context, [channel, number](Context& c) -> Error {
      for (int i = 0; i < number; ++i)
        if (Error error = channel.Send(c, 1)) return error;
      channel.Close();
      return {};
    });
    int sum = 0;
    auto items = channel.Items(context);
    for (const int item : items) sum += item;
    if (items.Failure()) return items.Failure();
    if (Error error = sender.Wait()) return error;
    return Checked(sum, number);
  }

  [[nodiscard]] Task<int> Repeated(const Context& context) const {
    const int number = Number();
    auto runs = std::make_shared<std::atomic<int>>(0);
    RepeatOptions options;
    options.max_runs = static_cast<std::size_t>(1 + number % 3);
    options.immediately = number % 2 == 0;
    const Job job = orchestrate::Repeat(
        context, Micros(100), [runs] { ++*runs; }, options);
    return After(context, job, [runs, number]() -> Result<int> {
      if (*runs != 1 + number % 3) return Checked(*runs, -1);
      return number;
    });
  }

  [[nodiscard]] Task<int> StartContinuation(const Context& context) const {
    const int number = Number();
    const auto before = Child().Start(context);
    const auto plus = [number](int value) { return (value + number) % kValues; };
    switch (program_->op) {
      case Op::Then:
        if (number % 2 == 0 && HasContext(*program_->children.front())) return before.Then(plus);
        return After(context, before, plus);
      case Op::ContinueWith:
        return orchestrate::ContinueWith(context, before, [plus, number](const Result<int>& outcome) {
          return outcome ? plus(*outcome) : number;
        });
      case Op::Catch:
        return orchestrate::Catch(context, before, [number](const Error&) { return number; });
      case Op::Finally:
        return orchestrate::Finally(context, before, [] {});
      default:
        return orchestrate::Finally(context, before, [] { throw std::runtime_error("thrown"); });
    }
  }

  [[nodiscard]] Task<int> StartAround(const Context& context) const {
    switch (program_->op) {
      case Op::Nested:
        return Invoke(context, [child = Child()](Context& c) { return child.Start(c).Get(); });
      case Op::Returned:
        return Invoke(context, Work());
      case Op::Blocking:
        return Invoke(context, [child = Child()](Context& c) {
          return orchestrate::Blocking([&] { return child.Start(c).Get(); });
        });
      case Op::Timeout:
        if (Number() % 2 == 0) return orchestrate::Timeout(context, kLong, Work());
        return orchestrate::Timeout(context, Child().Start(context), kLong);
      case Op::ShortTimeout:
        if (Number() % 2 == 0) return orchestrate::Timeout(context, Micros(Number() * 50), Work());
        return orchestrate::Timeout(context, Child().Start(context), Micros(Number() * 50));
      default:
        return Retried(context);
    }
  }

  [[nodiscard]] Task<int> Retried(const Context& context) const {
    const int failing = Number() % 3;
    RetryOptions options;
    options.attempts = static_cast<std::size_t>(failing) + 1;
    options.first_delay = Micros(Number() * 10);
    auto tried = std::make_shared<std::atomic<int>>(0);
    return orchestrate::Retry(context, options, [tried, failing, child = Child()](Context& c) {
      if ((*tried)++ < failing) throw std::runtime_error("thrown");
      return child.Start(c);
    });
  }

  [[nodiscard]] Task<int> StartUnder(const Context& context) const {
    const int number = Number();
    switch (program_->op) {
      case Op::Shield:
        return Child().Start(context.Shield());
      case Op::CancelContext: {
        const Context cancelled = context.WithCancel();
        auto task = Child().Start(cancelled);
        (void)Invoke(context.Shield(), [cancelled] { cancelled.Cancel(); });
        return task;
      }
      case Op::CancelTask: {
        auto task = Child().Start(context);
        (void)Invoke(context.Shield(), [task] { task.Cancel(); });
        return task;
      }
      case Op::Deadline:
        return Child().Start(context.WithTimeout(Micros(number * 50)));
      case Op::OnStrand:
        return Child().Start(context.WithExecutor(world_.strands[static_cast<std::size_t>(number % 2)]));
      default:
        return Invoke(context, [child = Child(), number](Context& c) {
          if (number % 4 == 0) {
            (void)NewTask([child](Context& inner) { return child.Start(inner); });  // never run
          } else {
            (void)child.Start(c);
          }
          return number;
        });
    }
  }

  Result<int> WaitInside(Context& context) const {
    if (program_->op == Op::ForkJoin) {
      auto both = orchestrate::ForkJoin(
          context, [&] { return Child(0).Start(context).Get(); },
          [&](Fork&) { return Child(1).Start(context).Get(); });
      if (!both) return std::move(both).Failure();
      return (std::get<0>(*both) + std::get<1>(*both)) % kValues;
    }
    const Tasks tasks = Started(context);
    if (program_->op == Op::WaitAny) {
      const auto first = orchestrate::WaitAny(tasks);
      if (!first) return first.Failure();
      (void)CancelAll(tasks);
      return tasks[*first].Outcome();
    }
    Error error =
        program_->op == Op::WaitAll ? orchestrate::WaitAll(tasks) : orchestrate::WaitAllFor(tasks, kLong);
    if (error) return error;
    return Sum(tasks);
  }

  [[nodiscard]] Task<int> StartMany(const Context& context) const {
    const int at_once = Number() % 4;
    const auto sum_after = [&context](const Job& job, Tasks tasks) {
      return After(context, job, [tasks = std::move(tasks)] { return Sum(tasks); });
    };
    if (program_->op == Op::InvokeTuple) {
      return After(
          context, orchestrate::InvokeAll(context, Work(0), Work(1)),
          [](const std::tuple<int, int>& both) { return (std::get<0>(both) + std::get<1>(both)) % kValues; });
    }
    const Tasks tasks = Made();
    switch (program_->op) {
      case Op::InvokeAll:
        return sum_after(orchestrate::InvokeAll(context, at_once, tasks), tasks);
      case Op::InvokeAllStop:
        return sum_after(orchestrate::InvokeAll(context, at_once, tasks, OnError::Stop), tasks);
      case Op::InvokeAllResults:
        return After(context, orchestrate::InvokeAllResults(context, at_once, tasks),
                     [](const std::vector<Result<int>>& results) {
                       int sum = 0;
                       for (const auto& result : results) sum += result.ValueOr(kInsteadOfError);
                       return sum % kValues;
                     });
      case Op::ConsumeRange:
        return sum_after(Consume(context, at_once, tasks), tasks);
      case Op::ConsumeFunction: {
        auto next = [tasks, index = std::size_t{0}]() mutable -> std::optional<Task<int>> {
          if (index == tasks.size()) return std::nullopt;
          return tasks[index++];
        };
        return sum_after(Consume(context, at_once, std::move(next)), tasks);
      }
      default: {
        const orchestrate::Channel<Task<int>> channel(4);
        auto job = Consume(context, at_once, channel);
        for (const auto& task : tasks) (void)channel.TrySend(task);
        channel.Close();
        return sum_after(job, tasks);
      }
    }
  }

  World& world_;
  Program program_;
};

}  // namespace orchestrate::test
