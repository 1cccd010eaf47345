"""Index, heap, rotation, and the memory for late results, at sizes where their insides matter.

None of them has a Python face: they are seen through the broker, which would show it if one of
them lost, doubled, or disordered anything.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from gearfast.broker.broker import Broker, Dropped, Reported
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report


def every_job(broker: Broker, most: int, between: Callable[[], None] = lambda: None) -> list[bytes]:
    """The handles that a whole scan shows; `between` is called after every step."""
    cursor, handles = 0, list[bytes]()
    while True:
        cursor, rows = broker.scan_jobs(cursor, most)
        handles += [row[0] for row in rows]
        if cursor == 0:
            return handles
        between()


def every_function(broker: Broker, most: int, between: Callable[[], None] = lambda: None) -> list[bytes]:
    """The names that a whole scan shows; `between` is called after every step."""
    cursor, names = 0, list[bytes]()
    while True:
        cursor, rows = broker.scan_functions(cursor, most)
        names += [row[0] for row in rows]
        if cursor == 0:
            return names
        between()


def submit(client: InProcessPeer, count: int, function: bytes = b"f") -> list[bytes]:
    """The handles of so many new background jobs."""
    handles = [client.submit(function, background=True) for _ in range(count)]
    return [handle for handle in handles if handle is not None]


# --- index ---


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 1000, 5000])
@pytest.mark.parametrize("most", [1, 64, 100, 1000, 10**6])
def test_a_scan_shows_every_job_once(count: int, most: int) -> None:
    broker = Broker()
    handles = submit(InProcessPeer(broker), count)
    shown = every_job(broker, most)
    assert sorted(shown) == sorted(handles)


@pytest.mark.parametrize("most", [-1, 0, 1, 64])
def test_a_step_of_a_scan_is_never_too_small_for_a_bucket(most: int) -> None:
    broker = Broker()
    submit(InProcessPeer(broker), 1000)
    cursor, rows = broker.scan_jobs(0, most)
    assert cursor != 0
    assert 0 < len(rows) <= 256


def test_a_step_of_a_scan_is_never_larger_than_a_thousand() -> None:
    broker = Broker()
    submit(InProcessPeer(broker), 5000)
    assert 0 < len(broker.scan_jobs(0, 10**6)[1]) <= 1000


@pytest.mark.parametrize("stride", [64, 1000, 1024, 1882])
def test_a_scan_shows_the_survivors_when_one_job_in_so_many_lives_long(stride: int) -> None:
    broker = Broker()
    client = InProcessPeer(broker)
    survivors = []
    for _ in range(200):
        survivors += submit(client, 1)
        for handle in submit(client, stride - 1):
            broker.cancel_job(handle)
    assert sorted(every_job(broker, 64)) == sorted(survivors)


@pytest.mark.parametrize("seed", range(6))
def test_what_stays_is_shown_exactly_once_while_the_index_grows_and_shrinks(seed: int) -> None:
    dice = random.Random(seed)
    broker = Broker()
    client = InProcessPeer(broker)
    stays = submit(client, dice.choice([20, 300, 2000]))
    goes = submit(client, dice.choice([0, 500, 6000]))

    def change() -> None:
        if dice.random() < 0.5:
            goes.extend(submit(client, dice.randrange(1500)))
        else:
            for _ in range(min(len(goes), dice.randrange(1500))):
                broker.cancel_job(goes.pop(dice.randrange(len(goes))))

    for _ in range(5):
        shown = every_job(broker, 64, change)
        assert len(set(shown)) == len(shown)
        assert set(stays) <= set(shown)


def test_what_stays_is_shown_exactly_once_while_the_index_shrinks_to_nothing() -> None:
    broker = Broker()
    client = InProcessPeer(broker)
    stays, goes = submit(client, 100), submit(client, 8000)

    def change() -> None:
        for _ in range(min(len(goes), 400)):
            broker.cancel_job(goes.pop())

    shown = every_job(broker, 64, change)
    assert len(set(shown)) == len(shown)
    assert set(stays) <= set(shown)
    assert sorted(every_job(broker, 64)) == sorted(stays + goes)


def test_functions_are_shown_exactly_once_while_others_come_and_go() -> None:
    broker = Broker()
    stays = {b"stays-%d" % number for number in range(500)}
    for name in stays:
        broker.create_function(name)
    counter = iter(range(10**6))
    comes: list[bytes] = []

    def change() -> None:
        for _ in range(150):
            comes.append(b"comes-%d" % next(counter))
            broker.create_function(comes[-1])
        for name in comes[:100]:
            assert broker.drop_function(name) is Dropped.DROPPED
        del comes[:100]

    shown = every_function(broker, 64, change)
    assert len(set(shown)) == len(shown)
    assert stays <= set(shown)


def test_every_handle_and_unique_is_found_among_many() -> None:
    broker = Broker()
    client = InProcessPeer(broker)
    handles = [client.submit(b"f%d" % (number % 7), b"", b"u%d" % number, background=True) for number in range(5000)]
    assert all(handle is not None and client.status(handle) for handle in handles)
    again = [client.submit(b"f%d" % (number % 7), b"", b"u%d" % number, background=True) for number in range(5000)]
    assert again == handles
    assert broker.job_count == 5000


# --- heap ---


@pytest.mark.parametrize("seed", range(4))
def test_delayed_jobs_leave_in_order_though_some_are_taken_from_the_middle(seed: int) -> None:
    dice = random.Random(seed)
    broker = Broker()
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"f")
    expected: dict[bytes, float] = {}
    for _ in range(dice.choice([10, 200, 3000])):
        due = float(dice.randrange(1, 50))
        handle = client.submit(b"f", background=True, due=due)
        assert handle is not None
        expected[handle] = due
    for handle in dice.sample(sorted(expected), len(expected) // 2):
        assert broker.cancel_job(handle)
        del expected[handle]
    for moment in range(1, 50):
        assert broker.wait(0.0, moment - 1.0) == min(expected.values(), default=float("inf")) - moment + 1.0
        broker.tick(0.0, float(moment))
        due_now = [handle for handle, due in expected.items() if due == moment]  # in order of submission
        assert [worker.grab() for _ in due_now] == [(handle, b"f", b"", b"") for handle in due_now]
        assert worker.grab() is None
        for handle in due_now:
            del expected[handle]
    assert not expected


@pytest.mark.parametrize("seed", range(4))
def test_deadlines_fire_in_order_though_some_jobs_end_before(seed: int) -> None:
    dice = random.Random(seed)
    broker = Broker(job_retries=1)
    client = InProcessPeer(broker)
    workers, running = list[InProcessPeer](), dict[bytes, tuple[InProcessPeer, int]]()
    for _ in range(300):
        worker, timeout = InProcessPeer(broker), dice.randrange(1, 20) * 1000
        worker.can_do(b"f", timeout)
        client.submit(b"f")
        handle, *_ = worker.grab(0.0) or (b"",)
        running[handle] = worker, timeout
        workers.append(worker)
    for moment in range(1, 20):
        for handle in dice.sample(sorted(running), min(8, len(running))):
            worker, _ = running.pop(handle)
            assert worker.tell(handle, Report.COMPLETE) is Reported.TAKEN
        client.heard.clear()
        broker.tick(float(moment), 0.0)
        fired = {handle for handle, (_, timeout) in running.items() if timeout == moment * 1000}
        assert {entry[1] for entry in client.heard if len(entry) == 3} == fired
        for handle in fired:
            del running[handle]
    assert not running
    assert broker.job_count == 0


# --- rotation ---


def names(count: int) -> list[bytes]:
    return [b"f%05d" % number for number in range(count)]


def rounds(worker: InProcessPeer) -> Iterator[bytes]:
    """The functions of all that this worker can grab, one after the other."""
    while job := worker.grab():
        yield job[1]


def test_ten_thousand_functions_are_served_newest_first_and_take_turns() -> None:
    broker = Broker()
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    functions = names(10_000)
    for name in functions:
        worker.can_do(name)
    for _ in range(2):
        for name in functions:
            client.submit(name, background=True)
    assert list(rounds(worker)) == functions[::-1] * 2
    assert worker.abilities() == functions[::-1]


def test_the_one_function_of_ten_thousand_that_has_work_is_found() -> None:
    broker = Broker()
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    functions = names(10_000)
    for name in functions:
        worker.can_do(name)
    dice = random.Random(1)
    assert worker.grab() is None
    for name in dice.sample(functions, 500):
        assert worker.sleep()
        worker.heard.clear()
        client.submit(name, background=True, priority=dice.randrange(3))
        assert worker.heard == [("wake",)]
        assert list(rounds(worker)) == [name]


def test_five_thousand_workers_of_one_function_are_woken_one_per_job() -> None:
    broker = Broker()
    client = InProcessPeer(broker)
    workers = [InProcessPeer(broker) for _ in range(5000)]
    for worker in workers:
        worker.can_do(b"f")
        assert worker.sleep()
    for woken in (1, 10, 100, 5000, 5001):
        while broker.job_count < woken:
            client.submit(b"f", background=True)
        assert [len(worker.heard) for worker in workers] == [1 if at < woken else 0 for at in range(5000)]


@pytest.mark.parametrize("count", [1, 2, 3, 20, 21, 22, 64, 65, 200])
@pytest.mark.parametrize("seed", range(3))
def test_turns_are_taken_as_a_plain_list_would_have_it(count: int, seed: int) -> None:
    """Abilities come, go and take turns until the row of seats has been laid anew many times."""
    dice = random.Random(seed)
    broker = Broker()
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    functions = names(count)
    order: list[bytes] = []
    queued = dict.fromkeys(functions, 0)
    for _ in range(1500):
        name = dice.choice(functions)
        match dice.randrange(8):
            case 0:
                worker.can_do(name)
                order = [name] + [other for other in order if other != name]
            case 1 if dice.random() < 0.3:
                worker.cant_do(name)
                order = [other for other in order if other != name]
            case 2 | 3 | 4:
                client.submit(name, background=True)
                queued[name] += 1
            case _:
                expected = next((other for other in order if queued[other]), None)
                job = worker.grab()
                assert (job[1] if job else None) == expected
                if job and expected:
                    worker.tell(job[0], Report.COMPLETE)
                    queued[expected] -= 1
                    order = [other for other in order if other != expected] + [expected]
        assert worker.abilities() == order


# --- late results ---


@pytest.mark.parametrize("remembered", [0, 1, 3, 256])
def test_no_more_lost_jobs_are_remembered_than_asked_for(remembered: int) -> None:
    broker = Broker(remembered_results=remembered)
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"f")
    handles = submit(client, remembered + 2)
    for handle in handles:
        worker.grab()
        broker.cancel_job(handle)
    told = [worker.tell(handle, Report.COMPLETE) for handle in handles]
    assert told == [Reported.UNKNOWN] * 2 + [Reported.LATE] * remembered


def test_a_lost_job_whose_result_came_makes_room_for_another() -> None:
    broker = Broker(remembered_results=2)
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"f")

    def lose() -> bytes:
        (handle,) = submit(client, 1)
        worker.grab()
        broker.cancel_job(handle)
        return handle

    first, second = lose(), lose()
    assert worker.tell(second, Report.FAIL) is Reported.LATE
    third = lose()
    assert worker.tell(first, Report.DATA) is Reported.LATE
    assert worker.tell(first, Report.COMPLETE) is Reported.LATE
    assert worker.tell(third, Report.EXCEPTION) is Reported.LATE


def test_each_worker_remembers_for_itself() -> None:
    broker = Broker(remembered_results=1)
    client = InProcessPeer(broker)
    workers = [InProcessPeer(broker) for _ in range(3)]
    handles = submit(client, 3)
    for worker, handle in zip(workers, handles, strict=True):
        worker.can_do(b"f")
        worker.grab()
        broker.cancel_job(handle)
    for worker, handle in zip(workers, handles, strict=True):
        assert [worker.tell(other, Report.DATA) for other in handles] == [
            Reported.LATE if other == handle else Reported.UNKNOWN for other in handles
        ]
