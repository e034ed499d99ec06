"""tools/check_format finds what clang-format would change."""
import shutil
import unittest

import planted


@unittest.skipUnless(shutil.which("clang-format-16"), "clang-format-16 is not installed")
class Format(planted.Planted):
    config = (planted.PROJECT / ".clang-format").read_text(encoding="utf-8")

    def command(self, root):
        return [planted.PROJECT / "tools" / "check_format"]

    def test_accepts_formatted_code(self):
        self.accepts({".clang-format": self.config, "src/a.cpp": "class A {\n public:\n  int* a;\n};\n"})

    def test_refuses_other_code(self):
        result = self.run_check({".clang-format": self.config, "src/a.cpp": "class A {\npublic:\n  int *a;\n};\n"})
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("src/a.cpp:3", result.stderr)


if __name__ == "__main__":
    unittest.main()
