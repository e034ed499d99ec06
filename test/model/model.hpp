#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <orchestrate/base/sync.hpp>
#include <test/model/engine/explore.hpp>

namespace orchestrate::test {

using model::Check;
using model::Exploration;
using model::Findings;
using model::Program;
using sync::memory_order;
using sync::memory_order_acq_rel;
using sync::memory_order_acquire;
using sync::memory_order_relaxed;
using sync::memory_order_release;
using sync::memory_order_seq_cst;

// A program that uses one lock-free part, and says what must hold whatever runs first.
struct Model {
  const char* part;
  const char* name;
  void (*setup)(Program&);
};

// All that were registered, in no order.
[[nodiscard]] inline std::vector<Model>& AllModels() {
  static std::vector<Model> models;
  return models;
}

struct Register {
  Register(const char* part, const char* name, void (*setup)(Program&)) {
    AllModels().push_back({part, name, setup});
  }
};

// Makes an object that lives as long as the execution.
template <class T, class... Args>
[[nodiscard]] T& Make(Args&&... args) {
  return *new T(std::forward<Args>(args)...);
}

// A piece of work: what it carries is written by whoever makes it and read by whoever takes it, once.
struct Item {
  explicit Item(int number = 0) : value(number) {}
  Item* next = nullptr;
  sync::plain<int> value;

  void Take() {
    Check(!taken_, "an item was taken twice");
    taken_ = true;
    Check(value > 0, "what was written before the push is not seen");
  }
  [[nodiscard]] bool IsTaken() const { return taken_; }

 private:
  bool taken_ = false;  // not a part of the program: the engine runs one thread at a time
};

// Checks that every one of `items` was taken.
template <class Items>
void CheckAllTaken(const Items& items) {
  for (const Item& item : items) Check(item.IsTaken(), "an item was lost");
}

// The end of a queue's handshake: who pushes looks then whether somebody is idle, and who goes idle looks
// then whether there is work.
struct IdleHandshake {
  void Pushed() { seen_by_pusher_ = idle_.load(memory_order_seq_cst) != 0; }

  template <class Queue>
  void GoIdle(const Queue& queue) {
    idle_.fetch_add(1, memory_order_seq_cst);
    seen_by_idle_ = !queue.Empty();
  }

  void CheckSeen(bool taken = false) const {
    Check(seen_by_pusher_ || seen_by_idle_ || taken, "nobody saw the other: a lost wake-up");
  }

 private:
  sync::atomic<std::uint32_t> idle_{0};
  bool seen_by_pusher_ = false;
  bool seen_by_idle_ = false;
};

}  // namespace orchestrate::test
