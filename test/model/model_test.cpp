#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include <test/model/model.hpp>

namespace orchestrate::test {
namespace {

std::vector<Model> Sorted() {
  auto models = AllModels();
  std::sort(models.begin(), models.end(), [](const Model& a, const Model& b) {
    return std::string(a.part) + a.name < std::string(b.part) + b.name;
  });
  return models;
}

std::string NameOf(const Model& model) {
  std::string name;
  bool upper = true;
  for (const char letter : std::string(model.part)) {
    if (letter == ' ') {
      upper = true;
      continue;
    }
    name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter))) : letter;
    upper = false;
  }
  return name + '_' + model.name;
}

class EachModel : public testing::TestWithParam<Model> {
 protected:
  // What was found, with the way to see it again.
  static std::string Told(const Findings& found) {
    return found.ToString() + "again: ORCHESTRATE_MODEL_REPLAY=" + found.replay +
           ", and this test as the filter";
  }
};
INSTANTIATE_TEST_SUITE_P(Parts, EachModel, testing::ValuesIn(Sorted()),
                         [](const auto& made) { return NameOf(made.param); });

TEST_P(EachModel, HoldsInEveryExecution) {
  Exploration how;
  if (const char* replay = std::getenv("ORCHESTRATE_MODEL_REPLAY")) how.replay = replay;
  const Findings found = model::Explore(how, GetParam().setup);
  EXPECT_FALSE(found) << Told(found);
  EXPECT_TRUE(found.exhausted || !how.replay.empty()) << found.ToString();
  std::printf("%s: %llu executions\n", GetParam().name, static_cast<unsigned long long>(found.executions));
}

// More than can be exhausted here: as many as ORCHESTRATE_MODEL_EXECUTIONS says.
TEST_P(EachModel, HoldsWithThreePreemptions) {
  Exploration how;
  how.limits.preemptions = 3;
  const char* wanted = std::getenv("ORCHESTRATE_MODEL_EXECUTIONS");
  how.executions = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 300'000;
  how.time = std::chrono::minutes(10);
  const Findings found = model::Explore(how, GetParam().setup);
  EXPECT_FALSE(found) << Told(found);
  std::printf("%s: %llu executions\n", GetParam().name, static_cast<unsigned long long>(found.executions));
}

TEST_P(EachModel, HoldsAtRandomWithoutABound) {
  Exploration how;
  how.limits = {.preemptions = 50, .stale_reads = 50, .spurious = 3};
  how.seed = static_cast<std::uint64_t>(testing::UnitTest::GetInstance()->random_seed()) + 1;
  how.executions = 200'000;
  const Findings found = model::Explore(how, GetParam().setup);
  EXPECT_FALSE(found) << "seed " << how.seed << ": " << Told(found);
  std::printf("%s: %llu executions\n", GetParam().name, static_cast<unsigned long long>(found.executions));
}

}  // namespace
}  // namespace orchestrate::test
