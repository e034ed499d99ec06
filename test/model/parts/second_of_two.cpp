#include <orchestrate/exec/detail/second_of_two.hpp>
#include <test/model/model.hpp>

// A timer that fires while somebody cancels it: the later one frees what both have used.
namespace orchestrate::test {
namespace {

struct Sleeper {
  detail::SecondOfTwo party;
  sync::plain<int> fired{0};
  sync::plain<int> cancelled{0};
};

void Leave(Sleeper* sleeper) {
  if (!sleeper->party.Leave()) return;
  Check(sleeper->fired == 1 && sleeper->cancelled == 1, "the other was not through");
  delete sleeper;
}

const Register kMeet("second of two", "TheLaterSeesTheOtherAndFrees", [](Program& program) {
  auto* sleeper = new Sleeper;
  program.Thread([sleeper] {
    sleeper->fired = 1;
    Leave(sleeper);
  });
  program.Thread([sleeper] {
    sleeper->cancelled = 1;
    Leave(sleeper);
  });
});

}  // namespace
}  // namespace orchestrate::test
