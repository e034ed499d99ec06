#include <orchestrate/task/detail/context_node.hpp>

#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include <orchestrate/task/detail/task_core.hpp>
#include "exec/scheduling.hpp"
#include "task/context_end.hpp"
#include "task/context_links.hpp"
#include "task/deferred_delete.hpp"
#include "task/root_node.hpp"

namespace orchestrate::inline v1::detail {

constinit sync::atomic<std::uint32_t> g_end_epoch{1};

// ---- references ----

void RefNode(ContextNode& node) noexcept {
  if ((node.flags & ContextNode::kRoot) != 0) return RefRoot(static_cast<RootNode&>(node), 1);
  node.refs.fetch_add(1, sync::memory_order_relaxed);
}

void UnrefNode(ContextNode& node) noexcept {
  if ((node.flags & ContextNode::kTask) != 0) return Unref(static_cast<TaskCore&>(node));
  if ((node.flags & ContextNode::kRoot) != 0) return UnrefRoot(static_cast<RootNode&>(node), 1);
  // Each scope gives up its parent, so a chain of them ends here in a loop rather than in a recursion.
  for (ContextNode* at = &node; at != nullptr;) {
    if ((at->flags & (ContextNode::kTask | ContextNode::kRoot)) != 0) return UnrefNode(*at);
    // Release pairs with the acquire of the last owner, which destroys the node.
    if (at->refs.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
    DestroyLinks(*at);
    ContextNode* parent = std::exchange(at->parent, nullptr);
    delete static_cast<ScopeNode*>(at);
    at = parent;
  }
}

bool TryRefNode(ContextNode& node) noexcept {
  auto refs = node.refs.load(sync::memory_order_relaxed);
  while (refs != 0) {
    if (node.refs.compare_exchange_weak(refs, refs + 1, sync::memory_order_relaxed)) return true;
  }
  return false;
}

// ---- polling ----

namespace {

// The nearest node from `node` upwards that was marked as ended; null when it sees none.
ContextNode* FindEnded(ContextNode& node) noexcept {
  const auto epoch = g_end_epoch.load(sync::memory_order_acquire);
  if (epoch == node.seen_epoch.load(sync::memory_order_relaxed) &&
      (node.state.load(sync::memory_order_relaxed) & ContextNode::kEnded) == 0) {
    return nullptr;
  }
  for (ContextNode* at = &node; at != nullptr; at = at->parent) {
    // Acquire pairs with the release that set the flag: the cause is visible.
    if ((at->state.load(sync::memory_order_acquire) & ContextNode::kEnded) != 0) return at;
    if ((at->flags & ContextNode::kShield) != 0) break;
  }
  // The ancestors learn it, too: what is born below them looks no further than itself.
  for (ContextNode* at = &node; at != nullptr; at = at->parent) {
    at->seen_epoch.store(epoch, sync::memory_order_relaxed);
    if ((at->flags & ContextNode::kShield) != 0) break;
  }
  return nullptr;
}

}  // namespace

bool IsMarkedEnded(ContextNode& node) noexcept { return MayHaveEnded(node) && FindEnded(node) != nullptr; }

Error SlowEndOf(ContextNode& node) noexcept {
  if (const ContextNode* ended = FindEnded(node)) return ended->error.Get();
  ScopeNode& scope = *node.scope;
  if (scope.deadline != TimePoint::max() && NowBelow(scope) >= scope.deadline) {
    EndScope(scope, Errc::DeadlineExceeded);
    return scope.error.Get();
  }
  return {};
}

// ---- ending ----

bool EndScope(ContextNode& node, Error cause) noexcept {
  if (!node.error.TrySet(std::move(cause))) return false;
  // Release pairs with the acquire in SlowEndOf(): the cause is visible with the flag.
  node.state.fetch_or(ContextNode::kEnded, sync::memory_order_release);
  PublishEnd(node);
  return true;
}

namespace {

// An ancestor of `node` has ended.
void EndChild(ContextNode& node) noexcept {
  if ((node.flags & ContextNode::kTask) != 0) EndIfContextEnded(static_cast<TaskCore&>(node));
}

// What has to hear of the ends that this thread publishes. Ends inside ends join the outermost, so that a
// chain of them costs no stack.
struct EndRound {
  void Fire(ContextLinks& links) noexcept {
    const std::lock_guard lock(links.mutex);
    const Link* const stop = links.stop.load(sync::memory_order_relaxed);  // set before it was linked
    while (Link* link = links.first) {
      links.Unlink(*link);
      Deferred* const more = link->fire(*link);
      if (more == nullptr) continue;
      Deferred*& list = !more->runs_user_code ? todo : link == stop ? stops : posts;
      more->after = std::exchange(list, more);
    }
  }

  void TellAll() noexcept {
    while (Deferred* next = todo) {
      todo = next->after;
      if (next->run != nullptr) {
        next->run(*next);
      } else {
        // A child's list: its owner was given a reference when its link fired.
        auto& links = static_cast<ContextLinks&>(*next);
        Fire(links);
        EndChild(*links.owner);
        UnrefNode(*links.owner);
      }
    }
  }

  void Post() noexcept {
    while (Deferred* next = posts) {
      posts = next->after;
      next->run(*next);
    }
  }

  // Inside a loop that tells of the end of tasks: after all that are to be told there.
  void RequestStops(bool is_telling) noexcept {
    while (Deferred* next = stops) {
      stops = next->after;
      is_telling ? SettleLater(static_cast<StopLink&>(*next)) : next->run(*next);
    }
  }

  Deferred* todo = nullptr;
  Deferred* posts = nullptr;  // hand a call-back to an executor, which may be the user's
  Deferred* stops = nullptr;  // run call-backs of the user, which may wait for all of the above
};

}  // namespace

void PublishEnd(ContextNode& node) noexcept {
  // Sequentially consistent, like the look at the links below: pairs with AddLink(), which does it the other
  // way round.
  g_end_epoch.fetch_add(1, sync::memory_order_seq_cst);
  auto* links = node.links.load(sync::memory_order_seq_cst);
  if (links == nullptr) return;
  if (t_thread.ending != nullptr) return static_cast<EndRound*>(t_thread.ending)->Fire(*links);
  const bool is_telling = t_thread.draining != nullptr && t_thread.deferred != nullptr;
  const DeferralScope deferral;
  EndRound round;
  t_thread.ending = &round;
  round.Fire(*links);
  round.TellAll();
  t_thread.ending = nullptr;
  round.Post();
  round.RequestStops(is_telling);
}

// ---- links ----

namespace {

Deferred* FireChild(Link& link) noexcept {
  ContextLinks& child = *static_cast<ContextLinks::UpLink&>(link).child;
  return TryRefNode(*child.owner) ? &child : nullptr;
}

ContextLinks& LinksOf(ContextNode& node) {
  auto* links = node.links.load(sync::memory_order_acquire);
  if (links != nullptr) return *links;
  auto* made = new ContextLinks(node);
  if (node.links.compare_exchange_strong(links, made, sync::memory_order_seq_cst)) return *made;
  delete made;
  return *links;
}

void Append(ContextLinks& links, Link& link) noexcept {
  const std::lock_guard lock(links.mutex);
  link.prev = links.last;
  link.next = nullptr;
  (links.last != nullptr ? links.last->next : links.first) = &link;
  links.last = &link;
  link.in = &links;
}

// Has `links` told when its owner's parent ends; that is tied itself already.
void Tie(ContextLinks& links) {
  ContextNode& owner = *links.owner;
  // Asks an executor for its timers, which is code of the user: under no lock.
  if ((owner.flags & ContextNode::kTask) == 0) static_cast<ScopeNode&>(owner).Activate();
  const std::lock_guard lock(links.activation);
  if (links.activated.load(sync::memory_order_relaxed)) return;
  if (owner.parent != nullptr && (owner.flags & ContextNode::kShield) == 0) {
    links.up.child = &links;
    links.up.fire = FireChild;
    Append(LinksOf(*owner.parent), links.up);
  }
  // Release pairs with the acquire in Activated(): the ancestors' links are seen.
  links.activated.store(true, sync::memory_order_release);
}

// Ties `node` and its ancestors together, from the top down to it.
ContextLinks& Activated(ContextNode& node) {
  ContextLinks& own = LinksOf(node);
  if (own.activated.load(sync::memory_order_acquire)) return own;
  std::vector<ContextLinks*> path;  // not recursive, so that the depth costs no stack
  for (ContextNode* at = &node; at != nullptr; at = at->parent) {
    ContextLinks& links = LinksOf(*at);
    if (links.activated.load(sync::memory_order_acquire)) break;
    path.push_back(&links);
    if ((at->flags & ContextNode::kShield) != 0) break;
  }
  for (; !path.empty(); path.pop_back()) Tie(*path.back());
  return own;
}

}  // namespace

bool TieTask(TaskCore& task, ContextNode& parent) {
  Activated(parent);
  ContextLinks& links = LinksOf(task);
  const std::lock_guard lock(links.activation);
  if (links.activated.load(sync::memory_order_relaxed) || !TryPin(task)) return true;
  const bool is_parent = task.parent == &parent;
  if (is_parent) {
    links.up.child = &links;
    links.up.fire = FireChild;
    Append(LinksOf(parent), links.up);
    links.activated.store(true, sync::memory_order_release);
  }
  Unpin(task);
  return is_parent;
}

void MoveTie(ContextNode& node, ContextNode& from, ContextNode& to) noexcept {
  ContextLinks* links = node.links.load(sync::memory_order_acquire);
  if (links == nullptr || !links->activated.load(sync::memory_order_acquire)) return;
  // What was tied to `from` is a reason for that to be tied to `to`.
  if (RemoveLink(from, links->up)) Append(*to.links.load(sync::memory_order_acquire), links->up);
}

bool AddLink(ContextNode& node, Link& link) {
  if (EndOf(node)) return false;
  Append(Activated(node), link);
  // Sequentially consistent: PublishEnd() moves the epoch on and then looks for links.
  (void)g_end_epoch.fetch_add(0, sync::memory_order_seq_cst);
  // The node may have ended between the look and the entry; then either its end found the link, or we do.
  if (EndOf(node) && RemoveLink(node, link)) return false;
  return true;
}

bool RemoveLink(ContextNode& node, Link& link) noexcept {
  auto* links = node.links.load(sync::memory_order_acquire);
  if (links == nullptr) return false;
  const std::lock_guard lock(links->mutex);
  if (link.in != links) return false;
  links->Unlink(link);
  return true;
}

void DestroyLinks(ContextNode& node) noexcept {
  auto* links = node.links.load(sync::memory_order_acquire);
  if (links == nullptr) return;
  if (node.parent != nullptr) RemoveLink(*node.parent, links->up);
  if (StopLink* stop = links->stop.load(sync::memory_order_acquire)) stop->drop(*stop);
  delete links;
}

StopLink& ShareStopLink(ContextNode& node, StopLink& mine) {
  StopLink* found = nullptr;
  auto& place = LinksOf(node).stop;
  return place.compare_exchange_strong(found, &mine, sync::memory_order_acq_rel) ? mine : *found;
}

}  // namespace orchestrate::inline v1::detail
