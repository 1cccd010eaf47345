"""`python -m benchmarks.growth`: jobs per second with 1, 2, 4, 8 threads, on a machine that has the cores for them.

It builds nothing and takes the checkout as it is (`make build` and `python -m benchmarks.build` before). The server's
threads run on some cores, the load on the others: a process on each. What comes out is one JSON file, which
`python -m benchmarks threads` and `report` show again, and one table; it is over after the seconds that it is given.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks import columns, table, threads, told
from benchmarks.figures import LIMIT, is_ours
from benchmarks.labels import threads_of
from benchmarks.loads import LoadError, Loads
from benchmarks.machine import ROOT, commit, machine
from benchmarks.meter import Meter
from benchmarks.options import threads as numbers
from benchmarks.plan import words as without_places
from benchmarks.processes import Cores, allow_open_files
from benchmarks.results import Measured, Results, Round, Row, Subject, save
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.subjects import Gearfast, Gearmand, Limit, MissingError, StartError
from benchmarks.subjects import Subject as Server
from benchmarks.subjects.subject import free_port
from benchmarks.topology import Split, cores, split

LONGEST = 330.0
"""seconds, in all: six minutes with a server that is slow to start at the end"""
ROUNDS = 3
BESIDES = 1.2
"""seconds of a measurement in which nothing is counted: start, connections, warmth; measured on two busy cores"""
LEAST, MOST = 0.1, 3.0
"""seconds that are counted in one measurement"""
JOBS = 8_000_000
"""at most, in one measurement: a server keeps what is submitted"""
PLAYED = (
    "submit 8 x 100",
    "round trip 16 x 1, 16 workers",
    "round trip 8 x 16, 8 workers",
    "submit and drain 4 x 100, 8 workers",
    "round trip 4 x 4, 64 KiB",
)
SERVERS: Mapping[str, type[Gearfast | Gearmand]] = {"gearfast": Gearfast, "gearmand": Gearmand}


@dataclass
class Growth:
    """One run; what it has found so far is in `found` and `failed`, also after an interrupt."""

    servers: Mapping[str, Server]
    """those that can be measured, by label"""
    scenarios: Sequence[Scenario]
    split: Split
    rounds: int
    seconds: float
    """for everything"""
    found: dict[str, dict[str, list[Round]]] = field(default_factory=dict)
    """scenario: label: a figure per round"""
    failed: dict[tuple[str, str], str] = field(default_factory=dict)
    """scenario and label: how"""
    played: int = 0
    """whole rounds"""

    @property
    def once(self) -> float:
        """Seconds that are counted in one measurement, for the whole to be over in time."""
        each = self.seconds / (len(self.servers) * len(self.scenarios) * self.rounds) - BESIDES
        return min(max(each, LEAST), MOST)

    def run(self) -> None:
        """Play every round of every scenario with all servers in turn, as long as there is time."""
        over = time.monotonic() + self.seconds
        labels = list(self.servers)
        for number in range(self.rounds):
            for scenario in self.scenarios:
                for at in range(len(labels)):
                    label = labels[(number + at) % len(labels)]
                    if time.monotonic() + self.once + BESIDES > over:
                        return
                    self._measure(scenario, label, over)
            self.played += 1
            print(f"round {number + 1} of {self.rounds} is done", file=sys.stderr)

    def _measure(self, scenario: Scenario, label: str, over: float) -> None:
        if (scenario.name, label) in self.failed:
            return
        server = self.servers[label]
        try:
            done = self._played(scenario, server, over)
        except (LoadError, StartError, ProcessLookupError) as error:
            why = f"{error} {server.death()}".strip()
            self.failed[scenario.name, label] = why
            print(f"FAILED: {scenario.name}: {label}: {why}", file=sys.stderr)
        else:
            self.found.setdefault(scenario.name, {}).setdefault(label, []).append(done)
        finally:
            server.kill()  # politeness takes its time, with millions of jobs

    def _played(self, scenario: Scenario, server: Server, over: float) -> Round:
        """Start a server, have the loads play, and return what they did and what it took."""
        port, where = free_port(), self.split
        on = Cores.given(where.servers[: max(server.threads, 1)], where.loads)
        tree = server.start(port, on)
        limit = max(over - time.monotonic(), 1.0)
        loads = Loads(scenario.name, port, where.loads, JOBS, self.once, spin=on.pinned, limit=limit)
        try:
            loads.ready()
            before = told.ask(port) if server.program != LIMIT else ""
            meter = Meter(tree)
            done = loads.play()
            used, each = meter.used(), 1e6 / max(done.jobs, 1)
            after = told.ask(port) if before else ""
        finally:
            loads.end()
        return Round(
            done.jobs,
            done.seconds,
            cpu=used.total * each,
            busiest=None if used.busiest is None else used.busiest * each,
            threads={name: spent * each for name, spent in used.threads.items()},
            rate=done.jobs / done.seconds,
            told=[before, after] if before else [],
        )

    def rows(self) -> list[Row]:
        """Return all that was found."""
        return [
            Row(scenario.name, scenario.sentence, scenario.group, [self._of(scenario, label) for label in self.servers])
            for scenario in self.scenarios
        ]

    def _of(self, scenario: Scenario, label: str) -> Measured:
        if why := self.failed.get((scenario.name, label)):
            return Measured(label, missing=why)
        rounds = self.found.get(scenario.name, {}).get(label, [])
        return Measured(label, rounds, "" if rounds else "the time was over")


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    made.add_argument("--threads", type=numbers, default=(1, 2, 4, 8), metavar="LIST", help="default: 1,2,4,8")
    made.add_argument(
        "--servers", default=",".join(SERVERS), metavar="LIST", help="each with as many threads (default: %(default)s)"
    )
    made.add_argument("--gearfast", metavar="PATH", help="another gearfast than that of this tree")
    made.add_argument("--gearmand", metavar="PATH", help="another gearmand than Debian's")
    made.add_argument("--only", action="append", default=[], metavar="TEXT", help="part of a scenario's name; repeat")
    made.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="per scenario (default: %(default)s)")
    made.add_argument("--loads", type=int, default=0, metavar="N", help="processes (default: as many as are of use)")
    made.add_argument(
        "--seconds", type=float, default=LONGEST, metavar="S", help="for everything, at most (default: %(default)g)"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="default: build/bench/growth-<time>.json")
    return made


def main(argv: Sequence[str]) -> int:
    """Measure, write the file, print the table; return 0, 1 where a server failed, 2 when nothing can be measured."""
    made = parser()
    asked = made.parse_args(argv)
    if asked.rounds < 1 or not 0 < asked.seconds <= LONGEST or asked.loads < 0:
        made.error(f"at least one round, at most {LONGEST:.0f} seconds, and no fewer loads than none")
    names = [name.strip() for name in asked.servers.split(",")]
    if set(names) - SERVERS.keys():
        made.error(f"argument --servers: choose from {', '.join(SERVERS)}")
    if importlib.util.find_spec("benchmarks.load") is None:
        return complain("the load generator is not built: python -m benchmarks.build")
    scenarios = chosen(asked.only)
    if not scenarios:
        return complain(f"no plain scenario has {' or '.join(map(repr, asked.only))} in its name")
    paths = {"gearfast": asked.gearfast, "gearmand": asked.gearmand}
    servers, stated = there([SERVERS[name](paths[name], many) for name in names for many in asked.threads])
    for subject in stated:
        if subject.missing:
            print(f"{subject.label} is left out: {subject.missing}", file=sys.stderr)
    if not any(map(threads_of, servers)):
        return complain("no server is left")
    allow_open_files()
    run = Growth(servers, scenarios, split(cores(), max(asked.threads), asked.loads), asked.rounds, asked.seconds)
    try:
        run.run()
    except KeyboardInterrupt:
        print("interrupted: what was found until now", file=sys.stderr)
    words = " ".join(["python -m benchmarks.growth", *argv])
    found = results(run, stated, words)
    path = asked.json or ROOT / "build" / "bench" / f"growth-{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(found, path)
    print(f"Results: {path}")
    show(found)
    return 1 if any(is_ours(label) for _, label in run.failed) else 0


def complain(message: str) -> int:
    """Say what is wrong."""
    print(f"growth: {message}", file=sys.stderr)
    return 2


def chosen(only: Sequence[str]) -> list[Scenario]:
    """Return the scenarios whose names have any of the texts; without texts, those that keep threads busy."""
    if not only:
        return [scenario for scenario in SCENARIOS if scenario.name in PLAYED]
    plain = [scenario for scenario in SCENARIOS if scenario.group == "plain"]
    return [scenario for scenario in plain if any(text.lower() in scenario.name.lower() for text in only)]


def there(asked: Sequence[Server]) -> tuple[dict[str, Server], list[Subject]]:
    """Return the servers that can be measured, the limit among them, and what the file says of all."""
    found: dict[str, Server] = {}
    stated = []
    for server in (*asked, Limit()):
        try:
            program = server.find()
            if refusal := server.refusal(program):
                raise MissingError(refusal)
        except MissingError as error:
            stated.append(Subject(server.label, missing=str(error)))
            continue
        found[server.label] = server
        stated.append(Subject(server.label, server.version(program), without_places(server.command(program, "PORT"))))
    return found, stated


def results(run: Growth, stated: list[Subject], command: str) -> Results:
    """Return all that is kept of a run."""
    where = Cores.given(run.split.servers, run.split.loads)
    missing = [f"{one.label}: {one.missing}." for one in stated if one.missing]
    if run.played < run.rounds:
        missing.append(f"All rounds: {run.played} of {run.rounds} were played before the time was over.")
    return Results(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        machine={**machine(where), "cores, by their processors": "; ".join(map(str, cores()))},
        options={
            "command": command,
            "rounds": str(run.rounds),
            "loads": str(len(run.split.loads)),
            "seconds": f"{run.once:.2f} in each measurement",
        },
        subjects=stated,
        rows=run.rows(),
        not_measured=missing,
    )


def show(found: Results) -> None:
    """Print what was found."""
    console = Console(highlight=False)
    console.print("\n".join([*table.header(found), found.machine["pinning"]]), markup=False)
    for one in threads.tables(found) or table.tables(found):
        console.print(columns.text(one, narrow=console.width < columns.NARROW), end="")
    for line in (*told.lines(found), *(f"Not measured: {sentence}" for sentence in found.not_measured)):
        console.print(line, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
