"""The queue by itself: three lanes, and a heap of what is due later."""

from __future__ import annotations

import heapq
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gearfast.handle import Handles
from gearfast.jobqueue import JobQueue, Priority


def drained(queue: JobQueue, now: float = 0.0) -> list[bytes]:
    """All that is due."""
    return list(iter(lambda: queue.pop(now), None))


def test_a_new_queue_is_empty() -> None:
    queue = JobQueue()
    assert (len(queue), queue.count, queue.soonest, queue.pop()) == (0, 0, math.inf, None)


def test_payloads_of_one_priority_leave_in_order() -> None:
    queue = JobQueue()
    for number in range(1000):
        queue.push(b"%d" % number)
    assert len(queue) == queue.count == 1000
    assert drained(queue) == [b"%d" % number for number in range(1000)]
    assert len(queue) == 0


def test_high_leaves_before_normal_before_low() -> None:
    queue = JobQueue()
    for priority in (Priority.LOW, Priority.HIGH, Priority.NORMAL):
        queue.push(priority.name.encode(), priority)
    assert drained(queue) == [b"HIGH", b"NORMAL", b"LOW"]


def test_what_is_due_later_waits_and_goes_to_the_end_of_its_lane() -> None:
    queue = JobQueue()
    queue.push(b"later", Priority.HIGH, 10.0)
    queue.push(b"low", Priority.LOW)
    queue.push(b"high", Priority.HIGH)
    assert queue.soonest == 10.0
    assert queue.pop(9.5) == b"high"
    queue.push(b"high again", Priority.HIGH)
    assert drained(queue, 10.0) == [b"high again", b"later", b"low"]


@pytest.mark.parametrize("priority", [-(2**31), -1, 3, 256])
def test_a_priority_that_is_none_is_refused(priority: int) -> None:
    queue = JobQueue()
    with pytest.raises(ValueError, match=str(priority)):
        queue.push(b"x", priority)
    assert len(queue) == 0


@pytest.mark.parametrize("due", [math.inf, math.nan])
def test_a_moment_that_never_comes_is_refused(due: float) -> None:
    queue = JobQueue()
    with pytest.raises(ValueError):
        queue.push(b"x", due=due)
    assert len(queue) == 0


@pytest.mark.parametrize("due", [0.0, -1.0, -math.inf])
def test_a_moment_that_has_passed_is_now(due: float) -> None:
    queue = JobQueue()
    queue.push(b"x", due=due)
    assert queue.pop() == b"x"


def test_none_is_no_payload() -> None:
    with pytest.raises(TypeError):
        JobQueue().push(None)  # type: ignore[arg-type]


def test_a_queue_forgotten_with_payloads_takes_them_along() -> None:
    queue = JobQueue()
    for number in range(1000):
        queue.push(b"x" * number, number % 3, float(number % 5))
    del queue


pushes = st.tuples(st.integers(0, 2), st.integers(0, 4).map(float))
steps = st.lists(st.one_of(pushes, st.sampled_from(["pop", "later"])), max_size=60)


@settings(deadline=None)
@given(steps)
def test_any_order_of_pushes_and_pops_is_what_a_sorted_list_makes_of_it(
    script: list[tuple[int, float] | str],
) -> None:
    queue, now = JobQueue(), 0.0
    delayed: list[tuple[float, int, int]] = []
    lanes: list[list[int]] = [[], [], []]
    for number, step in enumerate(script):
        if step == "later":
            now += 1.0
        elif step == "pop":
            while delayed and delayed[0][0] <= now:
                _, order, priority = heapq.heappop(delayed)
                lanes[priority].append(order)
            lane = next((lane for lane in lanes if lane), None)
            assert queue.pop(now) == (b"%d" % lane.pop(0) if lane else None)
        elif not isinstance(step, str):
            priority, due = step
            queue.push(b"%d" % number, priority, due)
            if due > 0:
                heapq.heappush(delayed, (due, number, priority))
            else:
                lanes[priority].append(number)
        assert len(queue) == len(delayed) + sum(map(len, lanes))
        assert queue.soonest == (delayed[0][0] if delayed else math.inf)


# --- handles (protocol section 3.1) ---


@pytest.mark.parametrize("number", [0, 1, 9, 10, 4294967296, 2**64 - 1])
def test_a_handle_is_written_as_the_prefix_and_the_number(number: int) -> None:
    assert Handles(b"H:here").format(number) == b"H:here:%d" % number


@pytest.mark.parametrize("number", [1, 10, 4294967296, 10**18])
def test_a_handle_is_read_as_it_is_written(number: int) -> None:
    handles = Handles(b"H:here")
    assert handles.number(handles.format(number)) == number


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"H",
        b"H:here",
        b"H:here:",
        b"H:here:0",
        b"H:here:01",
        b"H:here:1\0",
        b"H:here:1 ",
        b"H:here: 1",
        b"H:here:-1",
        b"H:here:1x",
        b"H:there:1",
        b"h:here:1",
        b"H:here:" + b"9" * 20,
        b"H:here:" + b"1" * 100,
    ],
)
def test_what_is_not_ours_is_no_handle(text: bytes) -> None:
    assert Handles(b"H:here").number(text) == 0


def test_a_prefix_may_be_empty_and_has_at_most_42_bytes() -> None:
    assert Handles(b"").format(7) == b":7"
    assert len(Handles(b"p" * 42).format(2**64 - 1)) == 63
    with pytest.raises(ValueError, match="42"):
        Handles(b"p" * 43)
