#include <array>

#include <base/concurrent_queue.hpp>
#include <test/model/model.hpp>

// The ring with the list for what does not fit.
namespace orchestrate::test {
namespace {

struct State {
  detail::ConcurrentQueue<Item> queue{2};
  std::array<Item, 4> items;
  int last = 0;  // of the items of one producer

  void Push(std::size_t i) {
    items[i].value = static_cast<int>(i) + 1;
    queue.Push(items[i]);
  }
  void Pop() {
    if (Item* item = queue.TryPop()) item->Take();
  }
  void PopInOrder() {
    Item* item = queue.TryPop();
    if (item == nullptr) return;
    item->Take();
    Check(item->value > last, "two items of one producer changed places");
    last = item->value;
  }
  void Drain(std::size_t pushed) {
    for (std::size_t i = 0; i <= pushed; ++i) PopInOrder();
    for (std::size_t i = 0; i < pushed; ++i) Check(items[i].IsTaken(), "an item was lost");
    Check(queue.Empty(), "what was popped is still counted");
  }
};

const Register kOrder("queue", "OneProducersItemsKeepTheirOrder", [](Program& program) {
  auto& state = Make<State>();
  state.Push(0);
  state.Push(1);
  program.Thread([&state] {
    state.Push(2);
    state.Push(3);
  });
  program.Thread([&state] {
    state.PopInOrder();
    state.PopInOrder();
    state.PopInOrder();
  });
  program.Finally([&state] { state.Drain(4); });
});

// The push goes to the list; somebody else pops meanwhile and moves it to the ring.
const Register kWakes("queue", "APushThatSpillsOrTheOneWhoGoesIdleIsSeen", [](Program& program) {
  auto& state = Make<State>();
  auto& handshake = Make<IdleHandshake>();
  state.Push(0);
  state.Push(1);
  program.Thread([&] {
    state.Push(2);
    handshake.Pushed();
  });
  program.Thread([&] {
    state.Pop();
    state.Pop();
    handshake.GoIdle(state.queue);
  });
  program.Finally([&] { handshake.CheckSeen(state.items[2].IsTaken()); });
});

}  // namespace
}  // namespace orchestrate::test
