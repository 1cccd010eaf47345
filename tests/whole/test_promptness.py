"""Time as peers see it: a delayed job wakes its worker when it is due, and no deadline is shorter than the floor."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.support import wire
from tests.support.actors import PATIENT, grab, submit, worker_of
from tests.support.peers import Server, start_gearfast

PROMPT = 0.1
"""Seconds; the document says 10 ms. The rest is this process's own time to notice."""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One server: the tests keep to functions of their own."""
    with start_gearfast(PATIENT) as started:
        yield started
        assert started.stop() == 0


def test_delayed_jobs_wake_their_workers_at_once_when_they_are_due(server: Server) -> None:
    """The quickest of several counts, over three seconds: what a busy machine adds to one, it does not add to all.

    A server that looked at its clock from time to time would be late each time.
    """
    with server.connect() as client, contextlib.ExitStack() as stack:
        names = [f"due-{number}" for number in range(6)]
        sleepers = [stack.enter_context(worker_of(server, name, asleep=True)) for name in names]
        first = int(time.time()) + 2
        dues = [first + number // 2 for number in range(len(names))]
        for name, due in zip(names, dues, strict=True):
            created = client.call(wire.SUBMIT_JOB_EPOCH, name, "", str(due), payload="x")
            assert created.name == "JOB_CREATED"
        late = []
        for sleeper, due in zip(sleepers, dues, strict=True):
            assert sleeper.recv_packet().name == "NOOP"
            late.append(time.time() - due)
            assert grab(sleeper)[1] == b"x"
        assert 0 <= min(late) < PROMPT


def test_a_deadline_is_a_second_at_least(server: Server) -> None:
    """Some clients pass seconds for milliseconds: five of those would take every job away from them.

    The clock is read before the grab, so that a slow machine can only make the wait look longer.
    """
    function = "floor"
    with server.connect() as client, server.connect() as slow:
        slow.request(wire.CAN_DO_TIMEOUT, function, "5")
        handle = submit(client, function, background=False)
        before = time.monotonic()
        assert grab(slow)[0] == handle
        with worker_of(server, function, asleep=True) as heir:
            assert heir.recv_packet().name == "NOOP"
            assert time.monotonic() - before >= 0.9
            assert grab(heir)[0] == handle
