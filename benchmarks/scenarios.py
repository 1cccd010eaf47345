"""What is measured: each scenario plays a number of jobs against a server and checks the answers."""

import selectors
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.load import (
    ASSIGN,
    CAN_DO,
    COMPLETE,
    CREATED,
    GRAB,
    NO_JOB,
    NOOP,
    PRE_SLEEP,
    SUBMIT,
    SUBMIT_BG,
    Wire,
    request,
)

PAYLOAD = b"x" * 64


@dataclass(frozen=True)
class Scenario:
    """A name that carries its parameters, a number of jobs, and how to play them; `before` is not measured."""

    name: str
    jobs: int
    play: Callable[[int, int], None]
    before: Callable[[int, int], None] | None = None


def submit(in_flight: int) -> Callable[[int, int], None]:
    """Submit background jobs over one connection, so many at a time."""

    def play(port: int, jobs: int) -> None:
        wire = Wire(port)
        batch = request(SUBMIT_BG, b"work", b"", PAYLOAD) * in_flight
        for _ in range(jobs // in_flight):
            wire.send(batch)
            wire.expect(*[CREATED] * in_flight)
        wire.close()

    return play


def drain(workers: int) -> Callable[[int, int], None]:
    """Take and complete queued jobs, the workers in turn."""

    def play(port: int, jobs: int) -> None:
        crew = [Wire(port) for _ in range(workers)]
        for wire in crew:
            wire.send(request(CAN_DO, b"work") + request(GRAB))
        for at in range(jobs):
            wire = crew[at % workers]
            handle = wire.expect(ASSIGN).split(b"\0", 1)[0]
            wire.send(request(COMPLETE, handle, b"done") + request(GRAB))
        for wire in crew:
            wire.expect(NO_JOB)
            wire.close()

    return play


def round_trip(sleepers: int) -> Callable[[int, int], None]:
    """Foreground jobs one at a time, each done by a worker that slept."""

    def play(port: int, jobs: int) -> None:
        crew = [Wire(port) for _ in range(sleepers)]
        client = Wire(port)
        ready = selectors.DefaultSelector()
        for wire in crew:
            wire.send(request(CAN_DO, b"work") + request(PRE_SLEEP))
            ready.register(wire.socket, selectors.EVENT_READ, wire)
        ready.register(client.socket, selectors.EVENT_READ, client)
        client.send(request(SUBMIT, b"work", b"", PAYLOAD))
        done = 0
        while done < jobs:
            for key, _ in ready.select(30):
                if key.data is client:
                    kind = answer_client(client)
                    if kind == COMPLETE:
                        done += 1
                        if done < jobs:
                            client.send(request(SUBMIT, b"work", b"", PAYLOAD))
                else:
                    answer_worker(key.data)
        for wire in [client, *crew]:
            wire.close()
        ready.close()

    return play


def answer_client(client: Wire) -> int:
    """Read what has come for the client; return the type of the last packet."""
    while True:
        [(kind, _)] = client.packets(1)
        if kind not in (CREATED, COMPLETE):
            raise AssertionError(f"the client got packet type {kind}")
        if not client.kept:
            return kind


def answer_worker(wire: Wire) -> None:
    """Do what each packet asks of a worker: wake up, work, or sleep again."""
    while True:
        [(kind, body)] = wire.packets(1)
        if kind == NOOP:
            wire.send(request(GRAB))
        elif kind == ASSIGN:
            wire.send(request(COMPLETE, body.split(b"\0", 1)[0], b"done") + request(GRAB))
        elif kind == NO_JOB:
            wire.send(request(PRE_SLEEP))
        else:
            raise AssertionError(f"a worker got packet type {kind}")
        if not wire.kept:
            return


SCENARIOS = (
    Scenario("submit 1 x 1", 20_000, submit(1)),
    Scenario("submit 1 x 100", 200_000, submit(100)),
    Scenario("drain, 1 worker", 30_000, drain(1), before=submit(100)),
    Scenario("drain, 16 workers of 200 k", 200_000, drain(16), before=submit(100)),
    Scenario("round trip 1 x 1, 1 worker", 10_000, round_trip(1)),
    Scenario("round trip 1 x 1, 500 sleepers", 400, round_trip(500)),
)
