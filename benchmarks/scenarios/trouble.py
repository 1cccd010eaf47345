"""Trouble: what the others feel of peers that come and go, do not read, or ask all the time."""

from __future__ import annotations

import msgspec

from benchmarks.latency import latency
from benchmarks.results import Round
from benchmarks.scenarios.crowd import crowd
from benchmarks.scenarios.scenario import GEARMAN, PLAIN, Play, Profile, Scenario
from benchmarks.trial import Trial

HERTZ = 100.0


def storm(callers: int) -> Play:
    """Every job on a connection of its own."""

    def play(trial: Trial) -> Round:
        trial.load.callers(callers)
        return trial.timed(trial.closed())

    return play


def deaf(peers: int) -> Play:
    """Round trips, beside peers that fill their answers up and never read one."""

    def play(trial: Trial) -> Round:
        trial.load.deaf(peers)
        trial.load.workers(8)
        trial.load.clients(8, in_flight=16, foreground=True)
        return trial.timed(trial.closed())

    return play


def polled(command: str, *, queued: int = 0, workers: int = 0) -> Play:
    """Round trips, while an admin asks; the latency is that of the admin's answers."""

    def play(trial: Trial) -> Round:
        with crowd(trial.port, queued=queued, workers=workers):
            trial.load.workers(8)
            trial.load.clients(8, in_flight=16, foreground=True)
            trial.load.poll(command, hertz=HERTZ)
            done, outcome = trial.closed()
            return msgspec.structs.replace(done, latency=latency(outcome.polls))

    return play


def polling(command: str, beside: str, play: Play, since: Profile = Profile.DEFAULT) -> Scenario:
    """Return the scenario of one command."""
    return Scenario(
        f"round trip 8 x 16, {command} at {HERTZ:.0f} Hz",
        f"Round trips of 8 clients x 16 with 8 workers, while {command} is asked {HERTZ:.0f} times a second with "
        f"{beside}. The latency is that of the answers to {command}.",
        "trouble",
        play,
        100_000,
        GEARMAN,
        since,
        besides=0.6,
    )


SCENARIOS = (
    Scenario(
        "connect, submit and hang up, 16 at a time",
        "16 callers at a time each connect, submit one background job, read the answer and hang up.",
        "trouble",
        storm(16),
        20_000,
        PLAIN,
    ),
    Scenario(
        "round trip 8 x 16, one deaf peer",
        "Round trips of 8 clients x 16 with 8 workers, while one peer sends requests and never reads an answer.",
        "trouble",
        deaf(1),
        100_000,
        PLAIN,
    ),
    polling("status", "1,000 workers connected", polled("status", workers=1_000), Profile.QUICK),
    polling("workers", "1,000 workers connected", polled("workers", workers=1_000)),
    polling("show jobs", "10,000 jobs of another function queued", polled("show jobs", queued=10_000)),
)
