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

const Register kOrder({"queue", "OneProducersItemsKeepTheirOrder", [](Program& program) {
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
                       }});

struct Idle : State {
  sync::atomic<std::uint32_t> idle{0};
  bool seen_by_pusher = false;
  bool seen_by_idle = false;
};

// The push goes to the list; somebody else pops meanwhile and moves it to the ring.
const Register kWakes({"queue", "APushThatSpillsOrTheOneWhoGoesIdleIsSeen", [](Program& program) {
                         auto& state = Make<Idle>();
                         state.Push(0);
                         state.Push(1);
                         program.Thread([&state] {
                           state.Push(2);
                           state.seen_by_pusher = state.idle.load(memory_order_seq_cst) != 0;
                         });
                         program.Thread([&state] {
                           state.Pop();
                           state.Pop();
                           state.idle.fetch_add(1, memory_order_seq_cst);
                           state.seen_by_idle = !state.queue.Empty();
                         });
                         program.Finally([&state] {
                           Check(state.seen_by_pusher || state.seen_by_idle || state.items[2].IsTaken(),
                                 "nobody saw the other: a lost wake-up");
                         });
                       }});

}  // namespace
}  // namespace orchestrate::test
