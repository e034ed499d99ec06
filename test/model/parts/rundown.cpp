#include <base/rundown.hpp>
#include <test/model/model.hpp>

// An owner takes away what others use for a moment.
namespace orchestrate::test {
namespace {

struct State {
  detail::Rundown rundown;
  sync::plain<int> thing{1};
  sync::atomic<bool> is_there{true};

  void Use() {
    rundown.Enter();
    if (is_there.load(memory_order_seq_cst)) Check(thing == 1, "it was taken away from under its user");
    rundown.Leave();
  }
  void TakeAway() {
    is_there.store(false, memory_order_seq_cst);
    while (!rundown.IsEmpty()) sync::Relax();
    thing = 0;
  }
};

const Register kUsed("rundown", "NothingIsTakenAwayFromUnderItsUser", [](Program& program) {
  auto& state = Make<State>();
  program.Thread([&state] { state.Use(); });
  program.Thread([&state] { state.Use(); });
  program.Thread([&state] { state.TakeAway(); });
});

}  // namespace
}  // namespace orchestrate::test
