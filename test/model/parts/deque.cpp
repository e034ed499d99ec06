#include <array>

#include <base/work_stealing_deque.hpp>
#include <test/model/model.hpp>

// One owner and thieves.
namespace orchestrate::test {
namespace {

using Deque = detail::WorkStealingDeque<Item*>;

struct State {
  explicit State(std::size_t capacity) : deque(capacity) {}
  Deque deque;
  std::array<Item, 3> items;

  void Push(std::size_t i) {
    items[i].value = static_cast<int>(i) + 1;
    Check(deque.Push(&items[i]), "a push failed");
  }
  void Steal() {
    if (Item* item = deque.Steal()) item->Take();
  }
  bool Pop() {
    Item* item = deque.Pop();
    if (item != nullptr) item->Take();
    return item != nullptr;
  }
  void Drain(std::size_t pushed) {
    while (Pop()) {
    }
    for (std::size_t i = 0; i < pushed; ++i) Check(items[i].IsTaken(), "an item was lost");
  }
};

const Register kLastItem("deque", "TheLastItemGoesToOne", [](Program& program) {
  auto& state = Make<State>(4U);
  program.Thread([&state] {
    state.Push(0);
    state.Pop();
  });
  program.Thread([&state] { state.Steal(); });
  program.Thread([&state] { state.Steal(); });
  program.Finally([&state] { state.Drain(1); });
});

const Register kTwoItems("deque", "OwnerAndThiefTakeFromBothEnds", [](Program& program) {
  auto& state = Make<State>(4U);
  program.Thread([&state] {
    state.Push(0);
    state.Push(1);
    state.Pop();
    state.Pop();
  });
  program.Thread([&state] {
    state.Steal();
    state.Steal();
  });
  program.Finally([&state] { state.Drain(2); });
});

const Register kGrows("deque", "AThiefReadsAnArrayThatWasOutgrown", [](Program& program) {
  auto& state = Make<State>(1U);
  program.Thread([&state] {
    state.Push(0);
    state.Push(1);
    state.Push(2);
    state.Pop();
  });
  program.Thread([&state] {
    state.Steal();
    state.Steal();
  });
  program.Finally([&state] { state.Drain(3); });
});

const Register kReuses("deque", "ASlotIsReusedAfterItWasRead", [](Program& program) {
  auto& state = Make<State>(2U);
  program.Thread([&state] {
    state.Push(0);
    state.Push(1);
    state.Push(2);
  });
  program.Thread([&state] {
    state.Steal();
    state.Steal();
  });
  program.Finally([&state] { state.Drain(3); });
});

const Register kCertain("deque", "ACertainItemIsTakenByOne", [](Program& program) {
  auto& state = Make<State>(4U);
  program.Thread([&state] {
    state.Push(0);
    state.Push(1);
    if (state.deque.PopIf(&state.items[1])) state.items[1].Take();
    if (state.deque.StealIf(&state.items[0])) state.items[0].Take();
  });
  program.Thread([&state] { state.Steal(); });
  program.Thread([&state] {
    if (state.deque.StealIf(&state.items[0])) state.items[0].Take();
  });
  program.Finally([&state] { state.Drain(2); });
});

const Register kWakes("deque", "APushOrTheOneWhoGoesIdleIsSeen", [](Program& program) {
  auto& state = Make<State>(4U);
  auto& handshake = Make<IdleHandshake>();
  program.Thread([&] {
    state.items[0].value = 1;
    Check(state.deque.PushSeqCst(&state.items[0]), "a push failed");
    handshake.Pushed();
  });
  program.Thread([&] { handshake.GoIdle(state.deque); });
  program.Finally([&] { handshake.CheckSeen(); });
});

}  // namespace
}  // namespace orchestrate::test
