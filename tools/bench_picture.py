"""The picture of a run: for each figure the ratios ours ÷ peer as dots on a logarithmic axis, as an SVG."""
import math
from xml.sax.saxutils import escape

import bench_table

WIDTH, LEFT, RIGHT, ROW = 880, 214, 24, 22
LANES = {1: (0.0,), 2: (-4.5, 4.5)}  # where the dots of a row's numbers of workers lie
CAPTION_CHARACTERS = 132
HEADING = "What orchestrate takes ÷ what a peer takes: time, CPU, memory, lateness"
COLORS = {  # of each program, on a light and on a dark ground
    "serial": ("#6e7781", "#8b949e"), "onetbb": ("#0969da", "#58a6ff"), "go": ("#1a7f37", "#3fb950"),
    "rust": ("#bc4c00", "#f0883e"), "asio": ("#8250df", "#bc8cff"), "libuv": ("#bf3989", "#f778ba"),
}
GROUND = {"ground": ("#ffffff", "#0d1117"), "band": ("#f6f8fa", "#161b22"), "ahead": ("#1a7f37", "#3fb950"),
          "grid": ("#d8dee4", "#30363d"), "one": ("#57606a", "#8b949e"), "text": ("#1f2328", "#e6edf3"),
          "quiet": ("#57606a", "#9198a1")}
# A shape of its own for each program: colours alone do not tell them apart for everyone.
SHAPES = {
    "serial": "M-4.2 0H4.2M0 -4.2V4.2", "onetbb": "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0Z",
    "go": "M-3.3 -3.3H3.3V3.3H-3.3Z", "rust": "M0 -4.6L4.6 0L0 4.6L-4.6 0Z", "asio": "M0 -4.4L4.3 3.4H-4.3Z",
    "libuv": "M0 4.4L4.3 -3.4H-4.3Z",
}
SHAPES["key"] = SHAPES["onetbb"]  # of the legend of workers


def colors(which):
    """The rules that give everything its colour; no variables, which not every viewer knows."""
    of = {name: pair[which] for name, pair in GROUND.items()}
    peers = [f".{name} {{ stroke: {pair[which]}; fill: {pair[which]}; }}" for name, pair in COLORS.items()]
    return "\n".join([
        f"text {{ fill: {of['text']}; }} .quiet {{ fill: {of['quiet']}; }}",
        f".ground {{ fill: {of['ground']}; }} .band {{ fill: {of['band']}; }} .ahead {{ fill: {of['ahead']}; }}",
        f".grid, .faint {{ stroke: {of['grid']}; }} .one {{ stroke: {of['one']}; }}",
        *peers, f".key {{ stroke: {of['one']}; fill: {of['one']}; }}", ".dot.few { fill: none; }"])


def style():
    """Light by default, dark where the reader prefers it."""
    return f"""text {{ font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }}
text.id {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
text.small {{ font-size: 11px; }}
.ahead {{ fill-opacity: 0.08; }} .faint {{ stroke-opacity: 0.4; }}
.one {{ stroke-width: 1.5; }} .dot {{ stroke-width: 1.4; }}
{colors(0)}
@media (prefers-color-scheme: dark) {{
{colors(1)}
}}"""


def dots_of(report):
    """Returns {id: dots} in the order of the table; a figure without any ratio above 0 has no dots."""
    found = {}
    for row in bench_table.in_order(report.rows):
        for name, value in row.peers.items():
            if row.ours and value:
                workers = "1 worker" if row.workers == 1 else f"{row.workers} workers"
                text = f"{row.id}, {workers}, {name}: {bench_table.ratio(row.ours, value)}"
                found.setdefault(row.id, []).append({"name": bench_table.split(name)[0], "value": row.ours / value,
                                                     "workers": row.workers, "text": text})
    return found


class Axis:
    """Logarithmic, from below the least to above the largest ratio, with 1 among them."""

    def __init__(self, values):
        steps = [factor * 10.0 ** power for power in range(-4, 5) for factor in (1, 2, 5)]
        self.low = max(step for step in steps if step <= min(values + [0.5]) * 0.9 or step == steps[0])
        self.high = min(step for step in steps if step >= max(values + [2.0]) * 1.1 or step == steps[-1])
        self.ticks = [step for step in steps if self.low <= step <= self.high]

    def x(self, value):
        share = math.log(min(max(value, self.low), self.high) / self.low) / math.log(self.high / self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def text(x, y, words, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    anchor = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{anchor}>{escape(words)}</text>'


def shape(x, y, name, is_few, title=""):
    kind = f"dot {name} few" if is_few else f"dot {name}"
    inside = f"<title>{escape(title)}</title>" if title else ""
    return f'<path class="{kind}" transform="translate({x:.1f} {y:.1f})" d="{SHAPES[name]}">{inside}</path>'


def wrapped(words, width):
    lines = [""]
    for word in words.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def legend(report, counts, y):
    """The peers, and how the numbers of workers are told apart."""
    parts, x = [], float(LEFT)
    for peer in (peer for peer in report.peers if peer in COLORS):
        name = bench_table.TITLES[peer]
        parts += [shape(x + 5, y - 4, peer, False), text(x + 14, y, name)]
        x += 34 + 7.2 * len(name)
    if len(counts) > 1:
        x += 14
        for count in counts:
            words = "1 worker" if count == 1 else f"{count} workers"
            parts += [shape(x + 5, y - 4, "key", count == counts[0]), text(x + 14, y, words)]
            x += 34 + 7.2 * len(words)
    return parts


def scale(axis, top, bottom):
    """The grid with its labels above and below, and the line where both are equal."""
    parts = [f'<rect class="ahead" x="{axis.x(axis.low):.1f}" y="{top}" width="{axis.x(1) - axis.x(axis.low):.1f}" '
             f'height="{bottom - top}"/>']
    for tick in axis.ticks:
        x, digit = axis.x(tick), f"{tick:.0e}"[0]
        kind = "one" if tick == 1 else "grid" if digit == "1" else "faint"
        parts.append(f'<line class="{kind}" x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}"/>')
        if digit == "1" or 0.1 < tick < 10:  # all of them would touch each other
            parts += [text(x, y, f"{tick:g}", "small quiet", "middle") for y in (top - 7, bottom + 16)]
    return parts


def rows(found, counts, axis, top):
    parts = []
    for index, (name, dots) in enumerate(found.items()):
        middle = top + ROW * index + ROW / 2
        parts.append(text(LEFT - 12, middle + 4, name, "id", "end"))
        here = sorted({dot["workers"] for dot in dots})
        lanes = LANES.get(len(here), tuple(0.0 for _ in here))
        for dot in dots:
            y = middle + lanes[here.index(dot["workers"])]
            parts.append(shape(axis.x(dot["value"]), y, dot["name"], len(counts) > 1 and dot["workers"] == counts[0],
                               dot["text"]))
    return parts


def picture(report):
    """Returns the SVG; the same report gives the same text."""
    found = dots_of(report)
    counts = sorted({dot["workers"] for dots in found.values() for dot in dots})
    axis = Axis([dot["value"] for dots in found.values() for dot in dots])
    top, caption = 106, wrapped(report.caption, CAPTION_CHARACTERS)
    bottom = top + ROW * len(found)
    height = bottom + 40 + 16 * len(caption)
    bands = [f'<rect class="band" x="0" y="{top + ROW * index}" width="{WIDTH}" height="{ROW}"/>'
             for index in range(0, len(found), 2)]
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
             f'<title id="title">{HEADING}</title>',
             f"<style>\n{style()}\n</style>", f'<rect class="ground" width="{WIDTH}" height="{height}" rx="6"/>',
             text(LEFT, 28, HEADING), *legend(report, counts, 54),
             text(axis.x(1) - 10, 80, "← orchestrate takes less", "small quiet", "end"),
             text(axis.x(1) + 10, 80, "the peer takes less →", "small quiet"),
             *bands, *scale(axis, top, bottom), *rows(found, counts, axis, top),
             *[text(16, bottom + 44 + 16 * index, line, "small quiet") for index, line in enumerate(caption)], "</svg>"]
    return "\n".join(parts) + "\n"
