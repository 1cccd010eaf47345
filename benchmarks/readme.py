"""`python -m benchmarks readme [RESULTS.json]`: the table and the picture of README, made from a results file.

The file is kept as benchmarks/results.json, so that README, its pictures and what they were made from go together.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks import figures, results, threads
from benchmarks.figures import CAPACITY, COMMITS, CPU, LIMIT, MEMORY, OURS, P99, RATE, START, STOCK, Figure
from benchmarks.labels import counted, threaded
from benchmarks.results import Results, Row
from benchmarks.table import named, where

ROOT = Path(__file__).resolve().parent.parent
KEPT = Path("benchmarks/results.json")
PICTURES = Path("docs/pictures")
BEGIN, END = "<!-- benchmarks:begin -->", "<!-- benchmarks:end -->"
SHOWN = {"bars": "benchmarks", "threads": "threads"}
"""pictures of a run, and the files that README has of them"""
PHONE_PIXELS = 600
COLUMNS = 128

Files = dict[str, str]


def main(argv: Sequence[str], root: Path = ROOT) -> int:
    """Rewrite README's section, its pictures and the kept results; return 0, or 2 for a bad file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks readme", description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=root / KEPT, metavar="RESULTS.json")
    asked = parser.parse_args(argv)
    try:
        found = results.read(asked.results)
        text = rewritten((root / "README.md").read_text(encoding="utf-8"), section(found))
    except OSError as error:
        print(f"readme: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"readme: {error}", file=sys.stderr)
        return 2
    (root / PICTURES).mkdir(parents=True, exist_ok=True)
    for name, drawing in drawn(found).items():
        (root / PICTURES / name).write_text(drawing, encoding="utf-8")
    results.save(found, root / KEPT)
    (root / "README.md").write_text(text, encoding="utf-8")
    return 0


def rewritten(text: str, section: str) -> str:
    """Return README with that section between its markers. Raises ValueError when it has no markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no lines {BEGIN} and {END}")
    return before + section + after


def section(found: Results) -> str:
    """Return README's section, markers included. Raises ValueError when no plain scenario was measured."""
    rows = [row for row in found.rows if row.group == "plain" and CPU.spread(row, OURS)]
    if not rows:
        raise ValueError(f"no plain scenario of {OURS} was measured in that run")
    stored = [row for row in found.rows if row.group == "durable" and RATE.spread(row, OURS) and CPU.spread(row, OURS)]
    return "\n".join(
        [
            BEGIN,
            _picture("benchmarks", "Bars: server CPU per job in each scenario of the table below"),
            "",
            f"| server CPU per job | {OURS} | {STOCK} | {OURS} / {STOCK} | limit |",
            "|---|--:|--:|--:|--:|",
            *map(_line, rows),
            "",
            *_by_threads(found),
            *(_durable(stored) if stored else ()),
            *_promises(found),
            _origin(found, rows),
            END,
        ]
    )


def drawn(found: Results) -> Files:
    """Return README's pictures, by file name; each carries the digest of the results."""
    from benchmarks.paper import DARK, LIGHT
    from benchmarks.pictures import pictures

    files = {}
    for columns, size in ((2, ""), (1, "-phone")):
        for picture in pictures(found, columns):
            name = SHOWN.get(picture.name.removesuffix(str(columns)))
            for ink, ground in ((LIGHT, ""), (DARK, "-dark")) if name else ():
                files[f"{name}{size}{ground}.svg"] = picture.svg(ink, note=digest(found))
    return files


def digest(found: Results) -> str:
    """Return what tells these results from any others."""
    return hashlib.sha256(msgspec.json.encode(found)).hexdigest()[:16]


def _line(row: Row) -> str:
    cells = [row.name]
    for subject in (OURS, STOCK):
        spread = CPU.spread(row, subject)
        cells.append(figures.microseconds(spread.median) if spread else "-")
    against = CPU.ratio(row, OURS, STOCK)
    least = CPU.spread(row, LIMIT)
    cells += [figures.ratio(against.median) if against else "-"]
    cells += [figures.microseconds(least.median) if least else "-"]
    return f"| {' | '.join(cells)} |"


def _picture(name: str, alt: str) -> str:
    """Show a picture as it fits the reader's screen."""
    # in one line: what a renderer of Markdown makes of HTML over several lines differs
    sources = "".join(
        f'<source media="{media}" srcset="{PICTURES}/{name}{kind}.svg">'
        for media, kind in (
            (f"(max-width: {PHONE_PIXELS}px) and (prefers-color-scheme: dark)", "-phone-dark"),
            (f"(max-width: {PHONE_PIXELS}px)", "-phone"),
            ("(prefers-color-scheme: dark)", "-dark"),
        )
    )
    return f'<picture>{sources}<img src="{PICTURES}/{name}.svg" alt="{alt}"></picture>'


def _by_threads(found: Results) -> list[str]:
    """Return what more threads can do, as far as it was measured."""
    rows = threads.rows_of(found)
    if not rows:
        return []
    each = sorted({number for row in rows for number in threads.numbers(row)})
    heads = [*(counted(number) for number in each), STOCK, LIMIT, f"all CPU, {each[-1]} to 1"]
    return [
        _picture("threads", "Curves: what the busiest thread could do, as there are more of them, in each scenario"),
        "",
        f"| capacity, jobs per second | {' | '.join(heads)} |",
        f"|---|{'--:|' * len(heads)}",
        *(_capacities(row, each) for row in rows),
        "",
        _filled(threads.bounds(found)),
        "",
    ]


def _capacities(row: Row, each: Sequence[int]) -> str:
    subjects = [*(threaded(OURS, number) for number in each), STOCK, LIMIT]
    spreads = [CAPACITY.spread(row, subject) for subject in subjects]
    total = threads.ratio_to_one(CPU, row, threaded(OURS, each[-1]))
    cells = [figures.rate(spread.median) if spread else "-" for spread in spreads]
    return f"| {' | '.join([row.name, *cells, figures.factor(total.median) if total else '-'])} |"


def _durable(rows: Sequence[Row]) -> list[str]:
    """Return the table of the jobs that are kept in a store."""
    return [
        f"| durable jobs per second | {OURS} | {STOCK} | {OURS} / {STOCK} | CPU per job | of {STOCK} |",
        "|---|--:|--:|--:|--:|--:|",
        *map(_stored, rows),
        "",
    ]


def _stored(row: Row) -> str:
    cells = [row.name.removeprefix("durable, ")]
    for subject in (OURS, STOCK):
        spread = RATE.spread(row, subject)
        cells.append(figures.rate(spread.median) if spread else "-")
    against = RATE.ratio(row, OURS, STOCK)
    cells.append(figures.factor(against.median) if against else "-")
    for subject in (OURS, STOCK):
        spread = CPU.spread(row, subject)
        cells.append(figures.microseconds(spread.median) if spread else "-")
    return f"| {' | '.join(cells)} |"


def _promises(found: Results) -> list[str]:
    """Say what the durable queue costs besides, as far as it was measured."""
    rows = {row.name: row for row in found.rows if row.group == "durable"}

    def of(figure: Figure, name: str) -> str:
        spread = figure.spread(rows[name], OURS) if name in rows else None
        return figure.write(spread.median) if spread else ""

    disk = of(COMMITS, "durable, SQLite, 8 x 50")
    alone, beside = of(P99, "durable, SQLite, foreground alone"), of(P99, "durable, SQLite, foreground beside 50 k/s")
    memory, start = of(MEMORY, "durable, SQLite, 1 M jobs"), of(START, "durable, SQLite, 1 M jobs")
    bare = of(MEMORY, "durable, 1 M jobs in memory")
    said = [
        disk and f"The disk commits {disk} by itself.",
        alone
        and beside
        and f"Of 100 foreground round trips 99 take at most {beside} while 50,000 durable jobs come "
        f"in each second, {alone} without them.",
        start and f"A server killed with a million jobs in SQLite listens again, with all of them, after {start}.",
        memory and bare and f"Each takes {memory} of memory, {bare} without a store.",
    ]
    return [_filled(" ".join(filter(None, said))), ""] if any(said) else []


def _filled(text: str) -> str:
    return textwrap.fill(text, COLUMNS, break_long_words=False, break_on_hyphens=False)


def _origin(found: Results, rows: Sequence[Row]) -> str:
    """Say when, where and how it was measured."""
    stock = next((named(subject) for subject in found.subjects if subject.label == STOCK), STOCK)
    rounds = max(len(measured.rounds) for row in rows for measured in row.measured)
    profile = found.options.get("profile", "default")
    words = f" ARGS=--threads={found.options['threads']}" if found.options.get("threads") else ""
    how = f"`make bench{words}`" if profile == "default" else f"the {profile} profile of `make bench{words}`"
    said = (
        f"Medians of {rounds} rounds, measured on {found.made[:10]} with {how} at commit {found.commit}, beside "
        f"{stock}, on {', '.join(where(found))}. All figures: [{KEPT}]({KEPT})."
    )
    return _filled(said)
