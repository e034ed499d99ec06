#include "task/wait_search.hpp"

#include <mutex>

namespace orchestrate::inline v1::detail {
namespace {

constexpr std::size_t kSmall = 32;  // nodes: to ask whether anything depends on the wait costs about as much

// Of those that have found a cycle and are about to say so.
constinit Mutex g_telling;
constinit sync::atomic<std::uint64_t> g_refused{0};  // written under g_telling

constinit sync::atomic<std::uint64_t> g_visited{0};

bool Lasts(const WaitRecord& thread, std::uint64_t number) noexcept {
  return thread.number == number && !thread.told;
}

}  // namespace

WaitSearch::WaitSearch() noexcept : refused_(g_refused.load(sync::memory_order_acquire)) {}

WaitSearch::~WaitSearch() {
  g_visited.fetch_add(nodes_.size(), sync::memory_order_relaxed);
  for (const Found& found : found_) {
    if (found.task != nullptr) Unref(*found.task);
  }
  for (const Node& node : nodes_) {
    if (node.task != nullptr) Unref(*node.task);
  }
}

void WaitSearch::FromThread(WaitRecord& thread, std::uint64_t number, bool (*may_stop)() noexcept) {
  (void)NodeOf({.thread = &thread, .number = number});
  Grow(may_stop);
}

void WaitSearch::FromTask(TaskCore& task) {
  Ref(task);
  found_.push_back({.task = &task});
  (void)NodeOf(found_.back());
  found_.clear();
  Grow(nullptr);
}

// ---- the graph ----

void WaitSearch::Grow(bool (*may_stop)() noexcept) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i == kSmall && may_stop != nullptr && may_stop()) {
      nodes_[0].is_live = true;
      return;
    }
    nodes_[i].thread != nullptr ? ExpandThread(i) : ExpandTask(i);
  }
}

std::size_t WaitSearch::NodeOf(const Found& found) {
  const void* id = found.thread != nullptr ? static_cast<const void*>(found.thread) : found.task;
  const auto [at, is_new] = index_.try_emplace(id, nodes_.size());
  if (is_new) {
    nodes_.push_back({.task = found.task, .thread = found.thread, .number = found.number});
  } else if (found.task != nullptr) {
    Unref(*found.task);
  }
  return at->second;
}

// Makes what was found what `from` depends on.
void WaitSearch::Connect(std::size_t from, std::size_t need) {
  nodes_[from].first_edge = edges_.size();
  nodes_[from].need = need;
  while (!found_.empty()) {
    const Found found = found_.back();
    const std::size_t to = NodeOf(found);
    found_.pop_back();
    edges_.push_back({from, to, nodes_[to].parents});
    nodes_[to].parents = edges_.size() - 1;
  }
  nodes_[from].edges = edges_.size() - nodes_[from].first_edge;
}

// A task that can be waited for although nothing has started it, or that has ended, holds nothing up. The
// caller holds what keeps it.
void WaitSearch::AddTask(TaskCore& task, bool keeps_place) {
  const auto phase = task.PhaseNow();
  if (phase < kAttached || phase > kRunning) return;
  found_.push_back({.task = &task, .keeps_place = keeps_place});
  Ref(task);
}

void WaitSearch::FindTargets(const WaitTargets& targets) {
  for (std::size_t i = 0; i < targets.count; ++i) AddTask(*targets.at(targets.data, i));
}

void WaitSearch::ExpandThread(std::size_t index) {
  WaitRecord& thread = *nodes_[index].thread;
  WaitTargets targets;
  bool lasts = false;
  {
    const std::lock_guard lock(thread.mutex);
    lasts = Lasts(thread, nodes_[index].number);
    if (lasts) {
      targets = thread.targets;
      FindTargets(targets);
    }
  }
  if (lasts && targets.piece != nullptr) FindLinks(targets.piece);
  std::size_t need = found_.size();
  if (targets.kind == WaitTargets::Kind::Any) need = found_.size() < targets.count ? 0 : 1;
  Connect(index, need);
}

void WaitSearch::FindLinks(const void* key) {
  ForEachLink(key, [this](WaitLink& link) {
    if (link.task != nullptr) {
      if (!link.is_timed) AddTask(*link.task, link.keeps_place);
      return;
    }
    WaitRecord& thread = *link.thread;
    const std::lock_guard lock(thread.mutex);
    if (thread.number == 0 || thread.told) return;
    found_.push_back({.thread = &thread, .number = thread.number, .keeps_place = link.keeps_place});
  });
}

// What runs on an executor that runs one thing at a time, on which `task` has to wait for its turn.
void WaitSearch::FindOccupants(const TaskCore& task) {
  ForEachForeignRoot(task, [this](const ContextNode& root) { FindLinks(&root); });
}

void WaitSearch::ExpandTask(std::size_t index) {
  TaskCore& task = *nodes_[index].task;
  const auto state = task.state.load(sync::memory_order_acquire);
  switch (state & ContextNode::kPhaseMask) {
    case kAttached:
      if (TaskCore* before = SharePredecessor(task)) found_.push_back({.task = before});
      break;
    case kBatched:
      return ExpandBatched(index);
    case kQueued:
      FindOccupants(task);
      break;
    case kRunning:
      FindLinks(&task);
      // One that is no body on any thread (a job, a retry) has steps that need their turn.
      if ((state & ContextNode::kNoBody) == 0) FindOccupants(task);
      break;
    default:
      break;
  }
  Connect(index, found_.size());
}

// A task that its job has not begun waits until one of the job's places is free. What a body with a place has
// returned keeps that until it has ended.
void WaitSearch::ExpandBatched(std::size_t index) {
  TaskCore& task = *nodes_[index].task;
  FindOccupants(task);
  if (!found_.empty()) return Connect(index, found_.size());
  const auto* job = static_cast<const TaskCore*>(JobOf(task));
  if (job == nullptr || job->Ops().width == nullptr) return Connect(index, 0);
  FindLinks(job);
  std::erase_if(found_, [](const Found& found) {
    if (found.task != nullptr && !found.keeps_place) Unref(*found.task);
    return !found.keeps_place;
  });
  const std::size_t width = job->Ops().width(*job);
  Connect(index, found_.size() < width ? 0 : found_.size() - width + 1);
}

std::uint64_t VisitedBySearches() noexcept { return g_visited.load(sync::memory_order_relaxed); }

// ---- what can never end ----

void WaitSearch::SpreadLife() {
  std::vector<std::size_t> live;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].need != 0) continue;
    nodes_[i].is_live = true;
    live.push_back(i);
  }
  while (!live.empty()) {
    const std::size_t at = live.back();
    live.pop_back();
    for (std::size_t edge = nodes_[at].parents; edge != kNone; edge = edges_[edge].next_parent) {
      Node& parent = nodes_[edges_[edge].from];
      if (parent.is_live || --parent.need != 0) continue;
      parent.is_live = true;
      live.push_back(edges_[edge].from);
    }
  }
}

bool WaitSearch::LeadsBack() {
  std::vector<bool> seen(nodes_.size());
  std::vector<std::size_t> open{0};
  while (!open.empty()) {
    const Node& node = nodes_[open.back()];
    open.pop_back();
    for (std::size_t edge = node.first_edge; edge < node.first_edge + node.edges; ++edge) {
      const std::size_t to = edges_[edge].to;
      if (to == 0) return true;
      if (nodes_[to].is_live || seen[to]) continue;
      seen[to] = true;
      open.push_back(to);
    }
  }
  return false;
}

bool WaitSearch::OthersAreStuck() const noexcept {
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].thread != nullptr && !nodes_[i].is_live) return true;
  }
  return false;
}

bool WaitSearch::FoundCycle() {
  if (nodes_[0].is_live) return false;
  SpreadLife();
  // A cycle that it only waits for is told to one of its own waits.
  return !nodes_[0].is_live && (LeadsBack() || !OthersAreStuck());
}

// Under g_telling.
bool WaitSearch::LastsUnchanged() noexcept {
  if (g_refused.load(sync::memory_order_relaxed) != refused_) return false;
  for (const Node& node : nodes_) {
    if (node.thread == nullptr || node.is_live) continue;
    const std::lock_guard lock(node.thread->mutex);
    if (!Lasts(*node.thread, node.number)) return false;
  }
  return true;
}

bool WaitSearch::TryRefuse(Dependency& dependency) noexcept {
  const std::lock_guard telling(g_telling);
  if (!LastsUnchanged()) return false;
  dependency.End();
  // Release pairs with the acquire of the searches that begin later: the dependency is gone.
  g_refused.store(refused_ + 1, sync::memory_order_release);
  return true;
}

bool WaitSearch::TryTell() noexcept {
  const std::lock_guard telling(g_telling);
  if (!LastsUnchanged()) return false;
  const std::lock_guard lock(nodes_[0].thread->mutex);
  nodes_[0].thread->told = true;
  return true;
}

void WaitSearch::TellOthers() noexcept {
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    if (node.thread == nullptr || node.is_live) continue;
    const std::lock_guard lock(node.thread->mutex);
    if (Lasts(*node.thread, node.number)) node.thread->sleeper->Nudge();
  }
}

}  // namespace orchestrate::inline v1::detail
