#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <test/model/model.hpp>

// Is each memory order needed? Each is weakened in turn, everywhere else the source stays as it is; the
// models of the part have to find that. What they do not find is listed, with the reason, in
// docs/design/memory_orders.md.
namespace orchestrate::test {
namespace {

using model::Access;
using model::Site;

// The weakest first.
std::vector<memory_order> WeakerThan(const Site& site) {
  switch (site.order) {
    case memory_order_seq_cst:
      if (site.access == Access::Store) return {memory_order_relaxed, memory_order_release};
      if (site.access != Access::Modify) return {memory_order_relaxed, memory_order_acquire};
      return {memory_order_relaxed, memory_order_acquire, memory_order_release, memory_order_acq_rel};
    case memory_order_acq_rel:
      return {memory_order_relaxed, memory_order_acquire, memory_order_release};
    case memory_order_acquire:
    case memory_order_release:
      return {memory_order_relaxed};
    default:
      return {};
  }
}

std::string NameOf(memory_order order) {
  static const std::map<memory_order, std::string> names = {{memory_order_relaxed, "relaxed"},
                                                            {memory_order_acquire, "acquire"},
                                                            {memory_order_release, "release"},
                                                            {memory_order_acq_rel, "acq_rel"},
                                                            {memory_order_seq_cst, "seq_cst"}};
  return names.at(order);
}

// Holds for any line number: the file and the function that the line stands in, a member of a class or free.
std::string FunctionAround(const Site& site) {
  std::ifstream file(site.file);
  std::string line;
  std::string function;
  bool is_free = false;
  for (std::uint32_t number = 1; number <= site.line && std::getline(file, line); ++number) {
    const auto first = line.find_first_not_of(' ');
    if (first == 0) is_free = line[0] != '}' && line.find('(') != std::string::npos;
    const bool is_comment = first != std::string::npos && line.compare(first, 2, "//") == 0;
    const auto open = line.find('(');
    const bool is_head =
        first == (is_free ? 0U : 2U) && open != std::string::npos && line.find(';') == std::string::npos;
    if (!is_head || is_comment) continue;
    const auto begin = line.find_last_of(" *&", open - 1);
    function = line.substr(begin + 1, open - begin - 1);
  }
  return site.file.substr(site.file.rfind('/') + 1) + ' ' + function;
}

std::string Describe(const Site& site, memory_order weaker) {
  static const std::map<Access, std::string> kinds = {{Access::Load, "load"},
                                                      {Access::Store, "store"},
                                                      {Access::Modify, "read-modify-write"},
                                                      {Access::FailedExchange, "failed exchange"}};
  return FunctionAround(site) + ": " + kinds.at(site.access) + ' ' + NameOf(site.order) + " -> " +
         NameOf(weaker);
}

bool IsOfTheLibrary(const Site& site) { return site.file.find("/test/") == std::string::npos; }

// Whether another part has models for the file, which find more.
bool IsOfAnother(const std::string& part, const Site& site) {
  return part == "task state" &&
         (site.file.ends_with("/waiter_list.hpp") || site.file.ends_with("/mutex.hpp"));
}

std::vector<Model> ModelsOf(const std::string& part) {
  std::vector<Model> models;
  for (const Model& model : AllModels()) {
    if (part == model.part) models.push_back(model);
  }
  return models;
}

std::set<Site> SitesOf(const std::string& part) {
  std::set<Site> all;
  for (const Model& model : ModelsOf(part)) {
    Exploration how;
    how.executions = 20'000;
    how.sites = &all;
    EXPECT_FALSE(model::Explore(how, model.setup));
  }
  std::erase_if(all, [&part](const Site& site) { return !IsOfTheLibrary(site) || IsOfAnother(part, site); });
  return all;
}

bool IsFound(const std::vector<Model>& models, const Site& site, memory_order weaker) {
  // Depth first finds what differs late, at random what differs early.
  return std::any_of(models.begin(), models.end(), [&](const Model& model) {
    Exploration how;
    how.executions = 15'000;
    how.weakened = &site;
    how.weaker = weaker;
    if (model::Explore(how, model.setup)) return true;
    how.seed = 1;
    return static_cast<bool>(model::Explore(how, model.setup));
  });
}

// The lines of the list that begin with "- `" and end before the next one.
std::set<std::string> Listed(const std::string& part) {
  const std::string here = __FILE__;
  std::ifstream file(here.substr(0, here.rfind("/test/")) + "/docs/design/memory_orders.md");
  EXPECT_TRUE(file.is_open());
  std::set<std::string> lines;
  std::string line;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.starts_with("## ")) inside = line == "## " + part;
    if (!inside || !line.starts_with("- `")) continue;
    lines.insert(line.substr(3, line.find('`', 3) - 3));
  }
  return lines;
}

class Weakened : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Parts, Weakened,
                         testing::Values("deque", "ring", "queue", "permits", "waiter list",
                                         "remote free list", "parker", "mutex", "second of two", "rundown",
                                         "task state"),
                         [](const auto& made) {
                           std::string name = made.param;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return name;
                         });

TEST_P(Weakened, OrdersAreFoundByAModelOrExplained) {
#if defined(__clang__)
  GTEST_SKIP() << "another compiler places a call elsewhere; the list is made with GCC";
#endif
  const auto models = ModelsOf(GetParam());
  ASSERT_FALSE(models.empty());
  std::set<std::string> survivors;
  std::size_t found = 0;
  for (const Site& site : SitesOf(GetParam())) {
    for (const memory_order weaker : WeakerThan(site)) {
      if (IsFound(models, site, weaker)) {
        ++found;
      } else {
        survivors.insert(Describe(site, weaker));
        if (weaker == memory_order_relaxed) break;  // nor what is stronger
      }
    }
  }
  std::printf("%s: %zu weakened orders found, %zu not\n", GetParam().c_str(), found, survivors.size());
  const auto listed = Listed(GetParam());
  for (const std::string& line : survivors) {
    EXPECT_TRUE(listed.contains(line)) << "nothing finds: `" << line << '`';
  }
  for (const std::string& line : listed)
    EXPECT_TRUE(survivors.contains(line)) << "found now: `" << line << '`';
}

}  // namespace
}  // namespace orchestrate::test
