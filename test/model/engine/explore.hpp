#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <set>
#include <string>

#include <test/model/engine/execution.hpp>

namespace orchestrate::model {

struct Exploration {
  Limits limits;
  std::uint64_t executions = 50'000'000;  // gives up after so many
  std::chrono::seconds time{900};         // or so long
  std::uint64_t seed = 0;                 // 0: depth first, else at random
  std::string replay;                     // only this execution, if not empty
  std::set<Site>* sites = nullptr;        // gets every memory order that is used
  const Site* weakened = nullptr;         // uses `weaker` there instead
  std::memory_order weaker = std::memory_order_relaxed;
};

struct Findings {
  std::string failure;  // empty: nothing was found
  std::string replay;   // the execution that failed
  std::string trace;    // its steps
  std::uint64_t executions = 0;
  bool exhausted = false;  // there is no other execution within the limits

  explicit operator bool() const noexcept { return !failure.empty(); }
  // All of it, for a person.
  [[nodiscard]] std::string ToString() const;
};

// Runs `setup` and the threads that it adds in every order, or many, until something is found.
[[nodiscard]] Findings Explore(const Exploration& how, const std::function<void(Program&)>& setup);

// How many executions this process has run.
[[nodiscard]] std::uint64_t ExecutionsSoFar() noexcept;

}  // namespace orchestrate::model
