// The first program: one task, what follows it, many tasks at a limited width, and errors.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <orchestrate/orchestrate.hpp>

using namespace orchestrate;
using namespace std::chrono_literals;

namespace {

void OneTask() {
  // [one]
  auto task = Invoke([] { return std::string("hello"); });  // runs on another thread from here on
  std::puts(task.Get().c_str());                            // waits until the value is there
  // [/one]
}

void WhatFollows() {
  // [then]
  auto word = Invoke([] { return std::string("orchestrate"); });
  auto letters = word.Then([](const std::string& text) { return text.size(); });  // runs when `word` is there
  std::printf("%s has %zu letters\n", word.Get().c_str(), letters.Get());
  // [/then]
}

void ManyTasks() {
  // [many]
  auto ctx = Context::Background().WithTimeout(5s);  // whatever runs under it ends after five seconds
  std::vector<Task<int>> squares;
  for (int n = 1; n <= 5; ++n) squares.push_back(NewTask([n] { return n * n; }));  // made, not started

  if (Error error = InvokeAll(ctx, 2, squares).Wait()) {  // at most two at a time
    std::printf("failed: %s\n", error.Message().c_str());
    return;
  }
  for (const Task<int>& square : squares) std::printf("%d ", square.Get());
  std::puts("are squares");
  // [/many]
}

int ParseDigit(char c) {
  if (c < '0' || c > '9') throw std::invalid_argument(std::string("'") + c + "' is no digit");
  return c - '0';
}

void Errors() {
  // [errors]
  auto task = Invoke([] { return ParseDigit('x'); });
  if (Result<int> outcome = task.Outcome(); !outcome) {  // an exception ends the task, not the program
    std::printf("failed: %s\n", outcome.Failure().Message().c_str());
  }
  try {
    (void)task.Get();  // throws what the work threw
  } catch (const std::invalid_argument& error) {
    std::printf("caught: %s\n", error.what());
  }
  auto mended = Catch(task, [](const Error&) { return 0; });  // another value in place of the error
  std::printf("mended: %d\n", mended.Get());
  // [/errors]
}

void ErrorsOfMany() {
  // [errors_of_many]
  std::vector<Task<int>> digits;
  for (const char c : {'4', 'x', '2', 'y'}) digits.push_back(NewTask([c] { return ParseDigit(c); }));

  Job job = InvokeAll(2, digits);  // one that fails does not keep the others from running
  if (Error error = job.Wait()) {
    std::printf("%zu of %zu failed\n", job.Failures(), job.Total());
    for (const auto& [index, part] : error.Parts())
      std::printf("  #%zu: %s\n", index, part.Message().c_str());
  }
  // [/errors_of_many]
}

}  // namespace

int main() {
  OneTask();
  WhatFollows();
  ManyTasks();
  Errors();
  ErrorsOfMany();
}
