"""What tools/bench has measured, as tables in Markdown and as the documents that hold them."""
import dataclasses
import re

TITLES = {"ours": "orchestrate", "serial": "serial", "onetbb": "oneTBB", "go": "Go", "rust": "Rust", "asio": "Asio",
          "libuv": "libuv"}
CASES = {
    "invoke_wait": "one no-op task from outside: make, run, result",
    "invoke_worker": "one no-op task from inside a task",
    "invoke_cold": "one no-op task after 2 ms without work",
    "invoke_remote": "one no-op task, run by another thread than the one that waits",
    "invoke_ctx": "one no-op task under a deadline",
    "spawn_join": "1 000 000 no-op tasks with a handle each, from outside; a task",
    "spawn_join_worker": "1 000 000 no-op tasks with a handle each, from a worker; a task",
    "invoke_all": "1000 no-op tasks made, run at most 8 at a time, joined",
    "consume": "1000 no-op tasks in a closed channel, 8 consumers",
    "completed": "a made task and its outcome",
    "chain": "100 000 continuations; a link",
    "fib_scope": "fib(32) by fork and join; a fork",
    "fib_handles": "fib(32) with a task for every child; a task",
    "skynet": "a tree of fan-out 10 with 1 000 000 leaves, summed",
    "nqueens": "all ways to place 12 queens",
    "matmul": "1024 x 1024 doubles by recursive quarters",
    "nested_wait": "100 000 tasks that each wait for the next; a level",
    "timer_schedule": "1 000 000 timers armed; one",
    "timer_cancel": "1 000 000 timers cancelled; one",
    "timer_fire": "1 000 000 timers due within 1 s",
    "wheel_schedule": "the timer wheel alone: 1 000 000 armed; one",
    "wheel_cancel": "the timer wheel alone: 1 000 000 cancelled; one",
    "heartbeat": "10 000 repeats of 100 ms for 3 s; CPU a beat",
    "sleep_tasks": "10 000 tasks that sleep 1 to 100 ms; CPU a wake",
    "pending_memory": "100 000 of a kind that wait; resident memory of one, with its handle",
    "idle": "CPU of an idle process with the runtime up",
    "spawn_latency": "post to first instruction",
}
SUFFIXES = {  # a case with several figures prints each under its id and one of these
    "": "",
    "_memory": "; peak of resident memory",
    "_sleep": "; a sleep of an hour",
    "_task": "; a task that nobody runs yet",
    "_cpu": "; CPU",
    "_late": "; how late the latest",
    "_late_p99": "; how late, 99th percentile",
    "_idle_p50": ", pool asleep; median",
    "_idle_p99": ", pool asleep; 99th percentile",
    "_busy_p50": ", pool busy with tasks of 10 us; median",
    "_busy_p99": ", pool busy with tasks of 10 us; 99th percentile",
}


@dataclasses.dataclass
class Row:
    """The medians of one figure; `ours` is None where we have no such case, the peers are {name: value}."""
    case: str
    suffix: str
    workers: int
    unit: str
    ours: float
    allocs: float
    size: float
    peers: dict

    @property
    def id(self):
        return self.case + self.suffix

    @property
    def workload(self):
        return CASES.get(self.case, "") + SUFFIXES.get(self.suffix, "")


@dataclasses.dataclass
class Count:
    """The instructions an operation of one contestant: median and spread of several runs."""
    case: str
    name: str
    instructions: float
    spread: float  # largest less smallest, as a part of the median


@dataclasses.dataclass
class Report:
    """A whole run; `peers` are the programs that took part, `caption` says where, when and how."""
    caption: str
    peers: list
    rows: list
    counts: list


def number(value):
    """Three significant digits, never an exponent."""
    if abs(value) < 0.005:
        return "0"
    return f"{value:.{0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2}f}"


def ratio(ours, peer):
    return number(ours / peer) if ours is not None and peer else "-"


def split(name):
    """`onetbb-task_group` is the variant task_group of the program onetbb."""
    program, _, variant = name.partition("-")
    return program, variant


def in_order(rows):
    """Rows of one figure stand together; sorting keeps the order of the cases."""
    order = list(dict.fromkeys((row.case, row.suffix) for row in rows))
    return sorted(rows, key=lambda row: order.index((row.case, row.suffix)))


def lines(head, rows):
    written = ["| " + " | ".join(row) + " |" for row in [head, *rows]]
    return "\n".join([written[0], "|---" * len(head) + "|", *written[1:]])


def cell(variant, ours, peer, unit):
    text = f"{variant} {number(peer)} {unit}".strip()
    return text if ratio(ours, peer) == "-" else f"{text} ({ratio(ours, peer)})"


def cells(peers, ours, values, unit):
    """Returns a cell for each peer, with all its variants."""
    of = {peer: [cell(split(name)[1], ours, value, unit) for name, value in values.items() if split(name)[0] == peer]
          for peer in peers}
    return ["<br>".join(of[peer]) or "–" for peer in peers]


def full_table(report):
    """A row for each figure and number of workers, with every variant of every peer."""
    head = ["id", "workload", "workers", TITLES["ours"], "allocations, bytes"]
    counted = {count.case: number(count.instructions) for count in report.counts if count.name == "ours"}
    if counted:
        head.append("instructions")
    rows = []
    for row in in_order(report.rows):
        mine = ["–", "–"] if row.ours is None else [f"{number(row.ours)} {row.unit}",
                                                    f"{number(row.allocs)}, {number(row.size)}"]
        if counted:
            mine.append(counted.get(row.case, "–") if row.workers == 1 and not row.suffix else "–")
        rows.append([f"`{row.id}`", row.workload, str(row.workers), *mine,
                     *cells(report.peers, row.ours, row.peers, row.unit)])
    return lines(head + [TITLES[peer] for peer in report.peers], rows)


def short_table(report):
    """A row for each case that has a peer: its first figure, most workers, the best variant of each peer."""
    chosen = {}
    for row in report.rows:
        best = chosen.get(row.case)
        if row.ours is None or not set(row.peers) - {"serial"}:
            continue
        if best is None or (row.suffix == best.suffix and row.workers > best.workers):
            chosen[row.case] = row
    peers = [peer for peer in report.peers if peer != "serial"]
    rows = []
    for row in chosen.values():
        best = {}
        for name, value in row.peers.items():
            best[split(name)[0]] = min(value, best.get(split(name)[0], value))
        rows.append([f"`{row.id}`: {row.workload}", f"{number(row.ours)} {row.unit}",
                     *cells(peers, row.ours, best, row.unit)])
    return lines(["id and workload", TITLES["ours"]] + [TITLES[peer] for peer in peers], rows)


def counts_table(counts):
    """A row for each counted case: instructions an operation, how far the runs were apart, and the peers."""
    peers = [peer for peer in TITLES if peer != "ours" and any(split(count.name)[0] == peer for count in counts)]
    rows = []
    for case in dict.fromkeys(count.case for count in counts):
        found = {count.name: count for count in counts if count.case == case}
        mine = found.pop("ours", None)
        own = ["–", "–"] if mine is None else [number(mine.instructions), f"{100 * mine.spread:.2f} %"]
        values = {name: count.instructions for name, count in found.items()}
        rows.append([f"`{case}`", CASES.get(case, ""), *own,
                     *cells(peers, mine and mine.instructions, values, "")])
    return lines(["id", "workload", TITLES["ours"], "spread"] + [TITLES[peer] for peer in peers], rows)


DOCUMENT = """# Figures
`./dev bench --write` measures them and writes this file, its picture and the table in the [README](../README.md); what is
counted and how says [benchmarks/README.md](../benchmarks/README.md).

![ours ÷ peer for each id](bench.svg)

{caption}

## Times, memory, lateness
In brackets: ours ÷ peer, so that less than 1 is less than the peer's.

{table}

## Instructions
Instructions an operation with one worker, counted by callgrind over all threads. Ours are medians of {repeats} runs, and
`spread` is the largest less the smallest of them, by the median: where several threads take part, how they alternate
differs from run to run. A locked instruction counts as one, a system call as the few in user space. A dash stands where
a program has no such case or does not run under valgrind, as Go.

{counts}
"""

README = """![ours ÷ peer for each id](docs/bench.svg)

{caption}

With two workers, timers with one; in brackets ours ÷ peer, of a peer's variants the best. [All of it](docs/bench.md): one
worker, every variant, memory, percentiles, instructions.

{table}
"""


def document(report, repeats):
    return DOCUMENT.format(caption=report.caption, table=full_table(report), repeats=repeats,
                           counts=counts_table(report.counts))


def into_readme(text, report):
    """Returns the README with a new part between its marks."""
    part = README.format(caption=report.caption, table=short_table(report))
    changed, times = re.subn(r"(?s)(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", lambda _: part, text)
    if times != 1:
        raise ValueError(f"README.md: {times} parts between <!-- bench --> and <!-- /bench -->, must be 1")
    return changed
