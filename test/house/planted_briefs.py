"""tools/check_briefs finds missing and malformed docstrings."""
import unittest

import planted

HEADER = "include/orchestrate/base/a.hpp"
DOCUMENTED = """
namespace orchestrate::inline v1 {
class Later;
/// Holds one thing.
///
/// More about it. In two sentences.
template <class T>
  requires requires(T t) { t.size(); }
class Box : public Base<T> {
 public:
  Box() : a_{1} {}
  /// Tells whether e.g. `x` fits.
  bool Fits(Options options = {}) const { return (options.x > 0); }
};
/// Returns the sum (of both).
int Sum(int a, int b);
int Sum(int a, int b, int c);
/// A limit.
inline constexpr int kLimit = 3;
using Alias = int;
template <class T>
Box(T) -> Box<T>;
namespace detail {
struct Hidden {};
/// return nothing
void Free();
}
}
"""


def with_declaration(text):
    return {HEADER: f"namespace orchestrate::inline v1 {{\n{text}\n}}\n"}


class Briefs(planted.Planted):
    check = "check_briefs"

    def test_accepts_what_is_documented_internal_or_needs_no_words(self):
        self.accepts({HEADER: DOCUMENTED})

    def test_refuses_a_public_declaration_without_docstring(self):
        for text in ("class Box {};", "void Open(int count);", "enum class Color { Red };", "struct Box : Base { };",
                     "template <class T>\nconcept Small = sizeof(T) < 8;", "inline constexpr int kLimit = 3;",
                     "// Opens.\nvoid Open();", "/// Opens.\n\nvoid Open();"):
            self.refuses(with_declaration(text), "no docstring")

    def test_refuses_a_declaration_after_a_nested_one(self):
        self.refuses({HEADER: DOCUMENTED.replace("/// Returns the sum (of both).\n", "")}, "no docstring: int Sum")

    def test_refuses_a_brief_without_period(self):
        self.refuses(with_declaration("/// Opens it\nvoid Open();"), "end in a period")

    def test_refuses_two_sentences(self):
        self.refuses(with_declaration("/// Opens it. Closes it.\nvoid Open();"), "one sentence")

    def test_refuses_other_persons_and_imperatives(self):
        for brief in ("Return the size.", "We open it.", "This opens it.", "You open it.", "Number the pages."):
            self.refuses(with_declaration(f"/// {brief}\nvoid Open();"), f"not '{brief.split()[0]} ...'")

    def test_refuses_a_docstring_that_starts_with_its_details(self):
        self.refuses(with_declaration("/// @return nothing\nvoid Open();"), "no brief")

    def test_looks_at_members_that_have_a_docstring(self):
        self.refuses({HEADER: DOCUMENTED.replace("Tells whether", "Tell whether")}, "not 'Tell ...'")


if __name__ == "__main__":
    unittest.main()
