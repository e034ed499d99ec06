#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "task/wait_table.hpp"

namespace orchestrate::inline v1::detail {

// What one wait, or one task, depends on as far as the library knows: a graph whose nodes are tasks and waits
// of threads, made anew for each question.
//
// A node is live when it may come to its end: so many of the nodes that it depends on are live as it needs,
// which is all of them for a task, and one for a wait for any of several. What runs, or depends on
// nothing known, is live. The rest can never end.
class WaitSearch {
 public:
  WaitSearch() noexcept;
  WaitSearch(const WaitSearch&) = delete;
  WaitSearch& operator=(const WaitSearch&) = delete;
  ~WaitSearch();

  // Builds the graph from the wait `number` of `thread`, or from `task`; throws std::bad_alloc. `may_stop` is
  // asked once when the graph is large; true: nothing depends on the first node, so it closes no cycle.
  void FromThread(WaitRecord& thread, std::uint64_t number, bool (*may_stop)() noexcept);
  void FromTask(TaskCore& task);

  // Whether the first node can never end and is part of the reason.
  [[nodiscard]] bool FoundCycle();
  // Of a wait that is part of a cycle: decides that it is told; false when the cycle is none any more, or
  // another wait of it was told.
  [[nodiscard]] bool TryTell() noexcept;
  // The same of the dependency of a task: ends it, so that the cycle is none any more.
  [[nodiscard]] bool TryRefuse(Dependency& dependency) noexcept;
  // Wakes the other waits of the cycle, so that they search, too.
  void TellOthers() noexcept;

 private:
  struct Node {
    TaskCore* task = nullptr;  // with a reference
    WaitRecord* thread = nullptr;
    std::uint64_t number = 0;
    std::size_t first_edge = 0;  // of those to what it depends on
    std::size_t edges = 0;
    std::size_t parents = kNone;  // the first edge that leads here
    std::size_t need = 0;         // how many more live ones make it live
    bool is_live = false;
  };
  struct Edge {
    std::size_t from;
    std::size_t to;
    std::size_t next_parent;
  };
  // What a node depends on, as it is found under a lock.
  struct Found {
    TaskCore* task = nullptr;  // with a reference
    WaitRecord* thread = nullptr;
    std::uint64_t number = 0;
    bool keeps_place = false;
  };
  static constexpr std::size_t kNone = ~std::size_t{0};

  void Grow(bool (*may_stop)() noexcept);
  void Expand(std::size_t index);
  void ExpandThread(std::size_t index);
  void ExpandTask(std::size_t index);
  void ExpandBatched(std::size_t index);
  void FindTargets(const WaitTargets& targets);
  void FindLinks(const void* key);
  void FindOccupants(const TaskCore& task);
  void AddTask(TaskCore& task, bool keeps_place = false);
  void Connect(std::size_t from, std::size_t need);
  [[nodiscard]] std::size_t NodeOf(const Found& found);
  void SpreadLife();
  [[nodiscard]] bool LeadsBack();
  [[nodiscard]] bool OthersAreStuck() const noexcept;
  [[nodiscard]] bool LastsUnchanged() noexcept;

  const std::uint64_t refused_;  // how many dependencies had been refused before the search
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::vector<Found> found_;
  std::unordered_map<const void*, std::size_t> index_;
};

// How many nodes all searches of the process have looked at.
[[nodiscard]] ORCHESTRATE_API std::uint64_t VisitedBySearches() noexcept;

}  // namespace orchestrate::inline v1::detail
