"""Submit parameters: `name;key=value` from a client that knows nothing of them."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gearfast import Config, Server
from gearfast.protocol import parameters
from tests.support import wire
from tests.support.inside import Talk, played
from tests.support.peers import HOST

SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
OFF = "(--submit-parameters=no reads names as they are)"
KEYS = tuple(parameters.keys())


async def due_of(server: Server, client: Talk, name: str) -> float:
    """When the only job, of that name, is due; 0: it is not delayed."""
    answer = await client.call(wire.SUBMIT_JOB_BG, name, "", payload="x")
    assert answer.name == "JOB_CREATED", answer.body
    due = server.broker.soonest
    assert server.broker.delayed_count == (due < math.inf)
    assert server.broker.cancel_job(answer.body)
    return due if due < math.inf else 0.0


def functions(server: Server) -> list[bytes]:
    """The names that the server knows."""
    return [figures.name for figures in server.functions()]


def test_the_order_that_is_closed_after_twenty_minutes() -> None:
    async def scene(server: Server, client: Talk) -> None:
        before = time.time()
        due = await due_of(server, client, "closeOrder;delay=20m")
        assert before + 1200 <= due <= time.time() + 1200
        assert functions(server) == [b"closeOrder"]

    played(scene)


@given(st.lists(st.sampled_from(list(SECONDS)), min_size=1, max_size=5, unique=True), st.data())
@settings(max_examples=150, deadline=None)
def test_durations(units: list[str], data: st.DataObject) -> None:
    """Sums, from the large unit to the small one, with fractions."""
    numbers = [data.draw(st.floats(0, 7000).map(lambda number: f"{number:.{len(units)}f}")) for _ in units]
    parts = [(number, unit) for unit in SECONDS if unit in units for number in numbers[:1]]
    text = "".join(number + unit for number, unit in parts)
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)

    async def scene(server: Server, client: Talk) -> None:
        before = time.time()
        due = await due_of(server, client, f"f;delay={text}")
        if due:
            assert before + seconds - 1e-5 <= due <= time.time() + seconds + 1e-5
        else:
            assert seconds < 1

    played(scene)


ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2030, 1, 2), datetime(2199, 12, 30), timezones=ZONES))
@example(datetime(2096, 2, 29, 23, 59, 59, tzinfo=UTC))
@example(datetime(2100, 3, 1, tzinfo=timezone(-timedelta(hours=12))))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_moments(moment: datetime) -> None:
    """As `datetime` writes them, and as other people do; and as seconds since 1970."""

    async def scene(server: Server, client: Talk) -> None:
        whole = moment.replace(microsecond=0)
        zone = moment.isoformat()[-6:]
        for text, wanted in (
            (moment.isoformat(), moment.timestamp()),
            (whole.isoformat(" "), whole.timestamp()),
            (whole.strftime("%Y-%m-%dT%H:%M:%S") + zone.replace(":", ""), whole.timestamp()),
            (whole.strftime("%Y-%m-%dT%H:%M") + zone, whole.replace(second=0).timestamp()),
            (whole.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), whole.timestamp()),
            (f"{moment.timestamp():.6f}", moment.timestamp()),
            (f"{whole.timestamp():.0f}", whole.timestamp()),
        ):
            assert await due_of(server, client, f"f;at={text}") == pytest.approx(wanted, abs=1e-5), text

    played(scene)


def test_what_is_past_is_due_at_once() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for text in (
            "at=0",
            "at=100000000",
            "at=1970-01-01T00:00Z",
            "at=2001-09-09T01:46:40.5+00:00",
            "delay=0s",
            "delay=0.000ms",
        ):
            assert await due_of(server, client, f"f;{text}") == 0

    played(scene)


def test_a_priority_is_the_strongest_word() -> None:
    """Whatever packet it came in; and a foreground job has one, too."""

    async def scene(server: Server, client: Talk) -> None:
        for kind, name in (
            (wire.SUBMIT_JOB_HIGH_BG, "f;priority=low"),
            (wire.SUBMIT_JOB, "f;priority=normal"),
            (wire.SUBMIT_JOB_LOW_BG, "f;priority=high"),
        ):
            assert (await client.call(kind, name, "", payload=name)).name == "JOB_CREATED"
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            order = [(await worker.call(wire.GRAB_JOB)).args(3)[2].rpartition(b"=")[2] for _ in range(3)]
        assert order == [b"high", b"normal", b"low"]

    played(scene)


BAD = {
    "": "is written key=value, and not ''",
    "delay": "is written key=value, and not 'delay'",
    "delay=5s;": "is written key=value, and not ''",
    "delay=5s;;priority=low": "is written key=value, and not ''",
    "dealy=5s": f"'dealy' is not a submit parameter; there are {', '.join(KEYS)}",
    "=5s": "'' is not a submit parameter",
    " delay=5s": "' delay' is not a submit parameter",
    "Delay=5s": "'Delay' is not a submit parameter",
    "delay=5s;delay=5s": "the submit parameter delay is given twice",
    "delay=5s;at=0": "the submit parameters at and delay cannot be given together",
    "at=0;delay=5s": "the submit parameters delay and at cannot be given together",
    "priority=urgent": "priority has to be high, normal or low, and not 'urgent'",
    "priority=": "priority has to be high, normal or low, and not ''",
    **{
        f"delay={text}": f"delay has to be {parameters.keys()['delay']}, and not '{text}'"
        for text in (
            *(
                "",
                "20",
                "20x",
                "m",
                "-5s",
                "+5s",
                "5 s",
                "1.s",
                ".5s",
                "1,5s",
                "5s1h",
                "5s5s",
                "1m1m",
                "1h 30m",
                "1e3s",
            ),
            *("36500.1d", "9999999999999999s", "nan", "inf", "5M", "1h30", "0x10s", "1..5s", "5ss", "5mss"),
        )
    },
    **{
        f"at={text}": f"seconds since 1970, and not '{text}'"
        for text in (
            *(
                "",
                "tomorrow",
                "-1",
                "1e9",
                "100000000000",
                "2030",
                "20301224",
                "99999999",
                "20301224T180000Z",
                "2026-12-24",
                "2026-12-24T18:00",
                "2026-12-24T18:00:00",
            ),
            *("2026-12-24T24:00Z", "2026-12-24T18:60Z", "2026-12-24T18:00:60Z", "2026-13-01T00:00Z"),
            *("2026-00-01T00:00Z", "2026-02-29T00:00Z", "2028-02-30T00:00Z", "2100-02-29T00:00Z"),
            *("2026-04-31T00:00Z", "2026-01-00T00:00Z", "1969-12-31T23:59Z", "2026-12-24T18:00+24:00"),
            *("2026-12-24T18:00+01:60", "2026-12-24T18:00+1", "26-12-24T18:00Z", "2026-12-24T18:00Zx"),
            *("2026-12-24T18:00:Z", "2026-12-24T18:00:5Z", "2026-12-24T18:00:05.Z", "2026-12-24X18:00Z"),
            *("2026-12-24T18:00:005Z", "2026-12-24T18:00:60.5Z", "2026-12-24T18:00.5Z", "2026-12-24T18:00:05.5.5Z"),
        )
    },
}


@pytest.mark.parametrize(("text", "said"), BAD.items())
def test_a_mistake_is_named_and_nothing_is_queued(text: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        for _ in range(2):  # what was wrong once is wrong again
            answer = await client.call(wire.SUBMIT_JOB_BG, f"f;{text}", "u", payload="x")
            assert answer.name == "ERROR"
            code, _, told = answer.body.decode().partition("\0")
            assert code == "INVALID_PARAMETER"
            assert said in told
            assert told.endswith(OFF)
        assert server.broker.job_count == 0
        assert functions(server) == []
        assert (await client.call(wire.SUBMIT_JOB_BG, "f;priority=low", "", payload="x")).name == "JOB_CREATED"

    played(scene)


@given(st.binary(max_size=80).map(lambda text: text.replace(b"\0", b"")))
@settings(max_examples=300, deadline=None)
def test_no_text_does_harm(text: bytes) -> None:
    """An answer of one line in either case, and the stream stays in step."""

    async def scene(server: Server, client: Talk) -> None:
        answer = await client.call(wire.SUBMIT_JOB_BG, b"f;" + text, b"", payload=b"x")
        assert answer.name in ("JOB_CREATED", "ERROR")
        assert server.broker.job_count == (answer.name == "JOB_CREATED")
        if answer.name == "ERROR":
            assert answer.body.startswith(b"INVALID_PARAMETER\0")
            assert answer.body.partition(b"\0")[2].decode().isprintable()
        assert (await client.call(wire.ECHO_REQ, payload=b"there")).body == b"there"

    played(scene)


@pytest.mark.parametrize("text", ["delay=5s", "at=9999999999"])
def test_nobody_waits_for_what_is_due_later(text: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        answer = await client.call(wire.SUBMIT_JOB, f"f;{text}", "", payload="x")
        assert answer.name == "ERROR"
        assert f"{text[: text.index('=')]} is for background jobs: a client waits".encode() in answer.body
        assert server.broker.job_count == 0

    played(scene)


def test_a_packet_with_a_time_has_no_other() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for moment in ("9999999999", "0", "-5"):
            answer = await client.call(wire.SUBMIT_JOB_EPOCH, "f;delay=5s", "", moment, payload="x")
            assert answer.name == "ERROR"
            assert b"SUBMIT_JOB_EPOCH has its own time" in answer.body
        answer = await client.call(wire.SUBMIT_JOB_EPOCH, "f;priority=low", "", "0", payload="x")
        assert server.broker.delayed_count == 0
        assert server.broker.cancel_job(answer.body)
        answer = await client.call(wire.SUBMIT_JOB_EPOCH, "f;priority=low", "", "9999999999", payload="x")
        assert answer.name == "JOB_CREATED"
        assert server.broker.soonest == 9999999999

    played(scene)


def test_a_name_that_a_worker_has_registered_is_a_name() -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f;delay=20m")
            await worker.call(wire.ECHO_REQ, payload="")
            assert await due_of(server, client, "f;delay=20m") == 0
            assert functions(server) == [b"f;delay=20m"]
            assert await due_of(server, client, "f;delay=21m") > 0
        # ... and stays one for a while, so that what is submitted meanwhile waits for its next worker.
        assert await due_of(server, client, "f;delay=20m") == 0

    played(scene)


def test_parameters_of_nothing_are_a_mistake() -> None:
    async def scene(server: Server, client: Talk) -> None:
        answer = await client.call(wire.SUBMIT_JOB_BG, ";delay=5s", "", payload="x")
        assert answer.name == "ERROR"
        assert b"no name of a function before the semicolon" in answer.body
        assert server.broker.job_count == 0

    played(scene)


def test_without_parameters_all_names_are_names() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for name in ("f;delay=20m", "f;", ";", "f;dealy=x"):
            assert await due_of(server, client, name) == 0

    played(scene, Config(listen=(HOST,), port=0, submit_parameters=False))


def test_more_texts_than_are_remembered() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for _ in range(2):
            for number in range(300):
                assert await due_of(server, client, f"f;at={4_000_000_000 + number}") == 4_000_000_000 + number
            assert await due_of(server, client, f"f;at=4000000000.{'0' * 90}") == 4_000_000_000

    played(scene)


def test_what_lasts_is_kept_by_the_job_and_the_rest_is_not() -> None:
    """In the order in which it was given; jobs that ask the same share it."""

    async def scene(server: Server, client: Talk) -> None:
        for text, kept in (
            (
                "retries=3;backoff=exponential:1s..5m+jitter;timeout=30s",
                b"retries=3;backoff=exponential:1s..5m+jitter;timeout=30s",
            ),
            ("delay=1h;timeout=30s;priority=high;retries=0", b"timeout=30s;retries=0"),
            ("delay=1h", b""),
        ):
            for _ in range(2):
                answer = await client.call(wire.SUBMIT_JOB_BG, f"f;{text}", "", payload="x")
                assert answer.name == "JOB_CREATED", answer.body
                found = server.broker.show_job(answer.body)
                assert found is not None
                assert (found[1], found[9]) == (b"f", kept)

    played(scene)


def test_a_job_that_fails_is_tried_again_for_any_client_and_worker() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = (await client.call(wire.SUBMIT_JOB_BG, "f;retries=1", "", payload="x")).body
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            for state in ("queued", "buried"):
                assert (await worker.call(wire.GRAB_JOB)).args(2)[0] == handle
                worker.say(wire.WORK_FAIL, handle)
                await worker.call(wire.ECHO_REQ, payload="")
                found = server.broker.show_job(handle)
                assert found is not None
                assert found[0] == state
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"

    played(scene)


@pytest.mark.parametrize("text", ["retries=2", "backoff=fixed:1s"])
def test_a_client_that_waits_is_told_of_the_first_failure(text: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        answer = await client.call(wire.SUBMIT_JOB, f"f;{text}", "", payload="x")
        assert answer.name == "ERROR"
        assert f"{text[: text.index('=')]} is for background jobs".encode() in answer.body
        assert (await client.call(wire.SUBMIT_JOB, "f;timeout=5s;priority=low", "", payload="x")).name == "JOB_CREATED"

    played(scene)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        *(
            (f"retries={n}", "retries has to be a number from 0 to 1000")
            for n in ("", "-1", "1001", "9" * 99, "1.5", "x")
        ),
        *(
            (f"backoff={b}", "backoff has to be fixed:10s or exponential:1s..5m")
            for b in (
                "",
                "10s",
                "fixed:",
                "fixed:x",
                "linear:1s",
                "exponential:1s",
                "exponential:5m..1s",
                "fixed:1s+jit",
            )
        ),
        *((f"timeout={t}", "timeout has to be a duration above 0") for t in ("", "0s", "30", "-1s")),
        (f"at={'0' * 300}", "submit parameters have at most 255 bytes, and not 303"),
    ],
)
def test_a_mistake_in_what_lasts_is_named(text: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        answer = await client.call(wire.SUBMIT_JOB_BG, f"f;{text}", "", payload="x")
        assert answer.name == "ERROR"
        assert said.encode() in answer.body
        assert server.broker.job_count == 0

    played(scene)
