#include <gtest/gtest.h>

#include <test/model/model.hpp>

// The engine against small programs whose possible outcomes the standard decides.
namespace orchestrate::test {
namespace {

using Atomic = sync::atomic<int>;

// Two atomics and what the threads read.
struct Cells {
  Atomic x{0};
  Atomic y{0};
  sync::plain<int> data{0};
  int read[4] = {};
};

// Whether `threads` can end so that `outcome` holds.
bool Possible(const std::vector<std::function<void(Cells&)>>& threads,
              const std::function<bool(const Cells&)>& outcome) {
  Exploration how;
  how.limits.preemptions = 6;
  const Findings found = model::Explore(how, [&](Program& program) {
    auto& cells = Make<Cells>();
    for (const auto& thread : threads) program.Thread([&cells, &thread] { thread(cells); });
    program.Finally([&] { Check(!outcome(cells), "reached"); });
  });
  EXPECT_TRUE(found || found.exhausted);
  EXPECT_TRUE(!found || found.failure.starts_with("reached")) << found.ToString();
  return static_cast<bool>(found);
}

bool StoreBuffering(memory_order store, memory_order load) {
  return Possible({[=](Cells& c) {
                     c.x.store(1, store);
                     c.read[0] = c.y.load(load);
                   },
                   [=](Cells& c) {
                     c.y.store(1, store);
                     c.read[1] = c.x.load(load);
                   }},
                  [](const Cells& c) { return c.read[0] == 0 && c.read[1] == 0; });
}

TEST(Litmus, OnlySeqCstForbidsThatBothStoresAreMissed) {
  EXPECT_TRUE(StoreBuffering(memory_order_relaxed, memory_order_relaxed));
  EXPECT_TRUE(StoreBuffering(memory_order_release, memory_order_acquire));
  EXPECT_TRUE(StoreBuffering(memory_order_seq_cst, memory_order_acquire));
  EXPECT_TRUE(StoreBuffering(memory_order_release, memory_order_seq_cst));
  EXPECT_FALSE(StoreBuffering(memory_order_seq_cst, memory_order_seq_cst));
}

bool MessagePassing(memory_order store, memory_order load) {
  return Possible({[=](Cells& c) {
                     c.x.store(1, memory_order_relaxed);
                     c.y.store(1, store);
                   },
                   [=](Cells& c) {
                     c.read[0] = c.y.load(load);
                     c.read[1] = c.x.load(memory_order_relaxed);
                   }},
                  [](const Cells& c) { return c.read[0] == 1 && c.read[1] == 0; });
}

TEST(Litmus, ReleaseAndAcquireTogetherPassAMessage) {
  EXPECT_TRUE(MessagePassing(memory_order_relaxed, memory_order_relaxed));
  EXPECT_TRUE(MessagePassing(memory_order_release, memory_order_relaxed));
  EXPECT_TRUE(MessagePassing(memory_order_relaxed, memory_order_acquire));
  EXPECT_FALSE(MessagePassing(memory_order_release, memory_order_acquire));
}

// Two writers of one cell each, two readers who see them in different orders.
bool IndependentReads(memory_order order) {
  return Possible(
      {[=](Cells& c) { c.x.store(1, order); }, [=](Cells& c) { c.y.store(1, order); },
       [=](Cells& c) {
         c.read[0] = c.x.load(order);
         c.read[1] = c.y.load(order);
       },
       [=](Cells& c) {
         c.read[2] = c.y.load(order);
         c.read[3] = c.x.load(order);
       }},
      [](const Cells& c) { return c.read[0] == 1 && c.read[1] == 0 && c.read[2] == 1 && c.read[3] == 0; });
}

TEST(Litmus, ReadersAgreeOnTheOrderOfIndependentWritesOnlyWithSeqCst) {
  EXPECT_TRUE(IndependentReads(memory_order_relaxed));
  EXPECT_FALSE(IndependentReads(memory_order_seq_cst));
  // With release and acquire they need not agree either.
  EXPECT_TRUE(Possible(
      {[](Cells& c) { c.x.store(1, memory_order_release); },
       [](Cells& c) { c.y.store(1, memory_order_release); },
       [](Cells& c) {
         c.read[0] = c.x.load(memory_order_acquire);
         c.read[1] = c.y.load(memory_order_acquire);
       },
       [](Cells& c) {
         c.read[2] = c.y.load(memory_order_acquire);
         c.read[3] = c.x.load(memory_order_acquire);
       }},
      [](const Cells& c) { return c.read[0] == 1 && c.read[1] == 0 && c.read[2] == 1 && c.read[3] == 0; }));
}

TEST(Litmus, OneThreadNeverReadsBackwards) {
  EXPECT_FALSE(Possible({[](Cells& c) {
                           c.x.store(1, memory_order_relaxed);
                           c.x.store(2, memory_order_relaxed);
                         },
                         [](Cells& c) {
                           c.read[0] = c.x.load(memory_order_relaxed);
                           c.read[1] = c.x.load(memory_order_relaxed);
                         }},
                        [](const Cells& c) { return c.read[1] < c.read[0]; }));
}

TEST(Litmus, NobodyReadsBackwardsBehindAReadThatHeKnowsOf) {
  EXPECT_FALSE(Possible({[](Cells& c) { c.x.store(1, memory_order_relaxed); },
                         [](Cells& c) {
                           c.read[0] = c.x.load(memory_order_relaxed);
                           c.y.store(1, memory_order_release);
                         },
                         [](Cells& c) {
                           c.read[1] = c.y.load(memory_order_acquire);
                           c.read[2] = c.x.load(memory_order_relaxed);
                         }},
                        [](const Cells& c) { return c.read[0] == 1 && c.read[1] == 1 && c.read[2] == 0; }));
}

TEST(Litmus, CausalityGoesThroughAThirdThread) {
  const auto writes = [](memory_order middle) {
    return Possible({[](Cells& c) { c.x.store(1, memory_order_relaxed); },
                     [middle](Cells& c) {
                       c.read[0] = c.x.load(middle);
                       c.y.store(1, memory_order_release);
                     },
                     [](Cells& c) {
                       c.read[1] = c.y.load(memory_order_acquire);
                       c.read[2] = c.x.load(memory_order_relaxed);
                     }},
                    [](const Cells& c) { return c.read[0] == 1 && c.read[1] == 1 && c.read[2] == 0; });
  };
  EXPECT_FALSE(writes(memory_order_acquire));
  EXPECT_FALSE(writes(memory_order_relaxed)) << "coherence alone decides that";
}

TEST(Litmus, AReadModifyWriteContinuesAReleaseSequence) {
  const auto through = [](bool by_rmw) {
    return Possible({[](Cells& c) {
                       c.x.store(1, memory_order_relaxed);
                       c.y.store(1, memory_order_release);
                     },
                     [by_rmw](Cells& c) {
                       if (by_rmw) {
                         c.y.fetch_add(1, memory_order_relaxed);
                       } else {
                         if (c.y.load(memory_order_relaxed) == 1) c.y.store(2, memory_order_relaxed);
                       }
                     },
                     [](Cells& c) {
                       c.read[0] = c.y.load(memory_order_acquire);
                       c.read[1] = c.x.load(memory_order_relaxed);
                     }},
                    [](const Cells& c) { return c.read[0] == 2 && c.read[1] == 0; });
  };
  EXPECT_FALSE(through(true));
  EXPECT_TRUE(through(false));
}

TEST(Litmus, ReadModifyWritesAreNeverLost) {
  EXPECT_FALSE(Possible({[](Cells& c) { c.x.fetch_add(1, memory_order_relaxed); },
                         [](Cells& c) { c.x.fetch_add(1, memory_order_relaxed); },
                         [](Cells& c) { c.x.fetch_add(1, memory_order_relaxed); }},
                        [](const Cells& c) { return c.x.load(memory_order_relaxed) != 3; }));
}

TEST(Litmus, ALoadAndAStoreMayLoseACount) {
  const auto add = [](Cells& c) { c.x.store(c.x.load(memory_order_relaxed) + 1, memory_order_relaxed); };
  EXPECT_TRUE(Possible({add, add}, [](const Cells& c) { return c.x.load(memory_order_relaxed) == 1; }));
}

TEST(Litmus, ASeqCstOperationIsNoFenceForOthers) {
  // A seq_cst read-modify-write of a third cell does not order the relaxed ones around it for others.
  EXPECT_TRUE(Possible({[](Cells& c) {
                          c.x.store(1, memory_order_relaxed);
                          c.y.fetch_add(1, memory_order_seq_cst);
                          c.read[0] = c.read[0] + 0;
                        },
                        [](Cells& c) { c.read[1] = c.x.load(memory_order_relaxed); }},
                       [](const Cells& c) { return c.read[1] == 0; }));
  // Reading the outcome of a seq_cst store by a relaxed load teaches nothing.
  EXPECT_TRUE(Possible({[](Cells& c) {
                          c.x.store(1, memory_order_relaxed);
                          c.y.store(1, memory_order_seq_cst);
                        },
                        [](Cells& c) {
                          c.read[0] = c.y.load(memory_order_relaxed);
                          c.read[1] = c.x.load(memory_order_seq_cst);
                        }},
                       [](const Cells& c) { return c.read[0] == 1 && c.read[1] == 0; }));
}

TEST(Litmus, AFailedCompareExchangeMayReadAnOldValue) {
  EXPECT_TRUE(Possible({[](Cells& c) { c.x.store(1, memory_order_relaxed); },
                        [](Cells& c) {
                          c.x.store(0, memory_order_relaxed);
                          int expected = 7;
                          (void)c.x.compare_exchange_strong(expected, 9, memory_order_relaxed);
                          c.read[0] = expected;
                          c.read[1] = c.x.load(memory_order_relaxed);
                        }},
                       [](const Cells& c) { return c.read[0] == 0 && c.read[1] == 1; }));
}

TEST(Litmus, AWeakCompareExchangeMayFailForNoReason) {
  const auto failing = [](bool weak) {
    return Possible({[weak](Cells& c) {
                      int expected = 0;
                      c.read[0] = weak ? c.x.compare_exchange_weak(expected, 1)
                                       : c.x.compare_exchange_strong(expected, 1);
                    }},
                    [](const Cells& c) { return c.read[0] == 0; });
  };
  EXPECT_TRUE(failing(true));
  EXPECT_FALSE(failing(false));
}

TEST(Litmus, WithoutStaleReadsTheMemoryIsSequential) {
  Exploration how;
  how.limits.stale_reads = 0;
  const Findings found = model::Explore(how, [](Program& program) {
    auto& c = Make<Cells>();
    program.Thread([&c] {
      c.x.store(1, memory_order_relaxed);
      c.read[0] = c.y.load(memory_order_relaxed);
    });
    program.Thread([&c] {
      c.y.store(1, memory_order_relaxed);
      c.read[1] = c.x.load(memory_order_relaxed);
    });
    program.Finally([&c] { Check(c.read[0] + c.read[1] != 0, "both missed"); });
  });
  EXPECT_FALSE(found) << found.ToString();
  EXPECT_TRUE(found.exhausted);
}

}  // namespace
}  // namespace orchestrate::test
