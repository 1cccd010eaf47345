"""Notes of jobs that were given up: all that there is room for, oldest first, and a count of the others."""

from __future__ import annotations

import logging

import pytest

from gearfast import Broker, Config, InProcessPeer
from gearfast.broker.endings import Reason
from gearfast.broker.peer import Report
from gearfast.logs import NOTICE
from gearfast.server.session import Service
from tests.support.brokering import grabbed, peer_for, submitted


def give_up(broker: Broker, function: bytes, unique: bytes = b"") -> int:
    """Cancel a job of this function; return its number."""
    handle = submitted(InProcessPeer(broker), function, b"payload", unique, background=True)
    assert broker.cancel_job(handle)
    return broker.handles.number(handle)


def test_nothing_is_noted_until_somebody_wants_to_know(broker: Broker) -> None:
    give_up(broker, b"f")
    assert broker.endings.take() == ([], 0)
    broker.endings.on = True
    number = give_up(broker, b"f", b"u")
    assert broker.endings.take() == ([(number, b"f", b"u", 0, Reason.CANCELLED)], 0)
    assert broker.endings.take() == ([], 0)


def test_names_of_any_length_and_kind_come_back_as_they_were(broker: Broker) -> None:
    """A function's is cut at 255 bytes; a unique id has 64 at the most."""
    broker.endings.on = True
    names = [b"x", b"f\0g", b"\xff" * 255, b"y" * 256, b"z" * 8000]
    numbers = [give_up(broker, name, name[:64]) for name in names]
    expected = [(number, name[:255], name[:64], 0, 4) for number, name in zip(numbers, names, strict=True)]
    assert broker.endings.take() == (expected, 0)


def test_what_there_is_no_room_for_is_counted(broker: Broker) -> None:
    broker.endings.on = True
    numbers = [give_up(broker, b"n" * 255, b"u" * 64) for _ in range(4000)]  # 1.4 MB of notes
    notes, missed = broker.endings.take()
    assert 2000 < len(notes) < 4000
    assert [note[0] for note in notes] == numbers[: len(notes)]
    assert missed == 4000 - len(notes)
    again = give_up(broker, b"f")
    assert broker.endings.take() == ([(again, b"f", b"", 0, Reason.CANCELLED)], 0)


def test_each_reason_and_how_often_it_was_lost_before() -> None:
    broker = Broker(b"H:test", job_retries=2)
    broker.endings.on = True
    client = InProcessPeer(broker)
    handle = submitted(client, b"f", background=True)
    for now in (0.0, 10.0):
        worker = InProcessPeer(broker)
        worker.can_do(b"f", 1000)
        assert grabbed(worker, now) == handle
        broker.tick(now + 5.0, 0.0)
    assert [note[3:] for note in broker.endings.take()[0]] == [
        (0, Reason.TIMED_OUT),
        (1, Reason.TIMED_OUT),
        (2, Reason.LOST),
    ]
    for kind, reason in ((Report.FAIL, Reason.FAILED), (Report.EXCEPTION, Reason.RAISED)):
        handle = submitted(client, b"f", background=True)
        worker = peer_for(broker, b"f")
        assert grabbed(worker) == handle
        worker.tell(handle, kind)
        assert [note[3:] for note in broker.endings.take()[0]] == [(0, reason)]


def test_those_that_were_only_counted_are_a_line(broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    notes = Service(broker, Config(), logging.getLogger("gearfast")).notes
    notes.log_jobs(True)
    for _ in range(4000):
        give_up(broker, b"n" * 255, b"u" * 64)
    with caplog.at_level(NOTICE, "gearfast"):
        notes.tell()
        notes.tell()
    lines = [record.getMessage() for record in caplog.records]
    assert all(line.endswith(" was cancelled by an administrator (lost 0 times before)") for line in lines[:-1])
    assert lines[-1] == f"{4000 - len(lines) + 1} more jobs were given up"
