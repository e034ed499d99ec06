#include <gtest/gtest.h>

#include <string>

#include <test/model/model.hpp>

// Bugs that were planted: the engine has to find each, soon, say what it is, and show it again.
namespace orchestrate::test {
namespace {

using Flag = sync::atomic<std::uint32_t>;
using Plain = sync::plain<int>;

void ExpectFound(const std::string& kind, const std::function<void(Program&)>& setup) {
  Exploration how;
  how.time = std::chrono::seconds(10);
  const Findings found = model::Explore(how, setup);
  ASSERT_TRUE(found) << "not found in " << found.ToString();
  EXPECT_NE(found.failure.find(kind), std::string::npos) << found.ToString();
  EXPECT_FALSE(found.trace.empty());
  Exploration again;
  again.replay = found.replay;
  EXPECT_EQ(model::Explore(again, setup).failure, found.failure) << "the replay shows something else";
  // At random it is found as well.
  Exploration random;
  random.seed = 7;
  random.limits = {.preemptions = 50, .stale_reads = 50, .spurious = 3};
  random.executions = 1'000'000;
  EXPECT_TRUE(model::Explore(random, setup));
}

struct Shared {
  Flag a{0};
  Flag b{0};
  Plain data{0};
};

TEST(Planted, AMessageBehindARelaxedFlag) {
  ExpectFound("data race", [](Program& program) {
    auto& s = Make<Shared>();
    program.Thread([&s] {
      s.data = 1;
      s.a.store(1, memory_order_relaxed);
    });
    program.Thread([&s] {
      if (s.a.load(memory_order_acquire) == 1) Check(s.data == 1, "no data");
    });
  });
}

TEST(Planted, TwoFlagsThatExcludeNobodyWithoutSeqCst) {
  ExpectFound("data race", [](Program& program) {
    auto& s = Make<Shared>();
    const auto enter = [&s](Flag& own, Flag& other) {
      own.store(1, memory_order_release);
      if (other.load(memory_order_acquire) == 0) s.data = s.data + 1;
    };
    program.Thread([&s, enter] { enter(s.a, s.b); });
    program.Thread([&s, enter] { enter(s.b, s.a); });
  });
}

TEST(Planted, ALockThatIsReleasedRelaxed) {
  ExpectFound("data race", [](Program& program) {
    auto& s = Make<Shared>();
    const auto add = [&s] {
      while (s.a.exchange(1, memory_order_acquire) != 0) sync::Relax();
      s.data = s.data + 1;
      s.a.store(0, memory_order_relaxed);
    };
    program.Thread(add);
    program.Thread(add);
  });
}

TEST(Planted, ACountThatIsReadAndWrittenApart) {
  ExpectFound("a count was lost", [](Program& program) {
    auto& s = Make<Shared>();
    const auto add = [&s] { s.a.store(s.a.load(memory_order_seq_cst) + 1, memory_order_seq_cst); };
    program.Thread(add);
    program.Thread(add);
    program.Finally([&s] { Check(s.a.load() == 2, "a count was lost"); });
  });
}

TEST(Planted, AReferenceThatIsGivenUpRelaxed) {
  ExpectFound("data race", [](Program& program) {
    auto* s = new Shared;
    s->a.store(2, memory_order_relaxed);
    const auto drop = [s] {
      (void)static_cast<int>(s->data);
      if (s->a.fetch_sub(1, memory_order_relaxed) == 1) delete s;
    };
    program.Thread(drop);
    program.Thread(drop);
  });
}

TEST(Planted, AnObjectThatIsFreedWhileAnotherLooks) {
  ExpectFound("use after free", [](Program& program) {
    auto* s = new Shared;
    program.Thread([s] { delete s; });
    program.Thread([s] { (void)s->b.load(memory_order_relaxed); });
  });
}

TEST(Planted, AnObjectThatIsFreedTwice) {
  ExpectFound("destroyed twice", [](Program& program) {
    auto* s = new Flag(0U);
    const auto drop = [s] { s->~atomic(); };
    program.Thread(drop);
    program.Thread(drop);
  });
}

TEST(Planted, ASleeperThatNobodyWakes) {
  ExpectFound("deadlock", [](Program& program) {
    auto& s = Make<Shared>();
    program.Thread([&s] {
      if (s.a.load(memory_order_acquire) == 0) sync::FutexWait(s.b, 0);  // on another word
    });
    program.Thread([&s] {
      s.a.store(1, memory_order_release);
      sync::FutexWake(s.b, 1);
    });
  });
}

TEST(Planted, AWakerThatDoesNotSeeTheSleeperComing) {
  ExpectFound("deadlock", [](Program& program) {
    auto& s = Make<Shared>();
    auto& sleep = Make<Flag>(0U);
    program.Thread([&s, &sleep] {
      s.b.store(1, memory_order_release);  // "I sleep": needs seq_cst
      if (s.a.load(memory_order_acquire) == 0) sync::FutexWait(sleep, 0);
    });
    program.Thread([&s, &sleep] {
      s.a.store(1, memory_order_release);
      if (s.b.load(memory_order_acquire) == 0) return;
      sleep.store(1, memory_order_relaxed);
      sync::FutexWake(sleep, 1);
    });
  });
}

TEST(Planted, TwoLocksInBothOrders) {
  ExpectFound("no end", [](Program& program) {
    auto& s = Make<Shared>();
    const auto both = [](Flag& first, Flag& second) {
      while (first.exchange(1) != 0) sync::Relax();
      while (second.exchange(1) != 0) sync::Relax();
      second.store(0);
      first.store(0);
    };
    program.Thread([&s, both] { both(s.a, s.b); });
    program.Thread([&s, both] { both(s.b, s.a); });
  });
}

TEST(Planted, ASpinThatNobodyEnds) {
  ExpectFound("no end", [](Program& program) {
    auto& s = Make<Shared>();
    program.Thread([&s] {
      while (s.a.load(memory_order_acquire) == 0) sync::Relax();
    });
  });
}

// A stack of nodes that are popped by a compare-exchange of the first.
struct Node {
  sync::atomic<Node*> next{nullptr};
  Plain value{0};
};

TEST(Planted, APopThatLooksIntoAFreedNode) {
  ExpectFound("use after free", [](Program& program) {
    auto& first = Make<sync::atomic<Node*>>(new Node);
    const auto pop = [&first] {
      Node* node = first.load(memory_order_acquire);
      while (node != nullptr && !first.compare_exchange_weak(node, node->next.load(memory_order_relaxed))) {
      }
      delete node;
    };
    program.Thread(pop);
    program.Thread(pop);
  });
}

TEST(Planted, AFirstNodeThatComesBackWithAnotherNext) {
  ExpectFound("a node was lost", [](Program& program) {
    auto* a = new Node;
    auto* b = new Node;
    a->next.store(b, memory_order_relaxed);
    auto& first = Make<sync::atomic<Node*>>(a);
    const auto pop = [&first] {
      Node* node = first.load();
      while (node != nullptr && !first.compare_exchange_strong(node, node->next.load())) {
      }
      return node;
    };
    auto& kept = Make<int>(0);
    program.Thread([pop, &kept] { kept += pop() != nullptr ? 1 : 0; });
    program.Thread([pop, &first, &kept] {
      Node* own = pop();
      kept += pop() != nullptr ? 1 : 0;
      if (own == nullptr) return;
      Node* seen = first.load();
      do own->next.store(seen);
      while (!first.compare_exchange_strong(seen, own));
    });
    program.Finally([&first, &kept] {
      int left = 0;
      for (Node* node = first.load(); node != nullptr && left < 3; node = node->next.load()) ++left;
      Check(kept + left == 2, "a node was lost or given out twice: a node was lost");
    });
  });
}

TEST(Planted, ATokenThatOverwritesATokenByAStore) {
  ExpectFound("data race", [](Program& program) {
    auto& s = Make<Shared>();
    auto& more = Make<Plain>(0);
    program.Thread([&s] {
      s.data = 1;
      s.a.store(1, memory_order_release);
    });
    program.Thread([&s, &more] {
      more = 1;
      s.a.store(2, memory_order_release);
    });
    program.Thread([&s] {
      // Whoever sees the later store thinks that it has seen both.
      if (s.a.load(memory_order_acquire) == 2) Check(s.data >= 0, "");
    });
  });
}

TEST(Planted, ASnapshotThatIsNotReadAgain) {
  ExpectFound("a torn pair", [](Program& program) {
    auto& s = Make<Shared>();
    auto& version = Make<Flag>(0U);
    program.Thread([&] {
      version.fetch_add(1, memory_order_acquire);
      s.a.store(1, memory_order_relaxed);
      s.b.store(1, memory_order_relaxed);
      version.fetch_add(1, memory_order_release);
    });
    program.Thread([&] {
      if (version.load(memory_order_acquire) % 2 != 0) return;
      const auto a = s.a.load(memory_order_relaxed);
      const auto b = s.b.load(memory_order_relaxed);
      Check(a == b, "a torn pair");
    });
  });
}

TEST(Planted, AnObjectThatIsMadeOnceButShownRelaxed) {
  ExpectFound("construction", [](Program& program) {
    auto& shown = Make<sync::atomic<Flag*>>(nullptr);
    const auto use = [&shown] {
      Flag* seen = shown.load(memory_order_acquire);
      if (seen == nullptr) {
        auto* made = new Flag(1U);
        if (shown.compare_exchange_strong(seen, made, memory_order_relaxed, memory_order_acquire))
          seen = made;
      }
      Check(seen->load(memory_order_relaxed) == 1, "not constructed");
    };
    program.Thread(use);
    program.Thread(use);
  });
}

TEST(Planted, AnIndexThatIsShownBeforeItsItem) {
  ExpectFound("data race", [](Program& program) {
    auto& s = Make<Shared>();
    program.Thread([&s] {
      s.a.store(1, memory_order_release);
      s.data = 1;
    });
    program.Thread([&s] {
      if (s.a.load(memory_order_acquire) == 1) Check(s.data == 1, "no item");
    });
  });
}

TEST(Planted, AListThatIsClosedByAStore) {
  ExpectFound("deadlock", [](Program& program) {
    auto& s = Make<Shared>();  // a: 0 nobody, 1 somebody waits, 2 closed
    program.Thread([&s] {
      const auto waiting = s.a.load(memory_order_acquire);
      s.a.store(2, memory_order_release);  // who came in between is never told
      if (waiting == 1) {
        s.b.store(1, memory_order_release);
        sync::FutexWake(s.b, 1);
      }
    });
    program.Thread([&s] {
      std::uint32_t nobody = 0;
      if (!s.a.compare_exchange_strong(nobody, 1)) return;
      while (s.b.load(memory_order_acquire) == 0) sync::FutexWait(s.b, 0);
    });
  });
}

}  // namespace
}  // namespace orchestrate::test
