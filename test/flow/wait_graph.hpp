#pragma once

#include <memory>
#include <utility>
#include <vector>

namespace orchestrate::test {

// The oracle of the random wait graphs: what depends on what, and which wait can never end. Written without
// any of the library's means.
struct WaitGraph {
  enum class Kind {
    Body,      // runs, and waits when it is told to
    Chain,     // continues another
    Returned,  // its body returned another
    Retried,   // a retry follows another
    Timed,     // a timeout of another: ends by itself
    Behind,    // queued on the strand that a body keeps
    Above,     // queued on a strand on that strand
    Job,       // its members, and an extra task that they leave no place for
    Extra      // of a job
  };
  enum class Home { Pool, Manual, Strand };

  struct Vertex {
    Kind kind = Kind::Body;
    std::vector<int> deps = {};
    int owner = -1;  // the body that keeps the strand; of a member or an extra: the job
    Home home = Home::Pool;
    bool can_be_served = false;  // it may end before the bodies do
    bool ended = false;
    bool awaited = false;  // a body that waits would go on if it ended
    // Of a body:
    bool any = false;
    std::vector<int> waits_for = {};  // empty: it runs
  };

  int Add(Vertex vertex) {
    all.push_back(std::move(vertex));
    return static_cast<int>(all.size()) - 1;
  }
  Vertex& At(int v) { return all[static_cast<std::size_t>(v)]; }

  // The body may run what `v` needs, and so end it. Below a timeout that is what nothing else may run, and
  // what follows something that it has run: a worker runs the rest, when there is one.
  bool Serve(int v, int body, bool below_timeout = false) {
    Vertex& vertex = At(v);
    if (vertex.ended) return true;
    switch (vertex.kind) {
      case Kind::Chain:
        vertex.ended = Serve(vertex.deps[0], body, below_timeout) &&
                       (vertex.home == Home::Pool ? !below_timeout || ran_ : vertex.owner == body);
        break;
      case Kind::Returned:
        vertex.ended = Serve(vertex.deps[0], body, below_timeout);
        break;
      case Kind::Timed:
        vertex.ended = Serve(vertex.deps[0], body, true);
        break;
      case Kind::Behind:
        vertex.ended = vertex.owner == body;
        ran_ = ran_ || vertex.ended;
        break;
      case Kind::Extra:
        vertex.ended = At(body).owner == vertex.owner;
        ran_ = ran_ || vertex.ended;
        break;
      default:
        break;
    }
    return vertex.ended;
  }

  // What `v` depends on now, and how many of them have to be live.
  std::pair<std::vector<int>, std::size_t> Needs(int v) {
    const Vertex& vertex = At(v);
    if (vertex.ended || vertex.kind == Kind::Timed) return {{}, 0};
    switch (vertex.kind) {
      case Kind::Body:
        if (vertex.waits_for.empty()) return Nothing();
        return {vertex.waits_for, vertex.any ? 1 : vertex.waits_for.size()};
      case Kind::Returned:
      case Kind::Retried:
        return At(vertex.deps[0]).ended ? Nothing() : AllOf(vertex.deps);
      case Kind::Chain:
        if (!At(vertex.deps[0]).ended) return AllOf(vertex.deps);
        return vertex.home == Home::Strand ? AllOf({vertex.owner}) : Nothing();
      case Kind::Extra:
        return {vertex.deps, 1};
      case Kind::Behind:
      case Kind::Above:
        return AllOf({vertex.owner});
      default:
        return AllOf(vertex.deps);
    }
  }

  // Whether the wait of `body` can never end, by the greatest set of which each is held up by others of it.
  bool IsStuck(int body) {
    std::vector<bool> live(all.size());
    for (bool changed = true; changed;) {
      changed = false;
      for (int v = 0; v < static_cast<int>(all.size()); ++v) {
        if (live[static_cast<std::size_t>(v)]) continue;
        const auto [deps, need] = Needs(v);
        std::size_t have = 0;
        for (const int dep : deps) have += live[static_cast<std::size_t>(dep)] ? 1U : 0U;
        if (have < need) continue;
        live[static_cast<std::size_t>(v)] = changed = true;
      }
    }
    return !live[static_cast<std::size_t>(body)];
  }

  // Whether `body` may wait for `v` so that no other body that waits goes on by that.
  bool MayTarget(int v, int body, bool any) {
    bool awaited = At(v).awaited;
    int leaf = v;
    while (At(leaf).kind >= Kind::Chain && At(leaf).kind <= Kind::Timed) {
      leaf = At(leaf).deps[0];
      awaited = awaited || At(leaf).awaited;
    }
    const Vertex& end = At(leaf);
    const bool own = (end.kind == Kind::Behind && end.owner == body) ||
                     (end.kind == Kind::Extra && end.owner == At(body).owner);
    if (any) return !end.ended && !(own && end.kind == Kind::Extra);  // it would lend that one its place
    return !awaited || (!own && !end.ended);
  }

  // Lets `body` wait; true when it is to be told `WouldDeadlock`, for one of its targets or all. Afterwards
  // it runs, or waits for the first target that can end.
  bool Wait(int body, const std::vector<int>& targets, bool any) {
    At(body).any = any;
    const bool told = any ? WaitAny(body, targets) : WaitAll(body, targets);
    if (At(body).waits_for.empty()) return told;
    for (int target : targets) {
      At(target).awaited = true;
      while (At(target).kind >= Kind::Chain && At(target).kind <= Kind::Timed) {
        target = At(target).deps[0];
        At(target).awaited = true;
      }
    }
    return told;
  }

  std::vector<Vertex> all;

 private:
  bool ran_ = false;  // something, for the target that is looked at

  using Need = std::pair<std::vector<int>, std::size_t>;
  static Need Nothing() { return {{}, 0}; }
  static Need AllOf(const std::vector<int>& deps) { return {deps, deps.size()}; }

  bool WaitAll(int body, const std::vector<int>& targets) {
    bool told = false;
    for (const int target : targets) {
      ran_ = false;
      (void)Serve(target, body);
    }
    for (const int target : targets) {
      if (At(target).ended) continue;
      At(body).waits_for = {target};
      if (!IsStuck(body)) return told;
      At(body).waits_for.clear();
      told = true;
    }
    return told;
  }

  // Runs nothing.
  bool WaitAny(int body, const std::vector<int>& targets) {
    for (const int target : targets) {
      if (At(target).ended) return false;
    }
    At(body).waits_for = targets;
    const bool stuck = IsStuck(body);
    if (stuck) At(body).waits_for.clear();
    return stuck;
  }
};

}  // namespace orchestrate::test
