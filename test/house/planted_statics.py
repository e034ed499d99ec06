"""tools/check_statics finds a static whose guard a fork may meet."""
import unittest

import planted

MADE = "int& Get() noexcept {\n  static int* const made = new int;\n  return *made;\n}\n"


class Statics(planted.Planted):
    check = "check_statics"

    def test_accepts_what_is_made_before_main(self):
        self.accepts({"src/exec/a.cpp": MADE + "[[maybe_unused]] const auto& early = Get();\n"})

    def test_accepts_what_has_no_guard(self):
        self.accepts({"src/exec/a.cpp": "void F() {\n  static constinit int a = 1;\n  static constexpr int b{2};\n"
                                        "  alignas(int) static unsigned char place[sizeof(int)];\n}\n",
                      "src/exec/a.hpp": "struct A {\n  static int F(int a) noexcept { return a; }\n};\n"})

    def test_accepts_statics_below_a_reason(self):
        self.accepts({"src/exec/a.cpp": "void F() {\n  // Workers only, which no fork copies.\n"
                                        "  static const int a = G();\n  static const int b = G();\n}\n"})

    def test_refuses_what_is_made_at_its_first_use(self):
        self.refuses({"src/exec/a.cpp": MADE}, "src/exec/a.cpp:2: a fork may meet")
        self.refuses({"src/exec/a.hpp": "void F() {\n  static const int a{G()};\n}\n"}, "src/exec/a.hpp:2: a fork")
        self.refuses({"src/exec/a.cpp": MADE + "[[maybe_unused]] const auto& early = Other();\n"}, "src/exec/a.cpp:2:")


if __name__ == "__main__":
    unittest.main()
