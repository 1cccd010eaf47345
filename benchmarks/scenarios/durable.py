"""Durable queues: what it costs, and how long it takes, to keep jobs in a store before they are acknowledged.

Every job has a unique id of its own: gearmand keeps jobs that have none under one key, and loses or refuses the rest.
Both servers have the same settings of the store, on the same disk. How many jobs are played is a matter of the time:
the rates and the CPU per job do not depend on it.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from benchmarks.latency import latency
from benchmarks.results import Round
from benchmarks.scenarios.scenario import GEARMAN, Play, Profile, Scenario, TooMuch, submit, submit_and_drain
from benchmarks.trial import TooSlowError, Trial

UNIQUE = 36
ROUND_TRIPS = 2_000.0
"""foreground jobs per second: few enough that they never wait for each other"""
FLOW = 50_000.0
"""background jobs per second that are stored meanwhile"""
KEPT_UP = 0.9
"""of them, answered in time; what is under way at the end is not counted"""
FILL_IN_FLIGHT = 2_000
"""per client: a store has the most to do at once, and filling takes the least"""
TOO_SLOW = {"gearmand": TooMuch("it stores far fewer jobs a second")}
MEASURED = {"gearmand": TooMuch("it is measured with fewer jobs under Memory")}


def foreground(beside: float = 0.0) -> Play:
    """Foreground jobs at a fixed rate, alone or while background jobs are stored."""

    def play(trial: Trial) -> Round:
        trial.load.workers(8)
        trial.load.clients(8, foreground=True)
        if beside:
            trial.load.beside(8, rate=beside, unique=UNIQUE)
        done, outcome = replace(trial, pace=ROUND_TRIPS).paced()
        stored = sum(count for _, count in outcome.beside) / outcome.seconds
        if stored < KEPT_UP * beside:
            raise TooSlowError(f"stored only {stored:,.0f} of {beside:,.0f} jobs per second")
        return Round(done.jobs, done.seconds, rate=done.rate, latency=latency(outcome.latencies), beside=stored or None)

    return play


def kept(jobs: int, *, replayed: bool = False) -> Play:
    """Resident bytes per job in the queue; then the server is killed, and started again on what it kept."""

    def play(trial: Trial) -> Round:
        many = min(jobs, trial.budget.jobs)
        fresh = trial.tree.resident()
        trial.fill(many, in_flight=FILL_IN_FLIGHT)
        done = Round(many, 0.0, memory=(trial.tree.resident() - fresh) / many, fresh=float(fresh))
        return msgspec.structs.replace(done, start=trial.restart()) if replayed else done

    return play


def submitting(store: str, clients: int, in_flight: int, since: Profile, besides: float = 0.0) -> Scenario:
    """Return the scenario of background jobs that are submitted and stored."""
    many = f"{clients} clients submit" if clients > 1 else "One client submits"
    much = f"each with {in_flight} unanswered" if in_flight > 1 else "one at a time"
    return Scenario(
        f"durable, {store}, {clients} x {in_flight}",
        f"{many} background jobs, {much}; each is answered when it is in {SAID[store]}.",
        "durable",
        submit(clients, in_flight, unique=UNIQUE),
        200_000 * clients,
        GEARMAN,
        since,
        store=store,
        besides=besides,
    )


SAID = {
    "SQLite": "an SQLite file and on the disk",
    "PostgreSQL": "PostgreSQL (fsync on)",
    "MariaDB": "MariaDB (InnoDB, flushed at each commit)",
    "Redis": "Redis (appendonly yes, appendfsync always)",
    "Redis everysec": "Redis (appendonly yes, appendfsync everysec)",
}

SCENARIOS = (
    submitting("SQLite", 8, 50, Profile.QUICK),
    submitting("SQLite", 1, 1, Profile.QUICK),
    Scenario(
        "durable, SQLite, 4 x 100, 8 workers",
        "4 clients submit background jobs, each with 100 unanswered, while 8 workers take and complete them; a job is "
        "answered when it is on the disk, or done.",
        "durable",
        submit_and_drain(4, 100, 8, unique=UNIQUE),
        1_000_000,
        GEARMAN,
        store="SQLite",
    ),
    Scenario(
        "durable, SQLite, foreground alone",
        f"Foreground jobs of 8 clients are due {ROUND_TRIPS:,.0f} times a second; 8 workers. Nothing is stored.",
        "durable",
        foreground(),
        1_000_000,
        GEARMAN,
        Profile.DEFAULT,
        store="SQLite",
    ),
    Scenario(
        f"durable, SQLite, foreground beside {FLOW / 1000:.0f} k/s",
        f"The same, while 8 other clients submit {FLOW:,.0f} background jobs a second that are stored.",
        "durable",
        foreground(FLOW),
        1_000_000,
        GEARMAN,
        Profile.DEFAULT,
        store="SQLite",
        too_much=TOO_SLOW,
    ),
    submitting("PostgreSQL", 8, 50, Profile.DEFAULT, 1.3),
    submitting("MariaDB", 8, 50, Profile.DEFAULT, 1.6),
    submitting("Redis", 8, 50, Profile.DEFAULT, 0.2),
    submitting("Redis everysec", 8, 50, Profile.DEFAULT, 0.2),
    Scenario(
        "durable, 1 M jobs in memory",
        "Resident memory per queued job of 64 bytes without a unique id; a million are queued, without a store.",
        "durable",
        kept(1_000_000),
        1_000_000,
        GEARMAN,
        Profile.DEFAULT,
        too_much=MEASURED,
        most_rounds=3,
        besides=2.5,
    ),
    *(
        Scenario(
            f"durable, {store}, 1 M jobs",
            f"The same million in {SAID[store]}. Then the server is killed and started again: until it listens.",
            "durable",
            kept(1_000_000, replayed=True),
            1_000_000,
            GEARMAN,
            Profile.DEFAULT if store == "SQLite" else Profile.FULL,
            store=store,
            too_much=TOO_SLOW,
            most_rounds=3,
            besides=18.0,
        )
        for store in ("SQLite", "PostgreSQL", "MariaDB", "Redis")
    ),
)
