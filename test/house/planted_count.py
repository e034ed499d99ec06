"""tools/count_tests counts what ctest reports, and fails with it."""
import pathlib
import subprocess
import tempfile
import unittest

import planted


def count(*suites):
    """Each suite is its attributes, or those and what is inside."""
    suites = [suite if isinstance(suite, tuple) else (suite, "") for suite in suites]
    with tempfile.TemporaryDirectory() as folder:
        reports = [pathlib.Path(folder, f"{number}.xml") for number, _ in enumerate(suites)]
        for report, (suite, inside) in zip(reports, suites):
            text = f'<?xml version="1.0"?><testsuite name="x" {suite}>{inside}</testsuite>'
            report.write_text(text, encoding="utf-8")
        result = subprocess.run([planted.PROJECT / "tools" / "count_tests", *reports], capture_output=True, text=True,
                                check=False)
    return result.returncode, result.stdout


class Count(unittest.TestCase):
    def test_counts_one_report(self):
        self.assertEqual(count('tests="3" failures="0" skipped="0" disabled="0"'), (0, "3 passed, 0 failed\n"))

    def test_fails_when_a_test_failed(self):
        self.assertEqual(count('tests="3" failures="1" skipped="0" disabled="0"'), (1, "2 passed, 1 failed\n"))

    def test_sums_reports_and_names_what_was_skipped(self):
        self.assertEqual(count('tests="3" failures="0" skipped="1" disabled="0"', 'tests="2" failures="0"'),
                         (0, "4 passed, 0 failed, 1 skipped\n"))

    def test_says_how_often_a_bound_was_tried_again(self):
        output = "<testcase><system-out>x\nlate: try 1 of 3\nlate: try 2 of 3\n</system-out></testcase>"
        self.assertEqual(count(('tests="1" failures="0"', output)),
                         (0, "1 passed, 0 failed, 2 tries of upper bounds were late\n"))

    def test_counts_a_report_that_is_not_there_as_a_failure(self):
        run = subprocess.run([planted.PROJECT / "tools" / "count_tests", "/nowhere/report.xml"], capture_output=True,
                             text=True, check=False)
        self.assertEqual((run.returncode, run.stdout), (1, "0 passed, 1 failed\n"))

    def test_fails_when_nothing_ran(self):
        self.assertEqual(count('tests="1" failures="0" skipped="1"')[0], 1)


if __name__ == "__main__":
    unittest.main()
