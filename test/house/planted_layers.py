"""tools/check_layers finds each kind of include that it forbids."""
import unittest

import planted


class Layers(planted.Planted):
    check = "check_layers"

    def test_accepts_an_include_that_points_down(self):
        self.accepts({"include/orchestrate/task/a.hpp": "#include <vector>\n#include <orchestrate/base/b.hpp>\n"})

    def test_refuses_an_include_that_points_up(self):
        self.refuses({"include/orchestrate/base/a.hpp": "\n#include <orchestrate/task/b.hpp>\n"},
                     "include/orchestrate/base/a.hpp:2: base must not include task")

    def test_refuses_one_that_points_up_from_a_source_or_a_test(self):
        self.refuses({"src/time/a.cpp": '#include "exec/b.hpp"\n'}, "time must not include exec")
        self.refuses({"test/time/a_test.cpp": "#include <orchestrate/flow/b.hpp>\n"}, "time must not include flow")

    def test_refuses_the_umbrella_and_testkit_in_a_layer(self):
        self.refuses({"src/flow/a.cpp": "#include <orchestrate/orchestrate.hpp>\n"}, "umbrella")
        self.refuses({"src/flow/a.cpp": "#include <orchestrate/testkit/a.hpp>\n"}, "only tests may include testkit")

    def test_lets_testkit_and_tests_see_what_they_need(self):
        self.accepts({"include/orchestrate/testkit/a.hpp": "#include <orchestrate/flow/b.hpp>\n",
                      "test/base/a_test.cpp": "#include <orchestrate/testkit/a.hpp>\n#include <gtest/gtest.h>\n"})

    def test_confines_foreign_headers(self):
        self.accepts({"src/exec/tbb_arena.cpp": "#include <tbb/task_arena.h>\n"})
        for name, header in (("src/exec/other.cpp", "tbb/task_arena.h"), ("include/orchestrate/exec/a.hpp", "tbb/tbb.h"),
                             ("src/flow/a.cpp", "openssl/evp.h"), ("src/flow/a.cpp", "gtest/gtest.h"),
                             ("src/exec/a.cpp", "valgrind/callgrind.h")):
            self.refuses({name: f"#include <{header}>\n"}, "are confined to")
        self.refuses({"src/flow/a.cpp": "#include <boost/any.hpp>\n"}, "unknown third-party header")

    def test_keeps_expensive_headers_out_of_public_ones_only(self):
        self.accepts({"src/base/a.cpp": "#include <functional>\n"})
        self.refuses({"include/orchestrate/base/a.hpp": "#include <functional>\n"}, "do without <functional>")

    def test_keeps_the_system_behind_sync(self):
        self.accepts({"src/base/sync.cpp": "#include <linux/futex.h>\n"})
        self.refuses({"src/base/a.cpp": "#include <linux/futex.h>\n"}, "through base/sync.hpp only")

    def test_keeps_own_inline_functions_out_of_the_unsanitized_file(self):
        self.accepts({"src/exec/tbb_arena.cpp": '#include "tbb_arena.h"\n#include <tbb/task_arena.h>\n'})
        for header in ('"exec/arena.hpp"', "<vector>"):
            self.refuses({"src/exec/tbb_arena.cpp": f"#include {header}\n"}, "TBB and one C header only")
        self.refuses({"src/exec/tbb_arena.cpp": '#include "a.h"\n#include "b.h"\n'}, "TBB and one C header only")


if __name__ == "__main__":
    unittest.main()
