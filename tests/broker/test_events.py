"""What happens to jobs is counted; and noted for those who listen: all that there is room for, the oldest first."""

from __future__ import annotations

import logging

import pytest

from gearfast import Broker, Config, InProcessPeer
from gearfast.broker.events import Kind
from gearfast.broker.peer import Report
from gearfast.logs import NOTICE
from gearfast.server.plugin import Event
from gearfast.server.session import Service
from tests.support.brokering import grabbed, peer_for, submitted

ALL = (1 << len(Kind)) - 1


def give_up(broker: Broker, function: bytes, unique: bytes = b"") -> int:
    """Cancel a job of this function; return its number."""
    handle = submitted(InProcessPeer(broker), function, b"payload", unique, background=True)
    assert broker.cancel_job(handle)
    return broker.handles.number(handle)


def kinds(broker: Broker) -> list[Kind]:
    """What has happened since this was asked last."""
    return [Kind(note[0]) for note in broker.events.take()[0]]


def test_nothing_is_noted_until_somebody_wants_to_know_and_all_is_counted(broker: Broker) -> None:
    give_up(broker, b"f")
    assert broker.events.take() == ([], (0,) * len(Kind))
    broker.events.wanted = 1 << Kind.CANCELLED
    number = give_up(broker, b"f", b"u")
    assert broker.events.take()[0] == [(Kind.CANCELLED, number, b"f", b"u", 1, 0, True)]
    assert broker.events.take()[0] == []
    counts = dict(zip(Kind, broker.events.counts, strict=True))
    assert {kind: count for kind, count in counts.items() if count} == {Kind.SUBMITTED: 2, Kind.CANCELLED: 2}


def test_names_of_any_length_and_kind_come_back_as_they_were(broker: Broker) -> None:
    """A function's is cut at 255 bytes; a unique id has 64 at the most."""
    broker.events.wanted = 1 << Kind.CANCELLED
    names = [b"x", b"f\0g", b"\xff" * 255, b"y" * 256, b"z" * 8000]
    numbers = [give_up(broker, name, name[:64]) for name in names]
    expected = [(10, number, name[:255], name[:64], 1, 0, True) for number, name in zip(numbers, names, strict=True)]
    assert broker.events.take()[0] == expected


def test_what_there_is_no_room_for_is_counted(broker: Broker) -> None:
    broker.events.wanted = 1 << Kind.CANCELLED
    numbers = [give_up(broker, b"n" * 255, b"u" * 64) for _ in range(4000)]  # 1.4 MB of notes
    notes, missed = broker.events.take()
    assert 2000 < len(notes) < 4000
    assert [note[1] for note in notes] == numbers[: len(notes)]
    assert missed[Kind.CANCELLED] == sum(missed) == 4000 - len(notes)
    give_up(broker, b"f")
    assert [len(notes) for notes in broker.events.take()] == [1, len(Kind)]


def test_the_whole_life_of_a_job() -> None:
    """Each job that was submitted ends once, in one of five ways."""
    broker = Broker(b"H:test", job_retries=2)
    broker.events.wanted = ALL
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    worker.sleep()
    first = submitted(client, b"f", b"", b"u")
    assert submitted(client, b"f", b"", b"u") == first  # joins, and is no job
    assert kinds(broker) == [Kind.SUBMITTED, Kind.WOKEN]
    assert grabbed(worker) == first
    worker.progress(first, 1, 2)
    worker.tell(first, Report.DATA, b"x")
    worker.tell(first, Report.COMPLETE, b"x")
    assert kinds(broker) == [Kind.STARTED, Kind.PROGRESSED, Kind.COMPLETED]
    for report, kind in ((Report.FAIL, Kind.FAILED), (Report.EXCEPTION, Kind.RAISED)):
        handle = submitted(client, b"f", background=True)
        assert grabbed(worker) == handle
        worker.tell(handle, report)
        assert kinds(broker) == [Kind.SUBMITTED, Kind.STARTED, kind]
    handle = submitted(client, b"f", background=True)
    for now in (0.0, 10.0):
        slow = InProcessPeer(broker)
        slow.can_do(b"f", 1000)
        assert grabbed(slow, now) == handle
        broker.tick(now + 5.0, 0.0)
    happened = broker.events.take()[0]
    assert [(Kind(note[0]), note[5]) for note in happened] == [
        (Kind.SUBMITTED, 0),
        *((Kind.STARTED, 0), (Kind.TIMED_OUT, 0), (Kind.REQUEUED, 1)),
        *((Kind.STARTED, 1), (Kind.TIMED_OUT, 1), (Kind.LOST, 2)),
    ]
    leaving = InProcessPeer(broker)
    submitted(leaving, b"f")
    leaving.disconnect()
    handle = submitted(leaving, b"f")
    assert grabbed(worker) == handle
    leaving.disconnect()  # it goes on as an orphan
    worker.disconnect()
    assert kinds(broker) == [Kind.SUBMITTED, Kind.ABANDONED, Kind.SUBMITTED, Kind.STARTED, Kind.ABANDONED]
    counts = dict(zip(Kind, broker.events.counts, strict=True))
    ends = (Kind.COMPLETED, Kind.FAILED, Kind.RAISED, Kind.LOST, Kind.ABANDONED, Kind.CANCELLED)
    assert counts[Kind.SUBMITTED] == sum(counts[kind] for kind in ends) == 6
    assert broker.job_count == 0


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


def test_each_listener_hears_of_what_it_wants_and_one_that_raises_of_no_more(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    notes = Service(broker, Config(), logging.getLogger("gearfast")).notes
    heard: list[tuple[list[Event], int]] = []
    calls: list[int] = []

    def clumsy(events: list[Event], missed: int) -> None:
        calls.append(len(events))
        raise ValueError("not today")

    notes.listen(lambda events, missed: heard.append((events, missed)), [Kind.CANCELLED])
    notes.listen(clumsy, [Kind.SUBMITTED])
    number = give_up(broker, b"f", b"u")
    notes.tell()
    give_up(broker, b"g")
    notes.tell()
    assert heard[0] == ([Event(Kind.CANCELLED, number, b"f", b"u", 1, 0, True)], 0)
    assert [events[0].function for events, _ in heard] == [b"f", b"g"]
    assert calls == [1]
    assert broker.events.wanted == 1 << Kind.CANCELLED
    assert "not today" in caplog.text
