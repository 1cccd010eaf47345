"""Memory: what a queued job and an idle worker take, and what is given back."""

from __future__ import annotations

from benchmarks.results import Round
from benchmarks.scenarios.scenario import ALL, GEARMAN, PLAIN, Play, Profile, Scenario, TooMuch, short
from benchmarks.trial import Trial


def queued(jobs: int, *, unique: int = 0) -> Play:
    """Resident bytes per job in the queue."""

    def play(trial: Trial) -> Round:
        fresh = trial.tree.resident()
        trial.fill(jobs, unique=unique)
        return Round(jobs, 0.0, memory=(trial.tree.resident() - fresh) / jobs, fresh=float(fresh))

    return play


def drained(jobs: int) -> Play:
    """Resident bytes after a queue was worked off; its workers have left."""

    def play(trial: Trial) -> Round:
        fresh = trial.tree.resident()
        trial.fill(jobs)
        full = trial.tree.resident()
        trial.load.workers(16)
        outcome = trial.load.run(jobs)
        trial.load.hang_up()
        each = (full - fresh) / jobs
        return Round(jobs, outcome.seconds, memory=each, fresh=float(fresh), after=float(trial.tree.resident()))

    return play


def asleep(workers: int) -> Play:
    """Resident bytes per connection of a worker that has asked for a job and sleeps."""

    def play(trial: Trial) -> Round:
        trial.load.idle(1)
        fresh = trial.tree.resident()
        trial.load.workers(workers)
        trial.load.clients(1, foreground=True)
        trial.load.run(1)  # all of them ask for it, so all sleep then
        return Round(workers, 0.0, memory=(trial.tree.resident() - fresh) / workers, fresh=float(fresh))

    return play


SLOW = TooMuch("it would take minutes each time")


def draining(jobs: int, since: Profile, besides: float) -> Scenario:
    """Return the scenario of a queue that fills and empties."""
    return Scenario(
        f"memory, {short(jobs)} queued and drained",
        f"Resident memory after {jobs:,} jobs of 64 bytes were queued and drained, beside a fresh server's.",
        "memory",
        drained(jobs),
        jobs,
        ALL,
        since,
        too_much=dict.fromkeys(("gearmand", "beanstalkd"), SLOW),
        besides=besides,
    )


SCENARIOS = (
    Scenario(
        "memory, queued jobs of 64 B",
        "Resident memory per queued job with a payload of 64 bytes and no unique id; 500,000 are queued.",
        "memory",
        queued(500_000),
        500_000,
        ALL,
        Profile.DEFAULT,
        besides=2.5,
    ),
    Scenario(
        "memory, queued jobs with a unique id",
        "Resident memory per queued job with a payload of 64 bytes and a unique id of 36; 100,000 are queued.",
        "memory",
        queued(100_000, unique=36),
        100_000,
        GEARMAN,
        besides=0.8,
    ),
    Scenario(
        "memory, idle workers",
        "Resident memory per connection of a worker that can do one function and is asleep; there are 1,000.",
        "memory",
        asleep(1_000),
        1_000,
        PLAIN,
    ),
    draining(1_000_000, Profile.DEFAULT, 8.0),
    draining(10_000_000, Profile.FULL, 80.0),
)
