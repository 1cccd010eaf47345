"""Results that nobody measured: a whole run made up from a seed, for the tests of what is shown and compared."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.labels import threaded
from benchmarks.results import Latency, Measured, Results, Round, Row, Subject
from benchmarks.scenarios import SCENARIOS, Profile

SUBJECTS = ("gearfast", "gearmand", "beanstalkd", "limit")
NONE: Mapping[str, float] = {}

# name: server CPU of gearfast, gearmand, beanstalkd and limit in microseconds per job; 0: does not take part
PLAIN = {
    "submit 1 x 1": (6.8, 19.3, 6.4, 6.1),
    "submit 8 x 100": (0.37, 3.3, 1.4, 0.31),
    "drain, 1 worker of 100 k": (5.5, 30.5, 8.2, 4.3),
    "drain, 16 workers of 900 k": (5.7, 126, 7.9, 5.2),
    "round trip 1 x 1, 1 worker": (27, 71, 0, 23),
    "round trip 16 x 1, 16 workers": (19.1, 21.6, 0, 19.8),
    "round trip 8 x 16, 8 workers": (4.9, 12.7, 0, 4.7),
    "submit and drain 4 x 100, 8 workers": (3.1, 31, 6.5, 2.8),
    "round trip 1 x 1, 500 sleepers": (55, 6350, 0, 45),
    "round trip 4 x 4, 1 k functions": (11.5, 35, 0, 9.8),
    "submit 4 x 100, 300 k unique": (0.72, 33, 0, 0.55),
    "round trip 4 x 4, 64 KiB": (34, 47, 0, 33),
}
GROWTH = {
    "queue depth": ((1e4, 1e5, 1e6, 1e7), 3.1, 0.02, 9.0, 1.9),
    "functions per worker": ((1, 10, 100, 1e3, 1e4), 11.0, 0.01, 12.0, 1.6),
    "sleeping workers": ((1, 10, 100, 1e3, 5e3), 26.0, 0.02, 60.0, 4.0),
    "idle connections": ((10, 100, 1e3, 1e4), 6.9, 0.01, 19.0, 0.05),
    "delayed jobs waiting": ((0, 10, 1e3, 1e5, 1e6), 5.6, 0.01, 30.0, 2.2),
    "unique ids": ((0, 1e4, 1e5, 1e6, 3e6), 0.5, 0.05, 3.2, 1.5),
    "payload bytes": ((0, 64, 1024, 65536, 1 << 20), 5.0, 0.6, 12.0, 0.55),
}
# name: jobs per second of gearfast and gearmand, and their server CPU in microseconds per job
DURABLE = {
    "SQLite, 8 x 50": (140e3, 900, 6.2, 440),
    "SQLite, 1 x 1": (1900, 900, 190, 420),
    "SQLite, 4 x 100, 8 workers": (90e3, 480, 11.0, 830),
    "PostgreSQL, 8 x 50": (75e3, 2300, 4.9, 63),
    "MariaDB, 8 x 50": (70e3, 2300, 5.8, 76),
    "Redis, 8 x 50": (80e3, 2200, 5.1, 64),
    "Redis everysec, 8 x 50": (95e3, 13.5e3, 5.0, 47),
}
MEMORY = {
    "queued jobs of 64 B": (158, 880),
    "queued jobs with a unique id": (246, 1010),
    "idle workers": (3100, 11200),
    "10 M queued and drained": (158, 880),
}
CURVE = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99, 99.999, 100.0)


class MakesUp:
    """Makes figures up; `noise` is how far rounds lie apart, `slower` what to multiply a scenario's CPU of ours by."""

    def __init__(self, seed: int, noise: float, rounds: int, slower: Mapping[str, float], machine: float) -> None:
        self.chance = random.Random(seed)
        self.noise = noise
        self.rounds = rounds
        self.slower = slower
        self.machine = machine

    def near(self, value: float) -> float:
        return value * self.chance.uniform(1 - self.noise, 1 + self.noise)

    def played(self, subject: str, name: str, cpu: float) -> Measured:
        if not cpu:
            return Measured(subject, missing="has no words for it")
        cpu *= self.machine * (self.slower.get(name, 1.0) if subject == "gearfast" else 1.0)
        rounds = []
        for _ in range(self.rounds):
            here = self.near(cpu)
            rate = 1e6 / (here * 1.3 + 0.2)
            rounds.append(Round(100_000, 100_000 / rate, cpu=here, rate=rate))
        return Measured(subject, rounds)

    def latency(self, middle: float, tail: float) -> Latency:
        curve = []
        for percent in CURVE:
            nines = -math.log10(1 - min(percent, 99.9995) / 100)
            curve.append((percent, self.near(middle * (0.6 + 0.4 * nines) + middle * tail * max(nines - 1, 0) ** 3)))
        curve = [(percent, max(value for _, value in curve[: at + 1])) for at, (percent, _) in enumerate(curve)]
        at = dict(curve)
        return Latency(at[50.0], at[99.0], at[99.9], at[100.0], curve)

    def plain(self) -> list[Row]:
        return [
            Row(
                name,
                f"What {name} costs.",
                "plain",
                [self.played(subject, name, cpu) for subject, cpu in zip(SUBJECTS, cpus, strict=True)],
            )
            for name, cpus in PLAIN.items()
        ]

    def growth(self) -> list[Row]:
        rows = []
        for curve, (xs, ours, our_slope, stock, stock_slope) in GROWTH.items():
            for x in xs:
                part = x / xs[-1]
                name = f"{curve} {x:,.0f}"
                others = stock * (1 + 10**stock_slope * part)
                measured = [
                    self.played("gearfast", name, ours * (1 + our_slope * part)),
                    self.played("gearmand", name, others if x < 1e7 else 0),
                ]
                rows.append(Row(name, f"{curve} at {x:,.0f}.", "growth", measured, curve, x))
        return rows

    def latencies(self) -> list[Row]:
        rows = []
        for name, rate in (("latency, round trip, 8 clients, 8 workers", 22e3), ("latency, submit, 8 clients", 115e3)):
            measured = [
                Measured(
                    subject,
                    [Round(50_000, 10.0, rate=rate, latency=self.latency(middle, tail)) for _ in range(self.rounds)],
                )
                for subject, middle, tail in (
                    ("gearfast", 95.0, 0.4),
                    ("gearmand", 210.0, 2.0),
                    ("limit", 80.0, 0.3),
                )
            ]
            rows.append(Row(name, "Jobs due at a fixed rate, half of gearmand's greatest.", "latency", measured))
        return rows

    def evenly(self, value: float) -> list[float]:
        """A figure for each round, spread evenly over the noise, in any order: no two runs lie apart by chance."""
        steps = [(2 * at + 1) / self.rounds - 1 for at in range(self.rounds)]
        return [value * (1 + self.noise * step) for step in self.chance.sample(steps, len(steps))]

    def durable(self) -> list[Row]:
        rows = []
        for name, (ours, stock, *cpus) in DURABLE.items():
            slow = self.slower.get(f"durable, {name}", 1.0)
            measured = [
                Measured(
                    subject,
                    [
                        Round(1000, 1000 / many, cpu=each, rate=many, commits=self.near(6e3))
                        for each, many in zip(self.evenly(cpu), self.evenly(rate), strict=True)
                    ],
                )
                for subject, rate, cpu in zip(SUBJECTS, (ours / slow, stock), cpus, strict=False)
            ]
            rows.append(Row(f"durable, {name}", f"Jobs are kept: {name}.", "durable", measured))
        for name, middle in (("alone", 120.0), ("beside 50 k/s", 170.0)):
            latencies = (self.latency(middle, 0.3) for _ in range(self.rounds))
            rounds = [Round(3000, 1.5, rate=2000.0, latency=one) for one in latencies]
            measured = [Measured("gearfast", rounds), Measured("gearmand", missing="it is too slow")]
            rows.append(Row(f"durable, SQLite, foreground {name}", f"Foreground jobs {name}.", "durable", measured))
        for name, each, start in (("1 M jobs in memory", 130.0, 0.0), ("SQLite, 1 M jobs", 138.0, 3.2)):
            once = Round(10**6, 0.0, memory=each, fresh=28e6, start=start or None)
            rounds = [once] * self.rounds
            rows.append(Row(f"durable, {name}", f"A million: {name}.", "durable", [Measured("gearfast", rounds)]))
        return rows

    def memory(self) -> list[Row]:
        rows = []
        for name, (ours, stock) in MEMORY.items():
            measured = []
            for subject, each, kept in (("gearfast", ours, 1.2), ("gearmand", stock, 60.0)):
                fresh = self.near(24e6 if subject == "gearfast" else 9e6)
                rounds = [
                    Round(
                        10**6,
                        1.0,
                        memory=self.near(each),
                        fresh=fresh,
                        after=fresh * kept if "drained" in name else None,
                    )
                    for _ in range(self.rounds)
                ]
                measured.append(Measured(subject, rounds))
            rows.append(Row(f"memory, {name}", f"Resident memory of {name}.", "memory", measured))
        return rows

    def standstill(self) -> list[Row]:
        """Every scenario of the default profile; gearmand gets slower with the size, and once stands still for good."""
        rows = []
        for scenario in SCENARIOS:
            if scenario.group != "standstill" or scenario.since > Profile.DEFAULT:
                continue
            slow = self.slower.get(scenario.curve, 1.0)
            ours = [self.attacked(8e3 * slow) for _ in range(self.rounds)]
            stock = [self.attacked(90e3 * (scenario.x or 1.0) ** 0.3) for _ in range(self.rounds)]
            if scenario.curve == "connections full of bad packets":
                stock = [msgspec.structs.replace(one, cut="closed") for one in stock]
            if scenario.curve == "one job awaited, its progress":
                stock = [Round(10, 0.0, wait=10e6, endless=True, calm=self.latency(170.0, 0.3))]
            measured = [Measured("gearfast", ours), Measured("gearmand", stock)]
            if "gearmand" not in scenario.subjects or scenario.too_much_for("gearmand", Profile.DEFAULT):
                measured[1] = Measured("gearmand", missing="it hangs")
            rows.append(Row(scenario.name, scenario.sentence, "standstill", measured, scenario.curve, scenario.x))
        return rows

    def attacked(self, wait: float) -> Round:
        wait = self.near(wait)
        calm, felt = self.latency(150.0, 0.3), self.latency(180.0, 0.5)
        return Round(4000, 0.0, wait=wait, latency=felt, calm=calm, grown=self.near(5e6))

    def trouble(self) -> list[Row]:
        return [
            Row(
                name,
                f"What others feel of it: {name}.",
                "trouble",
                [self.played("gearfast", name, ours), self.played("gearmand", name, stock)],
            )
            for name, ours, stock in (
                ("connect, submit and hang up, 16 at a time", 38.0, 96.0),
                ("round trip 8 x 16, one deaf peer", 9.9, 17.0),
                ("round trip 8 x 16, status at 100 Hz", 11.0, 41.0),
            )
        ]


def made_up(
    seed: int = 1,
    *,
    noise: float = 0.03,
    rounds: int = 5,
    slower: Mapping[str, float] = NONE,
    machine: float = 1.0,
    commit: str = "3accf43",
    processor: str = "Imaginary 9000",
) -> Results:
    """Return a whole run; the same seed makes the same run."""
    makes = MakesUp(seed, noise, rounds, slower, machine)
    keeps = MakesUp(seed + 1000, noise, rounds, slower, machine)
    attacks = MakesUp(seed + 2000, noise, rounds, slower, machine)
    return Results(
        made="2026-08-01T12:34:56Z",
        commit=commit,
        machine={
            "processor": processor,
            "cores": "2",
            "memory": "7.8 GB",
            "kernel": "Linux 6.1.0",
            "python": "CPython 3.11.9",
            "compiler": "gcc 12.2.0",
            "pinning": "server on core 0, generator on core 1",
        },
        options={"command": "python -m benchmarks", "rounds": str(rounds)},
        subjects=[
            Subject("gearfast", "0.1.0", "python -m gearfast --listen=127.0.0.1 --log-file=none"),
            Subject("gearmand", "1.1.20", "gearmand --listen=127.0.0.1 --log-file=none"),
            Subject("beanstalkd", "1.12", "beanstalkd -l 127.0.0.1"),
            Subject("limit", "", "build/benchmarks/limit"),
        ],
        rows=[
            *makes.plain(),
            *keeps.durable(),
            *makes.growth(),
            *attacks.standstill(),
            *makes.latencies(),
            *makes.memory(),
            *makes.trouble(),
        ],
        not_measured=["TLS, and Unix sockets.", "Other machines."],
    )


def with_threads(found: Results, numbers: Sequence[int] = (1, 2, 4, 8), processors: str = "1") -> Results:
    """The run with gearfast by its threads too, evenly busy; each further one makes a job a tenth dearer."""
    rows = []
    for row in found.rows:
        measured = []
        for one in row.measured:
            busiest = 0.6 if one.subject == "gearmand" else 1.0
            measured.append(shared(one, one.subject, 1.0, busiest))
            if one.subject == "gearfast" and row.group == "plain":
                measured += [
                    shared(one, threaded("gearfast", many), 0.9 + 0.1 * many, (0.9 + 0.1 * many) / many)
                    for many in numbers
                ]
        rows.append(msgspec.structs.replace(row, measured=measured))
    options = {**found.options, "threads": ",".join(map(str, numbers))}
    machine = {**found.machine, "cores of the servers": processors}
    return msgspec.structs.replace(found, rows=rows, options=options, machine=machine)


def shared(measured: Measured, label: str, more: float, busiest: float) -> Measured:
    """The same figures for another subject: so many times the CPU, and of the old CPU what its busiest thread has."""
    rounds = [
        msgspec.structs.replace(one, cpu=one.cpu * more, busiest=one.cpu * busiest) if one.cpu else one
        for one in measured.rounds
    ]
    return msgspec.structs.replace(measured, subject=label, rounds=rounds)
