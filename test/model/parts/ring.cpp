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

const Register kProducers({"ring", "TwoProducersAndAConsumer", [](Program& program) {
                             auto& state = Make<State>();
                             program.Thread([&state] { Check(state.Push(0), "the ring is not full"); });
                             program.Thread([&state] { Check(state.Push(1), "the ring is not full"); });
                             program.Thread([&state] {
                               state.Pop();
                               state.Pop();
                             });
                             program.Finally([&state] { state.Drain(2); });
                           }});

const Register kConsumers({"ring", "TwoConsumersTakeEachItemOnce", [](Program& program) {
                             auto& state = Make<State>();
                             program.Thread([&state] {
                               Check(state.Push(0), "the ring is not full");
                               Check(state.Push(1), "the ring is not full");
                             });
                             program.Thread([&state] { state.Pop(); });
                             program.Thread([&state] { state.Pop(); });
                             program.Finally([&state] { state.Drain(2); });
                           }});

// The item of the next lap goes into a cell whose item the consumer has read and, here, destroyed.
const Register kLaps({"ring", "ACellIsReusedAfterItWasRead", [](Program& program) {
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
                      }});

const Register kCertain({"ring", "ACertainItemIsTakenByOne", [](Program& program) {
                           auto& state = Make<State>();
                           Check(state.Push(0), "the ring is not full");
                           Check(state.Push(1), "the ring is not full");
                           program.Thread([&state] {
                             if (state.ring.TryPopIf(&state.items[0])) state.items[0].Take();
                           });
                           program.Thread([&state] { state.Pop(); });
                           program.Thread([&state] { state.Pop(); });
                           program.Finally([&state] { state.Drain(2); });
                         }});

struct Idle : State {
  sync::atomic<std::uint32_t> idle{0};
  bool seen_by_pusher = false;
  bool seen_by_idle = false;
};

const Register kWakes({"ring", "APushOrTheOneWhoGoesIdleIsSeen", [](Program& program) {
                         auto& state = Make<Idle>();
                         program.Thread([&state] {
                           Check(state.Push(0), "the ring is not full");
                           state.seen_by_pusher = state.idle.load(memory_order_seq_cst) != 0;
                         });
                         program.Thread([&state] {
                           state.idle.fetch_add(1, memory_order_seq_cst);
                           state.seen_by_idle = !state.ring.Empty();
                         });
                         program.Finally([&state] {
                           Check(state.seen_by_pusher || state.seen_by_idle,
                                 "nobody saw the other: a lost wake-up");
                         });
                       }});

}  // namespace
}  // namespace orchestrate::test
