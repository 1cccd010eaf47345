"""Dead letters: jobs that have used up their tries are kept, until somebody looks at them, or there are too many."""

from __future__ import annotations

import tracemalloc
from functools import partial
from typing import Literal

import pytest

from gearfast import Broker, InProcessPeer, Report
from gearfast.broker.broker import Dropped, Reported
from gearfast.broker.deadletters import DeadLetters
from gearfast.broker.events import Kind
from gearfast.broker.life import Moved
from gearfast.config import DEAD_LETTER_BYTES, DEAD_LETTERS, MIB
from tests.broker.test_retries import Play
from tests.support.brokering import functions, grabbed, jobs, peer_for

Way = Literal["fail", "exception", "lost", "handed back", "time-out"]
WAYS: dict[Way, bytes] = {
    "fail": b"its worker said WORK_FAIL",
    "exception": b"why",
    "lost": b"its worker went away",
    "handed back": b"its worker handed it back",
    "time-out": b"its worker did not do it in time",
}
ALL = (1 << len(Kind)) - 1


def fail(play: Play, way: Way) -> None:
    """Have the job of a play grabbed, and fail."""
    if way == "fail":
        play.fail()
    elif way == "exception":
        play.fail(Report.EXCEPTION)
    else:
        assert play.grab()
        if way == "lost":
            play.worker.disconnect(play.now)
            play.worker = peer_for(play.broker, b"f")
        elif way == "handed back":
            play.worker.cant_do(b"f", play.now)
            play.worker.can_do(b"f")
        else:
            play.wait(60.0)


def buried(parameters: bytes = b"retries=0;timeout=60s", way: Way = "fail") -> tuple[Play, DeadLetters]:
    """A play whose job is buried."""
    play = Play(parameters)
    fail(play, way)
    assert play.state == "buried"
    return play, DeadLetters(play.broker)


def bury(broker: Broker, *payloads: bytes, function: bytes = b"f") -> list[bytes]:
    """Bury jobs with these payloads, the first one first. Returns their handles."""
    client, worker = InProcessPeer(broker), peer_for(broker, function)
    handles = []
    for payload in payloads:
        handle = client.submit(function, payload, background=True, parameters=b"retries=0")
        assert handle is not None
        assert grabbed(worker) == handle
        assert worker.tell(handle, Report.FAIL) == Reported.TAKEN
        handles.append(handle)
    client.disconnect()
    worker.disconnect()
    return handles


def kinds(broker: Broker) -> list[Kind]:
    """What has happened since this was asked last."""
    return [Kind(note[0]) for note in broker.events.take()[0]]


# --- into the grave, and what lies there ---


@pytest.mark.parametrize("way", WAYS)
def test_a_job_that_has_used_up_its_tries_is_kept_with_all_that_is_known(way: Way) -> None:
    play = Play(b"retries=1;timeout=60s")
    letters = DeadLetters(play.broker)
    play.now = started = 1010.0
    fail(play, way)
    assert play.state == "queued"
    assert len(letters) == 0
    play.now = 1200.0
    fail(play, way)
    row = (play.handle, b"f", 1, b"u", 1, 2, 1000.0, started, play.now, WAYS[way])
    assert letters.scan(0) == (0, [row])
    assert letters.show(play.handle, 1000) == (*row, b"x")
    assert (len(letters), letters.count(b"f"), play.broker.dead) == (1, 1, 1)


@pytest.mark.parametrize("way", WAYS)
def test_without_retries_nothing_is_kept(way: Way) -> None:
    for parameters in (b"timeout=60s", b"backoff=fixed:1s;timeout=60s"):
        play = Play(parameters, job_retries=1)
        fail(play, way)
        assert play.state is None
        assert len(DeadLetters(play.broker)) == 0
        assert play.broker.held_bytes == 0


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (b"", b"its worker said WORK_EXCEPTION, and nothing more"),
        (b"a\0b\n", b"a\0b\n"),
        (b"e" * 4096, b"e" * 4096),
        (b"e" * 4097, b"e" * 4096),
    ],
)
def test_the_last_error_is_what_the_worker_said_up_to_four_kibibytes(said: bytes, kept: bytes) -> None:
    play = Play(b"retries=1")
    play.fail()
    assert play.grab()
    play.worker.tell(play.handle, Report.EXCEPTION, said, play.now)
    (row,) = DeadLetters(play.broker).scan(0)[1]
    assert row[9] == kept


def test_the_end_of_the_server_is_no_failure() -> None:
    """What a worker loses then is not its fault: the job has its tries, and its last error, still."""
    play = Play(b"retries=1")
    play.fail(Report.EXCEPTION)
    play.broker.closing = True
    fail(play, "lost")
    found = play.broker.show_job(play.handle)
    assert found is not None
    assert (found[0], found[5], found[12]) == ("queued", 1, b"why")


# --- it is no job any more ---


def test_it_is_no_job_for_anybody_but_an_administrator_of_dead_letters() -> None:
    play, letters = buried()
    broker = play.broker
    assert jobs(broker) == {}
    assert functions(broker) == {b"f": (0, 0, 1, (0, 0, 0))}
    assert broker.job_count == 0
    assert play.client.status(play.handle) is None
    assert play.client.status_unique(b"u") is None
    assert not play.grab()
    assert not broker.cancel_job(play.handle)
    assert broker.move_job(play.handle, due=0.0) is Moved.IS_BURIED
    assert broker.wait(play.now, 0.0) > 10
    assert len(letters) == 1


def test_it_counts_for_no_queue_limit() -> None:
    play, _ = buried()
    play.broker.limit_function(b"f", (1, 1, 1))
    assert play.client.submit(b"f", b"x", background=True) is not None
    assert play.client.submit(b"f", b"x", background=True) is None


def test_whoever_waits_too_is_told_once_that_it_failed() -> None:
    for way, kind in (("exception", Report.EXCEPTION), ("fail", Report.FAIL), ("lost", Report.FAIL)):
        play = Play(b"retries=1")
        waiting, gone = InProcessPeer(play.broker), InProcessPeer(play.broker)
        for client in (waiting, gone):
            assert client.submit(b"f", b"x", b"u") == play.handle
        fail(play, "fail")
        gone.disconnect()
        assert waiting.heard == []
        fail(play, way)  # type: ignore[arg-type]
        assert [(told[0], told[1]) for told in waiting.heard if len(told) == 3] == [(kind, play.handle)]
        waiting.heard.clear()
        letters = DeadLetters(play.broker)
        assert letters.kick_job(play.handle, play.now)
        assert play.grab()
        play.worker.tell(play.handle, Report.COMPLETE, b"", play.now)
        assert waiting.heard == gone.heard == []


@pytest.mark.parametrize("draining", [False, True])
def test_a_function_is_kept_as_long_as_it_has_dead_letters(draining: bool) -> None:
    """And then forgotten like any other."""
    broker = Broker(b"H:t", function_rest=10.0)
    letters = DeadLetters(broker)
    bury(broker, b"1", b"2")
    broker.draining = draining
    for now in (0.0, 20.0, 40.0, 60.0):
        broker.tick(now, 0.0)
    assert list(functions(broker)) == [b"f"]
    assert broker.drop_function(b"f") is Dropped.IN_USE
    assert letters.discard(b"f", 5) == 2
    assert letters.discard(b"f", 5) == 0
    assert list(functions(broker)) == [b"f"]
    for now in (80.0, 100.0, 120.0):
        broker.tick(now, 0.0)
    assert functions(broker) == {}
    assert letters.discard(b"f", 5) == letters.kick(b"f", 5, 0.0) == letters.count(b"f") == 0


# --- the oldest leave first ---


def test_there_are_so_many_of_a_function_and_the_oldest_leave_first() -> None:
    broker = Broker(b"H:t")
    letters = DeadLetters(broker)
    others = bury(broker, b"", function=b"g")
    handles = bury(broker, *[b"%d" % number for number in range(DEAD_LETTERS)])
    assert letters.count(b"f") == DEAD_LETTERS
    broker.events.wanted = ALL
    handles += bury(broker, b"one more", b"another")
    assert letters.count(b"f") == DEAD_LETTERS
    assert [letters.show(handle, 1000) for handle in handles[:2]] == [None, None]
    assert letters.show(handles[2], 1000) is not None
    assert letters.show(others[0], 1000) is not None
    one = [Kind.SUBMITTED, Kind.STARTED, Kind.FAILED, Kind.BURIED, Kind.DISCARDED]
    assert kinds(broker) == one * 2
    assert letters.discard(b"f", DEAD_LETTERS) == DEAD_LETTERS
    assert letters.discard(b"g", 1) == 1
    assert broker.held_bytes == 0


def test_there_are_so_many_bytes_of_a_function() -> None:
    broker = Broker(b"H:t")
    letters = DeadLetters(broker)
    payload = bytes(MIB)
    fit = DEAD_LETTER_BYTES // MIB - 1  # with what there is besides the payload
    handles = bury(broker, *[payload] * fit)
    assert letters.count(b"f") == fit
    handles += bury(broker, payload, b"")
    assert letters.count(b"f") == fit + 1
    assert letters.show(handles[0], 1000) is None
    handles += bury(broker, bytes(10 * MIB))
    assert [letters.show(handle, 1000) is None for handle in handles] == [True] * 11 + [False] * (len(handles) - 11)
    assert broker.held_bytes < DEAD_LETTER_BYTES
    assert letters.kick(b"f", 100, 0.0) == broker.job_count == len(handles) - 11


def test_one_that_is_larger_than_all_may_be_is_not_kept() -> None:
    broker = Broker(b"H:t")
    bury(broker, b"small")
    broker.events.wanted = ALL
    bury(broker, bytes(DEAD_LETTER_BYTES))
    assert kinds(broker)[-2:] == [Kind.BURIED, Kind.DISCARDED]
    assert broker.dead == 1, "the others stay"


def test_what_is_known_of_an_error_counts_as_bytes() -> None:
    broker = Broker(b"H:t")
    client, worker = InProcessPeer(broker), peer_for(broker, b"f")
    payload, error = bytes(16 * 1024), b"e" * 4096
    for _ in range(DEAD_LETTER_BYTES // len(payload)):
        handle = client.submit(b"f", payload, background=True, parameters=b"retries=0")
        assert handle == grabbed(worker)
        worker.tell(handle, Report.EXCEPTION, error)
    held = broker.dead * (len(payload) + len(error))
    assert DEAD_LETTER_BYTES * 0.98 < held < DEAD_LETTER_BYTES


# --- once more ---


def test_a_kick_makes_it_a_job_again_with_all_its_tries() -> None:
    play = Play(b"retries=1;backoff=fixed:1s")
    letters = DeadLetters(play.broker)
    for _ in range(2):
        play.fail(Report.EXCEPTION)
        play.wait(1.0)
    assert play.state == "buried"
    play.wait(1000.0)
    assert play.worker.sleep()
    assert letters.kick_job(play.handle, play.now)
    assert play.worker.heard == [("wake",)]
    assert (play.state, len(letters)) == ("queued", 0)
    found = play.broker.show_job(play.handle)
    assert found is not None
    assert (found[5], found[8], found[9], found[12]) == (0, 0, b"retries=1;backoff=fixed:1s", b"why")
    assert not letters.kick_job(play.handle, play.now)
    play.fail()
    assert play.state == "retrying"
    play.wait(1.0)
    play.fail()
    assert letters.scan(0)[1][0][5:] == (2, 1000.0, 1000.0, play.now, b"its worker said WORK_FAIL")
    assert letters.kick_job(play.handle, play.now)
    assert play.grab()
    assert play.worker.tell(play.handle, Report.COMPLETE, b"", play.now) == Reported.TAKEN
    assert play.state is None
    assert play.broker.held_bytes == 0


def test_the_oldest_are_kicked_first_and_those_of_no_other_function() -> None:
    broker = Broker(b"H:t")
    letters = DeadLetters(broker)
    handles = bury(broker, b"1", b"2", b"3")
    other = bury(broker, b"", function=b"g")
    assert letters.kick(b"f", 0, 0.0) == 0
    assert letters.kick(b"f", 2, 0.0) == 2
    assert list(jobs(broker)) == handles[:2]
    again = peer_for(broker, b"f")
    assert grabbed(again) == handles[0]
    again.tell(handles[0], Report.FAIL)
    assert letters.discard(b"f", 1) == 1  # the third: the first one lies behind it now
    assert letters.kick(b"f", 9, 0.0) == 1
    assert sorted(jobs(broker)) == handles[:2]
    assert letters.show(other[0], 1000) is not None


def test_its_unique_id_is_free_and_taken_again_at_the_kick() -> None:
    play, letters = buried()
    assert letters.kick_job(play.handle, play.now)
    assert play.client.submit(b"f", b"", b"u", background=True) == play.handle
    assert play.client.status_unique(b"u") == (False, 0, 0, 0)


def test_a_kick_leaves_a_unique_id_to_whoever_has_it() -> None:
    play, letters = buried()
    second = play.client.submit(b"f", b"y", b"u", background=True)
    assert second not in (None, play.handle)
    assert letters.kick_job(play.handle, play.now)
    assert play.client.submit(b"f", b"", b"u", background=True) == second
    assert play.worker.grab(play.now) == (second, b"f", b"u", b"y")
    assert play.worker.tell(second or b"", Report.COMPLETE) == Reported.TAKEN
    assert play.client.status_unique(b"u") is None
    assert play.fail() == Reported.TAKEN
    assert play.state == "buried"


def test_a_payload_that_is_the_unique_id_is_found_again_too() -> None:
    broker = Broker(b"H:t")
    client, worker, letters = InProcessPeer(broker), peer_for(broker, b"f"), DeadLetters(broker)
    handle = client.submit(b"f", b"same", b"-", background=True, parameters=b"retries=0")
    assert handle == grabbed(worker)
    worker.tell(handle, Report.FAIL)
    assert letters.kick_job(handle, 0.0)
    assert client.submit(b"f", b"same", b"-", background=True) == handle


# --- who is late ---


@pytest.mark.parametrize("kicked", [False, True])
def test_a_late_result_counts_for_a_buried_and_for_a_kicked_job(kicked: bool) -> None:
    """It was done after all: nobody is to do it again."""
    play, letters = buried(way="time-out")
    play.broker.events.wanted = ALL
    if kicked:
        assert letters.kick_job(play.handle, play.now)
    assert play.worker.tell(play.handle, Report.DATA, b"half", play.now) == Reported.TAKEN
    assert play.worker.tell(play.handle, Report.COMPLETE, b"all", play.now) == Reported.TAKEN
    assert play.state is None
    assert (len(letters), play.broker.held_bytes) == (0, 0)
    assert kinds(play.broker) == [Kind.KICKED] * kicked + [Kind.COMPLETED]
    assert play.worker.tell(play.handle, Report.COMPLETE, b"", play.now) == Reported.UNKNOWN


@pytest.mark.parametrize("kicked", [False, True])
@pytest.mark.parametrize("kind", [Report.FAIL, Report.EXCEPTION])
def test_a_late_failure_changes_nothing(kind: Report, kicked: bool) -> None:
    play, letters = buried(way="time-out")
    if kicked:
        assert letters.kick_job(play.handle, play.now)
    before = play.broker.show_job(play.handle)
    assert play.worker.tell(play.handle, kind, b"late", play.now) == Reported.LATE
    assert play.broker.show_job(play.handle) == before


def test_the_second_failure_of_a_worker_that_fails_twice_over_is_no_mistake() -> None:
    """Perl's says WORK_EXCEPTION and then WORK_FAIL, by which time the job is buried, kicked, or another worker's."""
    play, letters = buried(way="exception")
    assert play.worker.tell(play.handle, Report.FAIL, b"", play.now) == Reported.LATE
    assert play.worker.tell(play.handle, Report.FAIL, b"", play.now) == Reported.UNKNOWN
    assert letters.kick_job(play.handle, play.now)
    play.fail(Report.EXCEPTION)
    assert letters.kick_job(play.handle, play.now)
    other = peer_for(play.broker, b"f")
    assert grabbed(other, play.now) == play.handle
    assert play.worker.tell(play.handle, Report.FAIL, b"", play.now) == Reported.LATE
    assert play.state == "running"


# --- forgotten ---


def test_one_is_forgotten_and_all_of_a_function_are() -> None:
    broker = Broker(b"H:t")
    letters = DeadLetters(broker)
    handles = bury(broker, b"1", b"2", b"3")
    assert letters.discard_job(handles[1])
    assert not letters.discard_job(handles[1])
    assert [row[0] for row in letters.scan(0)[1]] == [handles[0], handles[2]]
    assert letters.discard(b"f", 1) == 1
    assert [row[0] for row in letters.scan(0)[1]] == [handles[2]]
    assert letters.discard(b"f", 10) == 1
    assert (len(letters), broker.held_bytes) == (0, 0)


def test_a_job_that_is_not_buried_is_neither_kicked_nor_forgotten() -> None:
    play = Play(b"retries=9;backoff=fixed:1h")
    letters = DeadLetters(play.broker)
    for state in ("queued", "running", "retrying"):
        if state == "running":
            assert play.grab()
        elif state == "retrying":
            play.worker.tell(play.handle, Report.FAIL, b"", play.now)
        assert play.state == state
        for handle in (play.handle, b"H:t:99", b"H:other:1", b""):
            assert letters.show(handle, 1000) is None
            assert not letters.kick_job(handle, play.now)
            assert not letters.discard_job(handle)
        assert letters.kick(b"f", 9, play.now) == letters.discard(b"f", 9) == 0
    assert play.state == "retrying"


def test_jobs_that_are_kicked_while_they_are_listed_are_listed_at_most_once() -> None:
    broker = Broker(b"H:t")
    letters = DeadLetters(broker)
    handles = bury(broker, *[b""] * 1000)
    cursor, rows = letters.scan(0)
    assert cursor
    assert letters.kick(b"f", 300, 0.0) == 300
    assert letters.discard(b"f", 300) == 300
    while cursor:
        cursor, more = letters.scan(cursor)
        rows += more
    found = [row[0] for row in rows]
    assert len(found) == len(set(found))
    assert set(handles[600:]) <= set(found)
    assert letters.count(b"f") == 400


def test_what_happens_is_told_in_its_order() -> None:
    play = Play(b"retries=0;timeout=60s")
    play.broker.events.wanted = ALL
    letters = DeadLetters(play.broker)
    ways: list[Way] = ["fail", "exception", "lost", "time-out"]
    ends = [[Kind.FAILED], [Kind.RAISED], [Kind.LOST], [Kind.TIMED_OUT, Kind.LOST]]
    for way, end in zip(ways, ends, strict=True):
        fail(play, way)
        assert kinds(play.broker) == [Kind.STARTED, *end, Kind.BURIED]
        assert letters.kick_job(play.handle, play.now)
        (kick,) = play.broker.events.take()[0]
        assert kick == (Kind.KICKED, play.broker.handles.number(play.handle), b"f", b"u", 1, 1, True)
    fail(play, "fail")
    assert letters.discard_job(play.handle)
    assert kinds(play.broker)[-2:] == [Kind.BURIED, Kind.DISCARDED]


def test_what_is_no_broker_and_no_name_is_refused() -> None:
    with pytest.raises(TypeError):
        DeadLetters(None)  # type: ignore[arg-type]
    letters = DeadLetters(Broker(b"H:t"))
    for call in (partial(letters.show, most=1), letters.discard_job, letters.count):
        with pytest.raises(TypeError):
            call(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("most", [0, 1, 1000, 1 << 20, 1 << 40])
def test_only_the_beginning_of_a_payload_is_copied(most: int) -> None:
    """However large it is: others are served in the meantime."""
    payload = bytes(range(256)) * 40_000
    broker = Broker(b"H:t")
    (handle,) = bury(broker, payload)
    letters = DeadLetters(broker)
    tracemalloc.start()
    try:
        found = letters.show(handle, most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert (found[4], found[10]) == (len(payload), payload[:most])
    assert peak < min(most, len(payload)) + 10_000
