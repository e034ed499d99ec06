#include <array>

#include <base/ring.hpp>
#include <test/model/model.hpp>

namespace orchestrate::test {
namespace {

struct State {
  detail::Ring<Item*> ring{2};
  std::array<Item, 3> items;

  bool Push(std::size_t i) {
    items[i].value = static_cast<int>(i) + 1;
    return ring.TryPush(&items[i]);
  }
  void Pop() {
    if (Item* item = ring.TryPop()) item->Take();
  }
  void Drain(std::size_t pushed) {
    while (Item* item = ring.TryPop()) item->Take();
    for (std::size_t i = 0; i < pushed; ++i) Check(items[i].IsTaken(), "an item was lost");
    Check(ring.Empty(), "what was popped is still counted");
  }
};

const Register kProducers("ring", "TwoProducersAndAConsumer", [](Program& program) {
  auto& state = Make<State>();
  program.Thread([&state] { Check(state.Push(0), "the ring is not full"); });
  program.Thread([&state] { Check(state.Push(1), "the ring is not full"); });
  program.Thread([&state] {
    state.Pop();
    state.Pop();
  });
  program.Finally([&state] { state.Drain(2); });
});

const Register kConsumers("ring", "TwoConsumersTakeEachItemOnce", [](Program& program) {
  auto& state = Make<State>();
  program.Thread([&state] {
    Check(state.Push(0), "the ring is not full");
    Check(state.Push(1), "the ring is not full");
  });
  program.Thread([&state] { state.Pop(); });
  program.Thread([&state] { state.Pop(); });
  program.Finally([&state] { state.Drain(2); });
});

// The item of the next lap goes into a cell whose item the consumer has read and, here, destroyed.
const Register kLaps("ring", "ACellIsReusedAfterItWasRead", [](Program& program) {
  auto& state = Make<State>();
  Check(state.Push(0), "the ring is not full");
  program.Thread([&state] {
    state.Pop();
    state.items[0].value = 7;
  });
  program.Thread([&state] {
    Check(state.Push(1), "the ring is not full");
    if (!state.Push(2)) state.items[2].Take();  // the pop has not been yet
  });
  program.Finally([&state] { state.Drain(3); });
});

const Register kCertain("ring", "ACertainItemIsTakenByOne", [](Program& program) {
  auto& state = Make<State>();
  Check(state.Push(0), "the ring is not full");
  Check(state.Push(1), "the ring is not full");
  program.Thread([&state] {
    if (state.ring.TryPopIf(&state.items[0])) state.items[0].Take();
  });
  program.Thread([&state] { state.Pop(); });
  program.Thread([&state] { state.Pop(); });
  program.Finally([&state] { state.Drain(2); });
});

const Register kWakes("ring", "APushOrTheOneWhoGoesIdleIsSeen", [](Program& program) {
  auto& state = Make<State>();
  auto& handshake = Make<IdleHandshake>();
  program.Thread([&] {
    Check(state.Push(0), "the ring is not full");
    handshake.Pushed();
  });
  program.Thread([&] { handshake.GoIdle(state.ring); });
  program.Finally([&] { handshake.CheckSeen(); });
});

}  // namespace
}  // namespace orchestrate::test
