"""Latency: how long an answer takes while jobs are due at a fixed rate, however slow the answers are.

The rate is half of what gearmand can do at most in the same scenario: found first, then the same for all subjects.
"""

from __future__ import annotations

from benchmarks.results import Round
from benchmarks.scenarios.scenario import Play, Scenario, round_trip, submit
from benchmarks.trial import Trial

SHARE_OF_MAX = 0.5


def paced(clients: int, workers: int = 0) -> Play:
    """Jobs at the trial's pace: foreground where there are workers, background where not."""

    def play(trial: Trial) -> Round:
        if workers:
            trial.load.workers(workers)
        trial.load.clients(clients, foreground=bool(workers))
        return trial.timed(trial.paced())

    return play


SCENARIOS = (
    Scenario(
        "latency, round trip, 8 clients, 8 workers",
        "Foreground jobs of 8 clients are due at half of gearmand's greatest rate (8 x 16); 8 workers.",
        "latency",
        paced(8, 8),
        100_000,
        closed=round_trip(8, 16, 8),
    ),
    Scenario(
        "latency, submit, 8 clients",
        "Background jobs of 8 clients are due at half of gearmand's greatest rate (8 x 100).",
        "latency",
        paced(8),
        400_000,
        closed=submit(8, 100),
    ),
)
