#include <array>

#include <orchestrate/exec/strand.hpp>
#include <test/model/task_layer.hpp>

// A strand on the executor of the task layer. A thread may be stopped between any two steps of its push: the
// item of another is counted then, and nothing can be taken.
namespace orchestrate::test {
namespace {

// The strand asks it for nothing: what it posts goes to the layer.
class Base final : public Executor {
 public:
  void Post(Work work) noexcept override { Work(std::move(work))(); }
};

struct StrandState : TaskLayer {
  struct Piece : detail::WorkNode {
    StrandState* state = nullptr;
    int number = 0;
    int ran = 0;
  };

  explicit StrandState(Program& program) : TaskLayer(program) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      pieces[i].ops = &kOps;
      pieces[i].state = this;
      pieces[i].number = static_cast<int>(i) + 1;
    }
  }

  void Post(std::size_t i) { strand.Post(Work(pieces[i])); }
  void CheckEnd(std::size_t posted_pieces) {
    RunPosted();
    for (std::size_t i = 0; i < posted_pieces; ++i) Check(pieces[i].ran == 1, "each piece runs once");
  }

  static void Run(detail::WorkNode& node) noexcept {
    auto& piece = static_cast<Piece&>(node);
    StrandState& state = *piece.state;
    ++piece.ran;
    state.sum = state.sum + piece.number;  // two at once are a race
    if (piece.number == 3) Check(state.pieces[1].ran == 1, "two pieces of one thread changed places");
  }
  static void Drop(detail::WorkNode& /*node*/) noexcept { Check(false, "no piece is dropped"); }
  static constexpr detail::WorkOps kOps{Run, Drop};

  std::array<Piece, 3> pieces{};
  sync::plain<int> sum{0};
  Strand& strand = Make<Strand>(Make<Base>());
};

const Register kMeet("strand", "APushThatHasNotReturnedLosesNothing", [](Program& program) {
  auto& state = Make<StrandState>(program);
  program.Thread([&state] {
    state.Post(0);
    state.RunPostedOnce();
  });
  program.Thread([&state] {
    state.Post(1);
    state.RunPostedOnce();
    state.Post(2);
  });
  program.Finally([&state] { state.CheckEnd(3); });
});

}  // namespace
}  // namespace orchestrate::test
