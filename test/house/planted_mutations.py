"""tools/mutate finds the mutation that no test notices, and refuses a table that is not true any more."""
import pathlib
import subprocess
import tempfile
import unittest

import planted

PROJECT_FILE = """cmake_minimum_required(VERSION 3.25)
project(small CXX)
file(GLOB sources *.cpp)
add_executable(test_small ${sources})
"""
SOURCE = "int Sum(int a, int b) { return a + b; }\nint Twice(int a) { return 2 * a; }\n"
# As little of googletest as the tool needs.
TESTS = """#include <cstdio>
#include <cstring>
int Sum(int a, int b);
int main(int, char** argv) {
  const bool any = std::strncmp(argv[1], "--gtest_filter=Sum*", 19) == 0;
  std::printf("[==========] Running %d tests\\n", any ? 1 : 0);
  return any && Sum(1, 2) != 3;
}
"""


def mutate(table, *options, tests=TESTS, stale=()):
    """The files `stale` are left from an earlier run in the copy of the project."""
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder)
        files = {"CMakeLists.txt": PROJECT_FILE, "sum.cpp": SOURCE, "main.cpp": tests, "tools/mutations": table}
        files.update({f"build/mutants/source/{name}": "#error gone from the project\n" for name in stale})
        for name, text in files.items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text, encoding="utf-8")
        run = subprocess.run([planted.PROJECT / "tools" / "mutate", "--project", project, *options],
                             capture_output=True, text=True, check=False)
        unchanged = (project / "sum.cpp").read_text(encoding="utf-8") == SOURCE
        report = project / "build" / "mutants" / "report.xml"
        return run, unchanged, report.read_text(encoding="utf-8") if report.exists() else ""


NOTICED = "sum.cpp ;; return a + b; ;; return a - b; ;; test_small ;; Sum*\n"


class Mutations(unittest.TestCase):
    def test_names_the_survivor_and_leaves_the_project_alone(self):
        run, unchanged, report = mutate("# a comment\n\n" + NOTICED +
                                        "sum.cpp ;; return 2 * a; ;; return 3 * a; ;; test_small ;; Sum*\n")
        self.assertIn("noticed   sum.cpp: 'return a + b;'", run.stdout)
        self.assertIn("SURVIVED  sum.cpp: 'return 2 * a;'", run.stdout)
        self.assertTrue(run.stdout.endswith("1 of 2 mutations noticed, 1 survived\n"), run.stdout)
        self.assertEqual(run.returncode, 1)
        self.assertTrue(unchanged)
        self.assertIn('tests="2" failures="1"', report)

    def test_refuses_what_is_not_there_once(self):
        run, _, report = mutate("sum.cpp ;; return a * b; ;; x ;; test_small ;; Sum*\n"
                                "sum.cpp ;; return ;; x ;; test_small ;; Sum*\n"
                                "gone.cpp ;; y ;; x ;; test_small ;; Sum*\n"
                                "sum.cpp ;; y\n", "--check")
        self.assertEqual(run.returncode, 2)
        for sentence in ("stands 0 times", "stands 2 times", "there is no gone.cpp", "2 fields, must be 5"):
            self.assertIn(sentence, run.stderr)
        self.assertEqual(report, "")

    def test_refuses_a_filter_without_tests(self):
        run, _, _ = mutate(NOTICED.replace("Sum*", "Product*"))
        self.assertEqual(run.returncode, 2)
        self.assertIn("no test matches Product*", run.stderr)

    def test_counts_what_does_not_compile_as_a_failure(self):
        run, _, report = mutate(NOTICED + NOTICED.replace("a - b", "a - c"))
        self.assertEqual(run.returncode, 2)
        self.assertIn("failed", run.stderr)
        self.assertTrue(run.stdout.endswith("1 of 2 mutations noticed, 0 survived\n"), run.stdout)
        self.assertIn('tests="2" failures="1"', report)

    def test_counts_tests_that_fail_without_a_mutation_as_a_failure(self):
        run, _, report = mutate(NOTICED, tests=TESTS.replace("!= 3", "!= 4"))
        self.assertEqual(run.returncode, 2)
        self.assertIn("test_small Sum* fails without a mutation", run.stderr)
        self.assertIn('tests="1" failures="1"', report)

    def test_forgets_what_the_project_no_longer_has(self):
        run, _, _ = mutate(NOTICED, stale=("renamed.cpp",))
        self.assertEqual((run.returncode, run.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
