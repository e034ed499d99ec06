#include <test/model/task_layer.hpp>
#include "task/context_end.hpp"

// Contexts: whoever wants to be told of an end is told once, or refused.
namespace orchestrate::test {
namespace {

struct Told : detail::Link {
  Told() noexcept {
    fire = [](detail::Link& self) noexcept -> detail::Deferred* {
      ++static_cast<Told&>(self).times;
      return nullptr;
    };
  }
  void CheckToldIfAdded() const { Check(times == (added ? 1 : 0), "told once, or refused"); }
  int times = 0;
  bool added = false;
};

const Register kLink("task state", "ALinkIsToldOrRefused", [](Program& program) {
  auto& layer = Make<TaskLayer>(program);
  auto& link = Make<Told>();
  program.Thread([&] { link.added = AddLink(layer.Root(), link); });
  program.Thread([&] { EndScope(layer.Root(), Errc::Cancelled); });
  program.Finally([&] { link.CheckToldIfAdded(); });
});

// One of two ties their node to its parent, which ends.
const Register kTwoLinks("task state", "LinksOfAChildAreToldOrRefused", [](Program& program) {
  auto& layer = Make<TaskLayer>(program);
  auto& child = Make<detail::ScopeNode>(&layer.Root(), 0U);
  child.home = &layer.Root();
  auto& first = Make<Told>();
  auto& second = Make<Told>();
  program.Thread([&] { first.added = AddLink(child, first); });
  program.Thread([&] {
    second.added = AddLink(child, second);
    EndScope(layer.Root(), Errc::Cancelled);
  });
  program.Finally([&] {
    first.CheckToldIfAdded();
    second.CheckToldIfAdded();
    DestroyLinks(child);
  });
});

}  // namespace
}  // namespace orchestrate::test
