"""tools/check_counters finds a 32-bit counter without a test, and a row without a counter."""
import unittest

import planted

TABLE = "test/counters.txt"


class Counters(planted.Planted):
    check = "check_counters"

    def test_accepts_a_counter_with_a_test_that_exists(self):
        self.accepts({"src/exec/a.hpp": "std::atomic<std::uint32_t> rounds_{0};\n",
                      "src/exec/a.cpp": "rounds_.fetch_add(1, std::memory_order_relaxed);\n",
                      TABLE: "src/exec/a.hpp rounds_ Rounds.GoOnAcrossTheWrap\n",
                      "test/exec/a_test.cpp": "TEST(Rounds, GoOnAcrossTheWrap) {\n}\n"})

    def test_accepts_one_whose_bound_is_given(self):
        self.accepts({"src/exec/a.cpp": "std::uint32_t looks = 0;\n++looks;\nvoid F() {\n  std::uint32_t own = 0;\n  ++own;\n}\n",
                      TABLE: "# how many threads look\nsrc/exec/a.cpp looks bounded: by the threads of the process\n"})

    def test_accepts_what_is_never_raised_and_what_is_wider(self):
        self.accepts({"src/exec/a.hpp": "sync::atomic<std::uint32_t> state{0};\nstd::uint64_t rounds = 0;\n",
                      "src/exec/a.cpp": "++rounds;\nstate.store(1);\n", TABLE: ""})

    def test_refuses_a_counter_without_a_row(self):
        for raised in ("rounds_.fetch_add(1);", "++self->rounds_;", "rounds_++;", "rounds_ += count;",
                       "rounds_.fetch_sub(1);", "--rounds_;"):
            self.refuses({"include/orchestrate/exec/a.hpp": "\nsync::atomic<std::uint32_t> rounds_{0};\n",
                          "src/exec/a.cpp": f"{raised}\n", TABLE: ""},
                         "include/orchestrate/exec/a.hpp:2: rounds_ has 32 bits")

    def test_refuses_a_member_of_a_plain_type_without_a_row(self):
        for kind in ("int", "unsigned"):
            self.refuses({"src/exec/a.cpp": f"class A {{\n  void F() {{ ++rounds_; }}\n  {kind} rounds_ = 0;\n}};\n",
                          TABLE: ""}, "src/exec/a.cpp:3: rounds_ has 32 bits")

    def test_refuses_a_half_of_a_word_without_a_row(self):
        self.refuses({"src/exec/a.hpp": "std::atomic<std::uint64_t> blocked_{0};\n",
                      "src/exec/a.cpp": "blocked_.fetch_add(kChange + 1, std::memory_order_seq_cst);\n", TABLE: ""},
                     "src/exec/a.hpp:1: blocked_ has 32 bits")

    def test_refuses_a_row_without_a_counter(self):
        self.refuses({TABLE: "\nsrc/exec/a.hpp rounds_ bounded: by nothing\n"}, f"{TABLE}:2: there is no counter")

    def test_refuses_a_test_that_does_not_exist(self):
        self.refuses({"src/exec/a.cpp": "std::uint32_t looks = 0;\n++looks;\n",
                      TABLE: "src/exec/a.cpp looks Rounds.GoOnAcrossTheWrap\n"},
                     f"{TABLE}:1: there is no test Rounds.GoOnAcrossTheWrap")


if __name__ == "__main__":
    unittest.main()
