"""Checks the tables, the counts and the picture of tools/bench on figures made up for it."""
import pathlib
import re
import sys
import unittest
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))

import bench_counts
import bench_picture
import bench_table
from bench_table import Count, Report, Row

SVG = "{http://www.w3.org/2000/svg}"


def sample():
    """Rows come by case and workers, as they are measured; counts are of one worker."""
    rows = [Row("invoke_wait", "", 1, "ns", 20.0, 0, 0, {"onetbb-task_group": 20.0, "onetbb-enqueue": 200.0}),
            Row("invoke_wait", "", 2, "ns", 30.0, 0, 0, {"onetbb-task_group": 60.0, "go-goroutine": 10.0}),
            Row("spawn_join", "", 1, "ns", 50.0, 0, 8, {"go-channel": 100.0}),
            Row("spawn_join", "_memory", 1, "B", 144.0, 0, 8, {"go-channel": 288.0}),
            Row("spawn_join", "", 2, "ns", 40.0, 0, 8, {"go-channel": 100.0}),
            Row("spawn_join", "_memory", 2, "B", 144.0, 0, 8, {"go-channel": 288.0}),
            Row("nested_wait", "", 1, "ns", 300.0, 0, 0, {}),
            Row("idle", "", 1, "us/s", 0.0, 0, 0, {"go": 256.0})]
    counts = [Count("invoke_wait", "ours", 900.0, 0.001), Count("invoke_wait", "onetbb-task_group", 300.0, 0.02)]
    return Report("A & B <CPU>. Medians of 3 rounds.", ["onetbb", "go"], rows, counts)


class Table(unittest.TestCase):
    def test_has_a_row_for_each_figure_and_number_of_workers(self):
        rows = bench_table.full_table(sample()).splitlines()
        self.assertEqual([line.split(" | ")[0] + line.split(" | ")[2] for line in rows[2:]],
                         ["| `invoke_wait`1", "| `invoke_wait`2", "| `spawn_join`1", "| `spawn_join`2",
                          "| `spawn_join_memory`1", "| `spawn_join_memory`2", "| `nested_wait`1", "| `idle`1"])
        self.assertIn("| 20.0 ns | 0, 0 | 900 | task_group 20.0 ns (1.00)<br>enqueue 200 ns (0.10) | – |", rows[2])
        self.assertIn("| 30.0 ns | 0, 0 | – |", rows[3])

    def test_has_instructions_only_when_they_were_counted(self):
        report = sample()
        report.counts = []
        self.assertNotIn("instructions", bench_table.full_table(report))

    def test_is_short_with_most_workers_and_the_best_variant_of_each_peer(self):
        rows = bench_table.short_table(sample()).splitlines()
        self.assertEqual(len(rows), 2 + 3)
        self.assertTrue(rows[2].endswith("| 30.0 ns | 60.0 ns (0.50) | 10.0 ns (3.00) |"), rows[2])
        self.assertTrue(rows[3].endswith("| 40.0 ns | – | 100 ns (0.40) |"), rows[3])

    def test_shows_how_far_the_runs_were_apart(self):
        self.assertIn("| 900 | 0.10 % | task_group 300 (3.00) |", bench_table.counts_table(sample().counts))

    def test_replaces_only_what_is_between_the_marks(self):
        changed = bench_table.into_readme("a\n<!-- bench -->\nold\n<!-- /bench -->\nz\n", sample())
        self.assertTrue(changed.startswith("a\n<!-- bench -->\n![") and changed.endswith("|\n<!-- /bench -->\nz\n"))
        self.assertNotIn("old", changed)
        with self.assertRaisesRegex(ValueError, "must be 1"):
            bench_table.into_readme("no marks\n", sample())


class Counts(unittest.TestCase):
    def test_reads_totals_and_not_the_summary(self):
        self.assertEqual(bench_counts.total("events: Ir\nsummary: 0\nfn=(1) main\n1 7\n\ntotals: 3900079\n"), 3900079)
        with self.assertRaises(bench_counts.Failed):
            bench_counts.total("events: Ir\nsummary: 0\n")

    def test_reads_the_operations_of_a_program(self):
        self.assertEqual(bench_counts.operations("operations 1e+06\n- 1.5 ns 0 0\nend\n"), 1e6)
        with self.assertRaises(bench_counts.Failed):
            bench_counts.operations("- 1.5 ns 0 0\nend\n")

    def test_takes_the_median_and_the_spread(self):
        self.assertEqual(bench_counts.merge("chain", "ours", [102.0, 100.0, 97.0]), Count("chain", "ours", 100.0, 0.05))

    def test_knows_the_cases_it_counts(self):
        self.assertEqual(set(bench_counts.CALLS) - set(bench_table.CASES), set())


class Picture(unittest.TestCase):
    def setUp(self):
        self.text = bench_picture.picture(sample())
        self.svg = ElementTree.fromstring(self.text)

    def dots(self):
        paths = [(path.find(f"{SVG}title"), path) for path in self.svg.iter(f"{SVG}path")]
        return {title.text: path for title, path in paths if title is not None}  # the legend's have no title

    def test_is_the_same_for_the_same_figures(self):
        self.assertEqual(self.text, bench_picture.picture(sample()))

    def test_has_a_dot_for_each_ratio_above_zero(self):
        self.assertEqual(list(self.dots()), [
            "invoke_wait, 1 worker, onetbb-task_group: 1.00", "invoke_wait, 1 worker, onetbb-enqueue: 0.10",
            "invoke_wait, 2 workers, onetbb-task_group: 0.50", "invoke_wait, 2 workers, go-goroutine: 3.00",
            "spawn_join, 1 worker, go-channel: 0.50", "spawn_join, 2 workers, go-channel: 0.40",
            "spawn_join_memory, 1 worker, go-channel: 0.50", "spawn_join_memory, 2 workers, go-channel: 0.50"])

    def test_has_equal_times_on_the_line_and_smaller_ratios_left_of_it(self):
        (line,) = [line for line in self.svg.iter(f"{SVG}line") if line.get("class") == "one"]
        x = {title: float(re.search(r"translate\((\S+) ", dot.get("transform"))[1])
             for title, dot in self.dots().items()}
        self.assertEqual(x["invoke_wait, 1 worker, onetbb-task_group: 1.00"], float(line.get("x1")))
        self.assertLess(x["invoke_wait, 2 workers, onetbb-task_group: 0.50"], float(line.get("x1")))
        self.assertGreater(x["invoke_wait, 2 workers, go-goroutine: 3.00"], float(line.get("x1")))

    def test_writes_ids_peers_and_caption_as_text(self):
        words = [text.text for text in self.svg.iter(f"{SVG}text")]
        for wanted in ["invoke_wait", "spawn_join_memory", "oneTBB", "Go", "1 worker", "2 workers",
                       "A & B <CPU>. Medians of 3 rounds."]:
            self.assertIn(wanted, words)
        self.assertNotIn("idle", words)  # it has no ratio above 0

    def test_is_dark_where_the_reader_prefers_it(self):
        self.assertIn("prefers-color-scheme: dark", self.text)


if __name__ == "__main__":
    unittest.main()
