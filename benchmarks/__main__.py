"""`python -m benchmarks`: what a job costs the server, and what it costs others; the table, the file, the report."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.options import Options
    from benchmarks.results import Results, Subject
    from benchmarks.runner import Runner

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "bench"
NEEDED = ("msgspec", "rich", "matplotlib", "jinja2", "Cython")
COMMANDS = ("compare", "readme", "micro", "report", "lateness", "threads")
OK, FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


def main(words: Sequence[str]) -> int:
    """Do what the command line asks for; return the exit status."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return complain(f"missing {', '.join(missing)}: make bench, or pip install 'gearfast[bench]'")
    if not words or words[0] not in COMMANDS:
        return measure(words)
    if words[0] == "report":
        return report_again(words[1:])
    return int(importlib.import_module(f"benchmarks.{words[0]}").main(list(words[1:])) or OK)


def complain(message: str) -> int:
    """Say what is wrong and what to do."""
    print(f"benchmarks: {message}", file=sys.stderr)
    return UNUSABLE


def report_again(words: Sequence[str]) -> int:
    """Show a results file as its run did."""
    from benchmarks.results import BadResultsError, read

    if len(words) != 1:
        return complain("say which file: python -m benchmarks report build/bench/results-<time>.json")
    path = Path(words[0])
    try:
        results = read(path)
    except (OSError, BadResultsError) as error:
        return complain(str(error))
    show(results, path.with_suffix(".html"))
    return OK


def measure(words: Sequence[str]) -> int:
    """Run the scenarios that are asked for."""
    from benchmarks.options import parse

    options = parse(words)
    try:
        scenarios = options.scenarios()
    except ValueError as error:
        return complain(str(error))
    if options.listing:
        print("\n".join(f"{one.group:10} {one.name}\n           {one.sentence}" for one in scenarios))
        return OK
    from benchmarks.build import BuildFailed, build

    try:
        build()
    except BuildFailed as error:
        return complain(f"cannot be built. Is there a C compiler (apt install gcc python3-dev)?\n{error}")
    from benchmarks.plan import UnusableError, plan

    try:
        return play(options, *plan(options, scenarios))
    except UnusableError as error:
        return complain(str(error))


def play(options: Options, runner: Runner, subjects: list[Subject]) -> int:
    """Play everything; keep and show what there is, also after an interrupt."""
    from benchmarks.figures import is_ours
    from benchmarks.plan import estimate, results
    from benchmarks.progress import Progress
    from benchmarks.results import save

    for subject in subjects:
        if subject.missing:
            print(f"{subject.label} is left out, {subject.missing}", file=sys.stderr)
    for name, reason in runner.missing_stores.items():
        print(f"{name} is left out, {reason}", file=sys.stderr)
    print(f"{runner.measurements()} measurements, about {estimate(runner)}", file=sys.stderr)
    began, interrupted = time.monotonic(), False
    try:
        with Progress() as progress:
            runner.run(progress)
    except KeyboardInterrupt:
        interrupted = True
    found = results(options, runner, subjects, time.monotonic() - began, interrupted)
    path = options.json or PLACE / f"results-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(found, path)
    print(f"Results: {path}")
    show(found, options.html or path.with_suffix(".html"))
    for failure in runner.failures:
        word = "FAILED" if failure.surprises else "did not come through"
        print(f"{word}: {failure.scenario}: {failure.label}: {failure.message}", file=sys.stderr)
    if any(failure.wrong or is_ours(failure.label) for failure in runner.failures):
        return FAILED
    return INTERRUPTED if interrupted else OK


def show(results: Results, html: Path) -> None:
    """Print the tables, the bars if they were asked for, and write the report."""
    from benchmarks import bars, table

    table.show(results)
    if results.options.get("bars"):
        bars.show(results)
    if results.rows:
        from benchmarks import report  # last: matplotlib takes its time

        report.write(results, html)
        print(f"Report:  {html}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
