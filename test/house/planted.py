"""Runs a house check over a small tree with a planted violation."""
import os
import pathlib
import subprocess
import tempfile
import unittest

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent


class Planted(unittest.TestCase):
    """Offers accepts() and refuses(); both take the tree as {path: text}."""
    check = None  # the name of a script in tools/

    def run_check(self, tree):
        with tempfile.TemporaryDirectory() as root:
            for name, text in tree.items():
                path = pathlib.Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return subprocess.run(self.command(root), capture_output=True, text=True, check=False,
                                  env=os.environ | {"ROOT": root})

    def command(self, root):
        return [PROJECT / "tools" / self.check, "--root", root]

    def accepts(self, tree):
        result = self.run_check(tree)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def refuses(self, tree, finding):
        result = self.run_check(tree)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(finding, result.stdout)
