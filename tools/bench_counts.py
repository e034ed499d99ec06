"""Counts instructions an operation: runs benchmark programs under callgrind, which counts what they measure."""
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

import bench_table

REPEATS = 3  # of ours; how far the peers are apart nobody reads
PEERS = ["ours", "onetbb", "rust", "asio", "libuv"]  # programs that run under valgrind
CALLS = {  # of the body, so that it is some million instructions; nothing else is counted
    "completed": 20_000, "invoke_wait": 20_000, "invoke_worker": 20_000, "invoke_ctx": 20_000, "chain": 1,
    "invoke_all": 20, "consume": 20, "spawn_join": 1, "spawn_join_worker": 1, "fib_scope": 1, "nested_wait": 1,
    "timer_schedule": 1, "timer_cancel": 1, "wheel_schedule": 1, "wheel_cancel": 1, "heartbeat": 1,
}
SECONDS = 300


class Failed(Exception):
    """A program was not counted; the text says why."""


def total(profile):
    """Returns the instructions in a file of callgrind's."""
    found = re.search(r"^totals: (\d+)$", profile, re.M)
    if not found:
        raise Failed("callgrind wrote no totals")
    return int(found[1])


def operations(answer):
    """Returns the operations that a program says it has done."""
    found = re.search(r"^operations (\S+)$", answer, re.M)
    if not found:
        raise Failed("the program named no operations")
    return float(found[1])


def once(command):
    """Returns the instructions an operation of one sample."""
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder, "profile")
        # The program itself turns counting on and off, around what it measures.
        callgrind = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={profile}"]
        try:
            done = subprocess.run(callgrind + command, input="sample\n", capture_output=True, text=True, check=False,
                                  timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"no answer within {SECONDS} s") from None
        if done.returncode != 0 or not profile.exists():
            raise Failed(f"exit code {done.returncode} under callgrind")
        count = total(profile.read_text())
        if count == 0:
            raise Failed("built without valgrind/callgrind.h")
        return count / operations(done.stdout)


def merge(case, name, counts):
    median = statistics.median(counts)
    return bench_table.Count(case, name, median, (max(counts) - min(counts)) / median)


def count(cases, programs):
    """Returns the counts of the cases that CALLS names, with one worker, and prints each."""
    found = []
    if not shutil.which("valgrind"):
        print("count skipped: valgrind is not installed", flush=True)
        return found
    for case in (case for case in cases if case in CALLS):
        for program in (program for program in programs if program.name in PEERS):
            for variant in program.cases.get(case, []):
                name = program.name if variant == "-" else f"{program.name}-{variant}"
                command = [str(program.path), case, variant, "1", "1", str(CALLS[case])]
                repeats = REPEATS if program.name == "ours" else 1
                try:
                    found.append(merge(case, name, [once(command) for _ in range(repeats)]))
                    print(f"count {case} {name}={bench_table.number(found[-1].instructions)} instructions "
                          f"spread={100 * found[-1].spread:.2f}%", flush=True)
                except Failed as error:
                    print(f"count {case} failed peer={name}: {error}", flush=True)
    return found
