"""tools/check_docs finds dead links, stale snippets and praise."""
import unittest

import planted

CODE = "int main() {\n  // [first]\n  auto task = Invoke(fn);\n\n    task.Wait();\n  // [/first]\n}\n"
SNIPPET = "<!-- snippet: a.cpp#first -->\n```cpp\nauto task = Invoke(fn);\n\n  task.Wait();\n```\n"


class Docs(planted.Planted):
    check = "check_docs"

    def test_accepts_links_that_resolve(self):
        self.accepts({"README.md": "# Top\n[a](docs/a.md#the-part) [web](https://example.org/x) [up](#top)\n",
                      "docs/a.md": "## The part\n[back](../README.md)\n"})

    def test_refuses_dead_links(self):
        self.refuses({"README.md": "[a](docs/a.md)\n"}, "README.md:1: link to docs/a.md: no such file")
        self.refuses({"README.md": "# Top\n[a](#bottom)\n"}, "no such heading")

    def test_accepts_a_snippet_that_equals_its_code(self):
        self.accepts({"README.md": SNIPPET, "a.cpp": CODE})

    def test_refuses_a_snippet_that_differs(self):
        self.refuses({"README.md": SNIPPET.replace("fn", "f"), "a.cpp": CODE}, "differs from the code")
        self.refuses({"README.md": SNIPPET, "a.cpp": CODE.replace("[first]", "[other]")}, "no such region")
        self.refuses({"README.md": SNIPPET}, "no such region")
        self.refuses({"README.md": SNIPPET.replace("```cpp", "Text"), "a.cpp": CODE}, "must follow at once")

    def test_refuses_praise_outside_of_code(self):
        self.refuses({"docs/a.md": "It is production-ready.\n"}, "'production-ready' praises")
        self.accepts({"docs/a.md": "```\nblazing\n```\n"})


if __name__ == "__main__":
    unittest.main()
