"""Handles, abilities, and which job a grab gets (protocol sections 2.1, 3.1, 3.4)."""

from __future__ import annotations

import math

import pytest

from gearfast.broker.broker import Broker, Reported
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.peer import Report
from tests.support.brokering import functions, grabbed, jobs, payloads, peer_for, submitted

# --- handles (3.1) ---


def test_handles_count_from_one_over_all_functions(client: InProcessPeer) -> None:
    assert [submitted(client, name) for name in (b"f", b"g", b"f")] == [b"H:test:1", b"H:test:2", b"H:test:3"]


def test_a_coalesced_submission_uses_up_no_number(client: InProcessPeer) -> None:
    assert submitted(client, b"f", b"", b"u") == submitted(client, b"f", b"", b"u") == b"H:test:1"
    assert submitted(client, b"f") == b"H:test:2"


# --- abilities (2.1) ---


def test_repeated_can_do_counts_once(broker: Broker, worker: InProcessPeer) -> None:
    worker.can_do(b"f")
    worker.can_do(b"f", 5000)
    assert functions(broker)[b"f"] == (0, 0, 1, (0, 0, 0))
    assert worker.abilities() == [b"f"]


def test_repeated_can_do_while_a_job_runs_is_harmless(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f")
    worker.grab()
    worker.can_do(b"f")
    assert worker.tell(handle, Report.COMPLETE) is Reported.TAKEN


def test_the_last_can_do_of_a_function_names_its_timeout(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    worker.can_do(b"f", 5000)
    worker.can_do(b"f")
    submitted(client, b"f")
    worker.grab(1.0)
    assert broker.wait(1.0, 0.0) == math.inf


def test_the_newest_ability_is_looked_at_first(broker: Broker, client: InProcessPeer) -> None:
    worker = peer_for(broker, b"a", b"b", b"c")
    assert worker.abilities() == [b"c", b"b", b"a"]
    for name in (b"a", b"b", b"c"):
        submitted(client, name, name)
    assert payloads(worker) == [b"c", b"b", b"a"]


def test_can_do_makes_a_function_and_nothing_but_drop_removes_it(broker: Broker, worker: InProcessPeer) -> None:
    worker.disconnect()
    assert functions(broker) == {b"f": (0, 0, 0, (0, 0, 0))}


def test_an_empty_function_name_is_a_name(client: InProcessPeer, broker: Broker) -> None:
    handle = submitted(client, b"", b"x")
    assert peer_for(broker, b"").grab() == (handle, b"", b"", b"x")


def test_cant_do_of_an_unknown_function_is_ignored(broker: Broker, worker: InProcessPeer) -> None:
    worker.cant_do(b"never heard of")
    worker.cant_do(b"f")
    worker.cant_do(b"f")
    assert set(functions(broker)) == {b"f"}
    assert worker.abilities() == []


def test_cant_do_requeues_the_running_jobs_of_that_function_only(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    worker.can_do(b"g")
    of_f, of_g = submitted(client, b"f"), submitted(client, b"g")
    grabbed(worker)
    grabbed(worker)
    worker.cant_do(b"f")
    assert functions(broker) == {b"f": (1, 0, 0, (0, 1, 0)), b"g": (1, 1, 1, (0, 0, 0))}
    assert jobs(broker)[of_f][0] == 1
    assert client.status(of_g) == (True, 0, 0, 1)
    assert worker.tell(of_g, Report.COMPLETE) is Reported.TAKEN
    assert client.heard == [(Report.COMPLETE, of_g, b"")]


def test_reset_abilities_requeues_everything_and_leaves_nothing(
    broker: Broker, client: InProcessPeer, worker: InProcessPeer
) -> None:
    worker.can_do(b"g")
    submitted(client, b"f")
    submitted(client, b"g")
    grabbed(worker)
    grabbed(worker)
    worker.reset_abilities()
    assert worker.abilities() == []
    assert [row[:3] for row in functions(broker).values()] == [(1, 0, 0), (1, 0, 0)]
    assert worker.grab() is None


# --- which job a grab gets (3.4) ---


def test_nothing_is_grabbed_of_what_the_worker_cannot_do(client: InProcessPeer, worker: InProcessPeer) -> None:
    submitted(client, b"g")
    assert worker.grab() is None


def test_a_lane_is_first_in_first_out_and_high_goes_before_normal_before_low(
    client: InProcessPeer, worker: InProcessPeer
) -> None:
    for payload in (b"1", b"2"):
        for priority, name in ((2, b"low"), (1, b"normal"), (0, b"high")):
            submitted(client, b"f", name + payload, priority=priority)
    assert payloads(worker) == [b"high1", b"high2", b"normal1", b"normal2", b"low1", b"low2"]


def test_any_high_job_precedes_any_normal_one_and_functions_take_turns(broker: Broker, client: InProcessPeer) -> None:
    worker = peer_for(broker, b"a", b"b", b"c")
    for priority, name in enumerate((b"h", b"n", b"l")):
        for function in (b"a", b"b", b"c"):
            for number in (b"1", b"2"):
                submitted(client, function, function + name + number, priority=priority)
    assert payloads(worker) == [
        function + name + number
        for name in (b"h", b"n", b"l")
        for number in (b"1", b"2")
        for function in (b"c", b"b", b"a")
    ]


def test_only_the_function_that_was_served_goes_to_the_end(broker: Broker, client: InProcessPeer) -> None:
    worker = peer_for(broker, b"a", b"b", b"c")
    submitted(client, b"b", b"b1")
    assert payloads(worker) == [b"b1"]
    assert worker.abilities() == [b"c", b"a", b"b"]
    for name in (b"b", b"a", b"c"):
        submitted(client, name, name)
    assert payloads(worker) == [b"c", b"a", b"b"]


def test_a_worker_may_hold_two_jobs_of_two_functions_and_loses_neither(broker: Broker, client: InProcessPeer) -> None:
    worker = peer_for(broker, b"f", b"g")
    of_f, of_g = submitted(client, b"f"), submitted(client, b"g")
    assert {grabbed(worker), grabbed(worker)} == {of_f, of_g}
    assert worker.tell(of_f, Report.COMPLETE, b"F") is Reported.TAKEN
    assert worker.tell(of_g, Report.COMPLETE, b"G") is Reported.TAKEN
    assert client.heard == [(Report.COMPLETE, of_f, b"F"), (Report.COMPLETE, of_g, b"G")]
    assert broker.job_count == 0


def test_a_grab_shows_the_first_submitters_unique_and_payload(client: InProcessPeer, worker: InProcessPeer) -> None:
    handle = submitted(client, b"f", b"first", b"u")
    submitted(client, b"f", b"second", b"u")
    assert worker.grab() == (handle, b"f", b"u", b"first")


@pytest.mark.parametrize("size", [0, 1, 63, 64])
def test_uniques_of_every_length_up_to_64_are_kept_whole(
    client: InProcessPeer, worker: InProcessPeer, size: int
) -> None:
    unique = b"u" * size
    handle = submitted(client, b"f", b"x", unique)
    assert worker.grab() == (handle, b"f", unique, b"x")


def test_a_unique_of_65_bytes_is_refused(broker: Broker, client: InProcessPeer) -> None:
    with pytest.raises(ValueError, match="64"):
        client.submit(b"f", b"x", b"u" * 65)
    assert broker.job_count == 0


@pytest.mark.parametrize("size", [0, 65535, 65536, 65537, 131071, 131072, 131073])
def test_payloads_come_out_as_they_went_in(client: InProcessPeer, worker: InProcessPeer, size: int) -> None:
    payload = bytes(number % 253 for number in range(size))
    submitted(client, b"f", payload, b"u")
    assert payloads(worker) == [payload]
