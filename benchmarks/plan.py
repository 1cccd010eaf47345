"""From what was asked for to what is played, and from what was found to the results."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import certificate
from benchmarks.figures import OURS
from benchmarks.machine import ROOT, commit, machine
from benchmarks.options import Options
from benchmarks.processes import Cores, allow_open_files
from benchmarks.results import Results, Subject
from benchmarks.runner import PACER, Runner
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.stores import STORES
from benchmarks.subjects import MissingError
from benchmarks.subjects import Subject as Server
from benchmarks.trial import WARM_UP

OPEN_FILES = 11_000  # of the scenario with ten thousand idle connections
START_SECONDS = 0.1  # of a server, with its end and what is connected between; measured, for the estimate
NEVER = (
    "Networks: servers and generator are on one machine, over loopback TCP.",
    "The load over TLS and Unix sockets: only what peers over TLS can do to others.",
)


class UnusableError(Exception):
    """The run cannot begin; the message says why and what to do."""


def plan(options: Options, scenarios: Sequence[Scenario]) -> tuple[Runner, list[Subject]]:
    """Return what plays the scenarios, and what the report states of each subject. Raises UnusableError."""
    found: dict[str, Server] = {}
    stated: list[Subject] = []
    for server in options.subjects():
        try:
            program = server.find()
            if refusal := server.refusal(program):
                raise UnusableError(f"{server.label}: {refusal}")
        except MissingError as error:
            if server.asked is not None or server.program == OURS:
                raise UnusableError(f"{server.label}: {error}") from error
            stated.append(Subject(server.label, missing=str(error)))
            continue
        found[server.label] = server
        stated.append(Subject(server.label, server.version(program), words(server.command(program, "PORT"))))
    unfound = {subject.label: subject.missing for subject in stated if subject.missing}
    cores = Cores(options.pin)
    files = allow_open_files()
    if files < OPEN_FILES and any(scenario.curve == "idle connections" for scenario in scenarios):
        raise UnusableError(f"only {files:,} open files are allowed, idle connections need {OPEN_FILES:,}: ulimit -n")
    away = {name: why for name in used(scenarios) if (why := STORES[name].missing())}
    much = (options.profile, options.rounds, options.share)
    return Runner(found, unfound, scenarios, *much, cores, away, certificate.missing()), stated


def used(scenarios: Sequence[Scenario]) -> list[str]:
    """Return the names of the stores that scenarios keep their jobs in."""
    return list(dict.fromkeys(scenario.store for scenario in scenarios if scenario.store))


def words(command: Sequence[str]) -> str:
    """Write a command without the places that only this machine has."""
    program, *rest = (word.replace(f"{ROOT}/", "") for word in command)
    return shlex.join([Path(program).name if program.startswith("/") else program, *rest])


def estimate(runner: Runner) -> str:
    """Return how long the run will take, in words; it was fitted to a machine with two cores."""
    seconds = 0.0
    for scenario in runner.scenarios:
        budget = scenario.budget(runner.profile, runner.share)
        counted = 0.0 if scenario.whole or scenario.sized else budget.seconds * (1 + WARM_UP)
        once = START_SECONDS + counted + scenario.besides * runner.share
        seconds += once * sum(runner.rounds_of(scenario).values())
    return f"{seconds / 60:.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"


def results(options: Options, runner: Runner, subjects: list[Subject], seconds: float, interrupted: bool) -> Results:
    """Return all that is kept of a run."""
    told = {**options.told(), "took": f"{seconds:.0f} s"}
    return Results(
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        machine={**machine(runner.cores), **stores(runner)},
        options=told,
        subjects=subjects,
        rows=runner.rows,
        not_measured=not_measured(options, runner, interrupted),
    )


def stores(runner: Runner) -> dict[str, str]:
    """Return the versions of the stores that were there."""
    there = (name for name in used(runner.scenarios) if name not in runner.missing_stores)
    return {f"store {name}": STORES[name].version() for name in there}


def not_measured(options: Options, runner: Runner, interrupted: bool) -> list[str]:
    """Return what a reader might miss, in sentences."""
    said = list(NEVER)
    if options.share < 1:
        said.append(f"Anything to go by: only a share of {options.share:g} of the jobs was played.")
    if interrupted:
        said.append("What would have come after the run was interrupted.")
    said += [f"{label}: {reason}." for label, reason in runner.unfound.items()]
    said += [f"Durable queues in {name}: {reason}." for name, reason in runner.missing_stores.items()]
    if runner.missing_tls and any(scenario.tls for scenario in runner.scenarios):
        said.append(f"What peers can do over TLS: {runner.missing_tls}.")
    if runner.pacer() != PACER and any(scenario.closed for scenario in runner.scenarios):
        said.append(f"Latency at {PACER}'s rate: without it, the rate was half of what {runner.pacer()} can do.")
    if not options.only:
        left = [scenario.name for scenario in SCENARIOS if scenario.since > options.profile]
        if left:
            said.append(f"Left to a longer run: {'; '.join(left)}.")
    else:
        said.append(f"Scenarios other than those with {' or '.join(map(repr, options.only))} in their name or group.")
    return said
