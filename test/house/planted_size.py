"""tools/check_size finds too many lines of headers, too costly an umbrella, and long files."""
import unittest

import planted

UMBRELLA = "include/orchestrate/orchestrate.hpp"


class Size(planted.Planted):
    check = "check_size"

    def test_accepts_a_small_tree(self):
        self.accepts({UMBRELLA: "#include <cstdint>\n"})

    def test_refuses_more_header_lines_than_allowed(self):
        tree = {f"include/orchestrate/base/a{i}.hpp": "int a;\n" * 399 for i in range(13)}
        self.refuses(tree, "core headers have 5187 lines of code")

    def test_does_not_count_documentation(self):
        self.accepts({f"include/orchestrate/base/a{i}.hpp": "/// a\n\n" * 199 for i in range(30)})

    def test_refuses_a_costly_umbrella(self):
        self.refuses({UMBRELLA: "#include <regex>\n#include <chrono>\n#include <functional>\n#include <thread>\n"
                                "#include <ranges>\n#include <iostream>\n#include <random>\n"}, "preprocesses to")

    def test_refuses_a_long_file(self):
        for path in ("src/base/a.cpp", "test/base/a_test.cpp"):
            self.refuses({path: "//\n" * 401}, f"{path}:401: has 401 lines")


if __name__ == "__main__":
    unittest.main()
