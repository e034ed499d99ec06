"""tools/check_names finds names that break the rules, in headers and sources."""
import shutil
import unittest

import planted

GOOD = """
namespace orchestrate::inline v1 {
inline constexpr int kLimit = 1;
enum class Color { Red, Green };
enum Flags { kOne = 1 };
class Box {
 public:
  Box* begin() { return this; }
  int Size(int scale) const { return size_ * scale; }

 private:
  static constexpr int kMax = 3;
  int size_ = 0;
};
struct Options {
  int max_count = 0;
};
}
"""


@unittest.skipUnless(shutil.which("clang-tidy-16"), "clang-tidy-16 is not installed")
class Names(planted.Planted):
    config = (planted.PROJECT / ".clang-tidy").read_text(encoding="utf-8")

    def command(self, root):
        return [planted.PROJECT / "tools" / "check_names"]

    def tree(self, name, text):
        return {".clang-tidy": self.config, "include/orchestrate/a.hpp": GOOD, name: text}

    def test_accepts_names_by_the_rules(self):
        self.accepts(self.tree("src/base/a.cpp", "#include <orchestrate/a.hpp>\n"))

    def test_refuses_other_names(self):
        bad = """
class bad_class { int BadField; };
struct BadStruct { int field_; };
void bad_function(int BadParameter) { int BadVariable = BadParameter; (void)BadVariable; }
constexpr int bad_constant = 1;
enum class BadEnum { bad_enumerator };
#define BAD_MACRO 1
"""
        result = self.run_check(self.tree("src/base/a.cpp", bad))
        self.assertNotEqual(result.returncode, 0)
        for name in ("bad_class", "BadField", "field_", "bad_function", "BadParameter", "BadVariable", "bad_constant",
                     "bad_enumerator", "BAD_MACRO"):
            self.assertIn(f"'{name}'", result.stdout)

    def test_looks_into_headers_that_nobody_includes(self):
        result = self.run_check(self.tree("include/orchestrate/b.hpp", "class bad_class {};\n"))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("'bad_class'", result.stdout)

    def test_finds_the_one_of_several_tests(self):
        text = "namespace orchestrate::test {{ namespace {{ [[maybe_unused]] int {}() {{ return 1; }} }} }}\n"
        tree = self.tree("test/base/a_test.cpp", text.format("Helper"))
        self.accepts(tree | {"test/base/b_test.cpp": text.format("Helper")})
        result = self.run_check(tree | {"test/base/b_test.cpp": text.format("bad_helper")})
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("b_test.cpp:1:", result.stdout)
        self.assertIn("'bad_helper'", result.stdout)


if __name__ == "__main__":
    unittest.main()
