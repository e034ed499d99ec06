"""What the house checks share: finding files, and reporting findings as path:line: sentence."""
import argparse
import pathlib
import sys


def files(root, *patterns):
    """Returns the files below root that match one of the glob patterns, sorted."""
    return sorted({path for pattern in patterns for path in root.glob(pattern) if path.is_file()})


def numbered(path):
    """Returns the lines of a file with their numbers, from 1."""
    return enumerate(path.read_text(encoding="utf-8").splitlines(), 1)


def main(check, description):
    """Runs check(root), which yields (path, line, sentence), and exits with 1 when it yields anything."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the checkout to look at; default: this one")
    root = parser.parse_args().root.resolve()
    findings = list(check(root))
    for path, line, sentence in findings:
        print(f"{path.relative_to(root)}:{line}: {sentence}")
    sys.exit(1 if findings else 0)
