"""Write before you speak: JOB_CREATED of a background job is sent when the job is in the store."""

from __future__ import annotations

import time

import pytest

from gearfast.errors import StoreError
from gearfast.store.contract import StoredJob
from tests.support import wire
from tests.support.durable import Contents, Obedient, Served, serving
from tests.support.peers import Server
from tests.support.records import REDUCER, SUBMITTED, fields, seconds
from tests.support.wire import Connection

BACKGROUND = wire.SUBMIT_JOB_BG


def worker_of(connection: Connection, *functions: str) -> Connection:
    """Make it a worker of these."""
    for function in functions:
        connection.request(wire.CAN_DO, function)
    return connection


def grab(worker: Connection) -> tuple[bytes, bytes]:
    """Handle and payload of the next job; empty handle if there is none."""
    answer = worker.call(wire.GRAB_JOB)
    if answer.type == wire.NO_JOB:
        return b"", b""
    handle, _, payload = answer.args(2)
    return handle, payload


def submit(client: Connection, jobs: int) -> None:
    """Submit so many background jobs, and wait for all of them."""
    client.send(wire.request(BACKGROUND, "f", "", payload="x") * jobs)
    assert {client.recv_packet().name for _ in range(jobs)} == {"JOB_CREATED"}


def finish(server: Server | Served, jobs: int) -> None:
    """Do so many of the jobs that wait."""
    with server.connect() as worker:
        worker_of(worker, "f")
        for _ in range(jobs):
            handle, _ = grab(worker)
            worker.request(wire.WORK_COMPLETE, handle, payload="")
        worker.sync()


def status(connection: Connection, handle: bytes) -> tuple[bytes, bytes]:
    """Known, running."""
    _, known, running, _, _ = connection.call(wire.GET_STATUS, handle).args()
    return known, running


def test_a_job_is_stored_with_all_it_has_before_it_is_acknowledged() -> None:
    with serving() as served, served.connect() as client:
        due = int(time.time()) + 1000
        assert client.call(wire.SUBMIT_JOB_HIGH_BG, "f", "u", payload=b"a\0b").name == "JOB_CREATED"
        assert client.call(wire.SUBMIT_JOB_EPOCH, "g", "", str(due), payload=b"later").name == "JOB_CREATED"
        assert client.call(wire.SUBMIT_REDUCE_JOB_BACKGROUND, "h", "", "sum", "", payload=b"").name == "JOB_CREATED"
        stored = list(served.store.contents.jobs.values())
        now = time.time()
        assert all(now - 60 < seconds(dict(fields(job.more))[SUBMITTED]) < now + 1 for job in stored)
        assert [job._replace(more=dict(fields(job.more)).get(REDUCER, b"")) for job in stored] == [
            StoredJob(1, b"f", b"u", 0, 0.0, 0, b"a\0b", b""),
            StoredJob(2, b"g", b"", 1, float(due), 0, b"later", b""),
            StoredJob(3, b"h", b"", 1, 0.0, 0, b"", b"sum"),
        ]


def test_nothing_is_acknowledged_before_its_write_and_replies_behind_it_wait() -> None:
    with serving() as served, served.connect() as client, served.connect() as other:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="1")
        client.request(wire.ECHO_REQ, payload="behind")
        client.request(wire.GET_STATUS, "H:t:1")
        served.store.wait_asked(1)
        assert other.sync() == b""
        assert status(other, b"H:t:1") == (b"1", b"0")
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv_packet()
        client.sock.settimeout(10)
        served.store.gate.set()
        assert [client.recv_packet().name for _ in range(3)] == ["JOB_CREATED", "ECHO_RES", "STATUS_RES"]


def test_the_next_batch_gathers_while_one_is_written() -> None:
    with serving() as served, served.connect() as client, served.connect() as other:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="1")
        served.store.wait_asked(1)
        for connection in (client, other):
            connection.send(wire.request(BACKGROUND, "f", "", payload="x") * 50)
        served.server.loop.call_soon_threadsafe(lambda: None)
        with served.connect() as third:
            while len(third.table("show jobs")) < 101:
                pass
        served.store.gate.set()
        assert len([client.recv_packet() for _ in range(51)] + [other.recv_packet() for _ in range(50)]) == 101
        assert [len(batch.adds) for batch in served.store.written if batch.adds] == [1, 100]


def test_a_worker_gets_a_job_before_it_is_durable_and_what_is_finished_then_is_never_written() -> None:
    with serving() as served, served.connect() as client, served.connect() as worker:
        worker_of(worker, "f")
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="1")
        served.store.wait_asked(1)
        client.request(BACKGROUND, "f", "", payload="2")
        assert grab(worker) == (b"H:t:1", b"1")
        while (second := grab(worker)) == (b"", b""):
            pass
        assert second == (b"H:t:2", b"2")
        for handle in (b"H:t:1", b"H:t:2"):
            worker.request(wire.WORK_COMPLETE, handle, payload="")
        worker.sync()
        served.store.gate.set()
        assert [client.recv_packet().body for _ in range(2)] == [b"H:t:1", b"H:t:2"]
        served.store.wait_gone(1)
        assert [job.number for batch in served.store.asked for job in batch.adds] == [1]


def test_foreground_jobs_are_not_stored_and_do_not_wait() -> None:
    with serving() as served, served.connect() as client:
        served.store.gate.clear()
        assert client.call(wire.SUBMIT_JOB, "f", "", payload="1").name == "JOB_CREATED"
        assert served.store.asked[1:] == []


def test_a_foreground_job_that_is_submitted_in_the_background_too_is_stored_then() -> None:
    with serving() as served, served.connect() as client:
        assert client.call(wire.SUBMIT_JOB, "f", "u", payload="1").body == b"H:t:1"
        assert client.call(BACKGROUND, "f", "u", payload="2").body == b"H:t:1"
        assert served.store.contents.jobs[1].payload == b"1"


def test_who_joins_a_job_that_is_being_written_waits_for_it() -> None:
    with serving() as served, served.connect() as client, served.connect() as other, served.connect() as third:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "u", payload="1")
        served.store.wait_asked(1)
        other.request(BACKGROUND, "f", "u", payload="1")
        assert third.call(wire.SUBMIT_JOB, "f", "u", payload="1").body == b"H:t:1"
        other.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.recv_packet()
        served.store.gate.set()
        other.sock.settimeout(10)
        assert client.recv_packet().body == other.recv_packet().body == b"H:t:1"


@pytest.mark.parametrize("end", ["WORK_COMPLETE", "WORK_FAIL", "WORK_EXCEPTION", "cancel"])
def test_every_end_removes_it(end: str) -> None:
    with serving() as served, served.connect() as client, served.connect() as worker:
        handle = client.call(BACKGROUND, "f", "", payload="1").body
        if end == "cancel":
            assert client.admin(f"cancel job {handle.decode()}") == b"OK\r\n"
        else:
            grab(worker_of(worker, "f"))
            payload = None if end == "WORK_FAIL" else ""
            worker.request(getattr(wire, end), handle, payload=payload)
        served.store.wait_gone(1)


def test_a_lost_worker_counts_in_the_store() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="1")
        worker = worker_of(served.connect(), "f")
        grab(worker)
        worker.close()
        while "H:t:1\t1\t0\t1" not in client.table("show jobs"):
            pass
    assert contents.jobs[1].attempts == 1
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert client.table("show jobs") == ["H:t:1\t1\t0\t1"]


def test_everything_is_there_after_a_restart_and_numbers_go_on() -> None:
    contents = Contents()
    due = int(time.time()) + 1000
    with serving(Obedient(contents)) as served, served.connect() as client, served.connect() as worker:
        client.call(BACKGROUND, "f", "u", payload="1")
        client.call(wire.SUBMIT_JOB_LOW_BG, "f", "", payload="2")
        client.call(wire.SUBMIT_JOB_HIGH_BG, "f", "", payload="3")
        client.call(wire.SUBMIT_JOB_EPOCH, "f", "", str(due), payload="4")
        client.call(BACKGROUND, "f", "", payload="5")
        grab(worker_of(worker, "f"))
        served.stop()
    # the worker was not to blame for the server's end
    assert [job.attempts for job in contents.jobs.values()] == [0] * 5
    with serving(Obedient(contents), job_handle_prefix="") as served, served.connect() as client:
        assert served.server.replayed == 5
        assert status(client, b"H:t:4") == (b"1", b"0")
        assert client.call(BACKGROUND, "f", "u", payload="1").body == b"H:t:1"
        assert client.call(BACKGROUND, "f", "", payload="6").body == b"H:t:6"
        worker_of(client, "f")
        assert [grab(client)[1] for _ in range(6)] == [b"3", b"1", b"5", b"6", b"2", b""]


def test_numbers_are_not_used_again_after_a_kill() -> None:
    """What a kill leaves behind is what the store holds at any moment."""
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        client.call(wire.SUBMIT_JOB, "f", "", payload="1")
        client.call(wire.SUBMIT_JOB, "f", "", payload="2")
        left = Contents(dict(contents.jobs), dict(contents.metadata))
    assert contents.metadata["ceiling"] == "2"
    with serving(Obedient(left)) as served, served.connect() as client:
        handle = client.call(BACKGROUND, "f", "", payload="3").body
        assert int(handle.rpartition(b":")[2]) > 2


def test_more_numbers_are_reserved_in_time() -> None:
    with serving(store_numbers=100) as served, served.connect() as client:
        for _ in range(500):
            client.call(wire.SUBMIT_JOB, "f", "", payload="")
            assert int(served.store.contents.metadata["ceiling"]) >= served.server.broker.handles.number(b"H:t:1")
        last = int(client.call(wire.SUBMIT_JOB, "f", "", payload="").body.rpartition(b":")[2])
        assert last == 501
        assert int(served.store.contents.metadata["ceiling"]) >= last


def test_a_handle_prefix_stays_with_the_store_unless_another_is_asked_for() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        client.call(BACKGROUND, "f", "", payload="")
    with serving(Obedient(contents), job_handle_prefix="") as served, served.connect() as client:
        assert status(client, b"H:t:1")[0] == b"1"
    with serving(Obedient(contents), job_handle_prefix="H:new") as served, served.connect() as client:
        assert status(client, b"H:t:1")[0] == b"0"
        assert status(client, b"H:new:1")[0] == b"1"


def test_a_job_of_a_function_without_a_name_comes_back_too() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert client.call(BACKGROUND, "", "u", payload="x").name == "JOB_CREATED"
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert served.server.replayed == 1
        assert grab(worker_of(client, "")) == (b"H:t:1", b"x")


def test_a_stored_job_that_cannot_be_run_is_reported_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    good = StoredJob(7, b"f", b"", 1, 0.0, 0, b"x", b"")
    bad = [
        good._replace(number=8, unique=b"u" * 66),
        good._replace(number=9, unique=b"u" * 65),
        good._replace(number=10, priority=3),
        good._replace(number=11, due=float("nan")),
        good._replace(number=12, more=b"\x03"),
        good._replace(number=13, more=b"\x01\x01\x05abc"),
    ]
    contents = Contents({job.number: job for job in (good, *bad)}, {})
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert served.server.replayed == 1
        assert client.call(BACKGROUND, "f", "", payload="").body == b"H:t:14"
        assert len(client.table("show jobs")) == 2
    assert sorted(contents.jobs) == [7, 8, 9, 10, 11, 12, 13, 14]
    reported = [record.getMessage() for record in caplog.records if "stays in the store" in record.msg]
    assert [int(line.split()[1]) for line in reported] == list(range(8, 14))


def test_stored_namesakes_are_all_kept() -> None:
    """The take-over of another server's jobs may bring several with one unique id."""
    jobs = {number: StoredJob(number, b"f", b"u", 1, 0.0, 0, b"%d" % number, b"") for number in (1, 2, 3)}
    contents = Contents(jobs, {})
    with serving(Obedient(contents)) as served, served.connect() as worker:
        worker_of(worker, "f")
        for number in (1, 2, 3):
            assert grab(worker) == (b"H:t:%d" % number, b"%d" % number)
            worker.request(wire.WORK_COMPLETE, b"H:t:%d" % number, payload="")
            served.store.wait_gone(number)


def test_a_job_too_large_for_the_store_is_refused_at_once() -> None:
    with serving(Obedient(largest=100)) as served, served.connect() as client:
        answer = client.call(BACKGROUND, "f", "u", payload="x" * 99)
        assert answer.args() == [b"QUEUE_ERROR", b"The store takes jobs of at most 100 bytes"]
        assert client.call(BACKGROUND, "f", "u", payload="x" * 98).name == "JOB_CREATED"
        assert client.call(wire.SUBMIT_JOB, "f", "", payload="x" * 200).name == "JOB_CREATED"


def test_a_client_that_half_closes_gets_its_acknowledgement() -> None:
    with serving() as served, served.connect() as client:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="1")
        client.half_close()
        served.store.wait_asked(1)
        served.store.gate.set()
        assert wire.split(client.read_to_end())[0].body == b"H:t:1"


def test_a_client_that_leaves_while_it_waits_harms_nobody() -> None:
    with serving() as served, served.connect() as other:
        served.store.gate.clear()
        for jobs, leave in enumerate((Connection.close, Connection.reset), 1):
            client = served.connect()
            client.request(BACKGROUND, "f", "", payload="1")
            while len(other.table("show jobs")) < jobs:  # a reset takes what has not been read with it
                pass
            leave(client)
        assert other.sync() == b""
        served.store.gate.set()
        assert other.call(BACKGROUND, "f", "", payload="x").body == b"H:t:3"
        assert served.store.numbers() == [1, 2, 3]


def test_a_stop_answers_those_who_wait_first() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        served.store.gate.clear()
        client.request(BACKGROUND, "f", "", payload="1")
        served.store.wait_asked(1)
        served.loop.call_soon_threadsafe(served.server.stop)
        served.store.gate.set()
        assert wire.split(client.read_to_end())[0].name == "JOB_CREATED"
        served.stop()
    assert sorted(contents.jobs) == [1]
    assert contents.metadata["ceiling"] == "1"


def test_what_was_removed_just_before_the_stop_does_not_come_back() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client, served.connect() as worker:
        for _ in range(20):
            client.call(BACKGROUND, "f", "", payload="1")
        worker_of(worker, "f")
        served.store.gate.clear()
        for _ in range(20):
            worker.request(wire.WORK_COMPLETE, grab(worker)[0], payload="")
        worker.sync()
        served.loop.call_soon_threadsafe(served.server.stop)
        served.store.gate.set()
        served.stop()
    assert contents.jobs == {}


def test_nothing_is_written_before_the_stop_if_that_is_wanted() -> None:
    contents = Contents()
    with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
        for text in "123":
            assert client.call(BACKGROUND, "f", "", payload=text).name == "JOB_CREATED"
        client.call(wire.SUBMIT_JOB, "f", "", payload="foreground")
        worker_of(client, "f")
        assert grab(client) == (b"H:t:1", b"1")
        client.request(wire.WORK_COMPLETE, b"H:t:1", payload="")
        assert grab(client) == (b"H:t:2", b"2")  # in its hands at the end
        client.sync()
        assert contents.jobs == {}
        served.stop()
    assert [(job.number, job.payload, job.attempts) for job in contents.jobs.values()] == [(2, b"2", 0), (3, b"3", 0)]
    with serving(Obedient(contents), store_on_shutdown=True) as served, served.connect() as client:
        worker_of(client, "f")
        assert grab(client)[1] == b"2"
        client.request(wire.WORK_COMPLETE, b"H:t:2", payload="")
        client.call(BACKGROUND, "f", "", payload="4")
        assert sorted(contents.jobs) == [2, 3]
    assert sorted(job.payload for job in contents.jobs.values()) == [b"3", b"4"]


def test_a_store_that_cannot_be_opened_refuses_the_start() -> None:
    store = Obedient()
    store.trouble = StoreError("no such folder")
    with pytest.raises(StoreError, match="no such folder"), serving(store):
        pass
