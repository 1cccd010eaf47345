"""Schedules over the wire: cron= behind a function's name, and SUBMIT_JOB_SCHED."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gearfast import Config, Server
from gearfast.broker.timetable import Timetable
from gearfast.protocol.cron import next_after
from gearfast.server import calendar
from tests.support import wire
from tests.support.inside import Talk, played
from tests.support.peers import HOST

OFF = " (--submit-parameters=no reads names as they are)"
LITERAL = Config(listen=(HOST,), port=0, submit_parameters=False)
BERLIN = ZoneInfo("Europe/Berlin")

Row = tuple[float, bytes, bytes, bytes, bytes, bytes, float, bytes, int, int]


def schedules(server: Server) -> list[Row]:
    """All of them, by their handles."""
    cursor, found = Timetable(server.broker).scan(0)
    while cursor:
        cursor, more = Timetable(server.broker).scan(cursor)
        found += more
    return sorted(found, key=lambda row: int(row[1].rpartition(b":")[2]))


async def submitted(client: Talk, name: str, unique: str = "", payload: str = "x") -> bytes:
    """The handle of a job or a schedule."""
    answer = await client.call(wire.SUBMIT_JOB_BG, name, unique, payload=payload)
    assert answer.name == "JOB_CREATED", answer.body
    return answer.body


async def packet(client: Talk, *fields: str, name: str = "f", unique: str = "u") -> wire.Packet:
    """The answer to a SUBMIT_JOB_SCHED."""
    return await client.call(wire.SUBMIT_JOB_SCHED, name, unique, *fields, payload="x")


async def refused(client: Talk, answer: wire.Packet) -> str:
    """The text of an ERROR INVALID_PARAMETER; whatever it was, the stream is in step."""
    assert answer.name == "ERROR", answer.body
    code, _, text = answer.body.decode().partition("\0")
    assert code == "INVALID_PARAMETER"
    assert text.isprintable()
    assert (await client.call(wire.ECHO_REQ, payload="there")).body == b"there"
    return text


# --- submitting ---


def test_a_schedule_has_a_handle_and_its_date_and_is_no_job() -> None:
    async def scene(server: Server, client: Talk) -> None:
        before = time.time()
        handle = await submitted(client, "report;cron=30 3 * * mon-fri;tz=Europe/Berlin", "nightly")
        (row,) = schedules(server)
        assert row == (
            next_after("30 3 * * mon-fri", "Europe/Berlin", before),
            *(handle, b"report", b"nightly", b"30 3 * * mon-fri", b"Europe/Berlin", 0.0, b"", 0, 0),
        )
        answer = await client.call(wire.GET_STATUS, handle)
        assert answer.args() == [handle, b"1", b"0", b"0", b"0"]
        assert (await client.call(wire.GET_STATUS_UNIQUE, "nightly")).args()[1] == b"0"
        assert server.broker.job_count == 0
        assert [(row.name, row.jobs) for row in server.functions()] == [(b"report", 0)]

    played(scene)


def test_submitted_again_it_is_the_same_one_with_another_date() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f;cron=0 3 1 1 *;tz=UTC", "u")
        again = await submitted(client, "f;tz=UTC;cron=0 4 1 1 *;overlap=queue", "u", payload="new")
        assert (await packet(client, "0", "5", "1", "1", "")).body == handle == again
        (row,) = schedules(server)
        assert row[4] == b"0 5 1 1 *"
        assert row[0] == next_after("0 5 1 1 *", "", time.time())
        assert await submitted(client, "f;cron=0 3 1 1 *", "v") != handle
        assert await submitted(client, "g;cron=0 3 1 1 *", "u") != handle
        assert len(schedules(server)) == 3

    played(scene)


@pytest.mark.parametrize(
    ("fields", "cron"),
    [
        (("", "", "", "", ""), "* * * * *"),
        (("*", "*", "*", "*", "*"), "* * * * *"),
        (("1", "2", "3", "4", ""), "1 2 3 4 *"),
        (("1", "2", "3", "4", "5"), "1 2 3 4 6"),
        (("0,30", "8-18", "*", "*", "mon-fri"), "0,30 8-18 * * mon-fri"),
        (("*/15", "0-23/2", "1-7", "jan,jul", "SUN"), "*/15 0-23/2 1-7 jan,jul SUN"),
        (("0", "0", "L", "2", ""), "0 0 L 2 *"),
        *((("0", "0", "", "", str(day)), f"0 0 * * {day + 1}") for day in range(7)),
        (("0", "0", "", "", "0-4"), "0 0 * * 1-5"),
        (("0", "0", "", "", "5,6"), "0 0 * * 6,7"),
        (("0", "0", "", "", "5-6"), "0 0 * * 6-7"),
        (("0", "0", "", "", "*/2"), "0 0 * * 1-7/2"),
    ],
)
@pytest.mark.parametrize("config", [Config(listen=(HOST,), port=0), LITERAL], ids=["parameters", "literal"])
def test_every_field_of_the_packet(fields: tuple[str, ...], cron: str, config: Config) -> None:
    async def scene(server: Server, client: Talk) -> None:
        before = time.time()
        answer = await packet(client, *fields)
        assert answer.name == "JOB_CREATED", answer.body
        (row,) = schedules(server)
        assert (row[1], row[2], row[3], row[4], row[5]) == (answer.body, b"f", b"u", cron.encode(), b"")
        assert row[0] in {next_after(cron, "", moment) for moment in (before, time.time())}

    played(scene, config)


def test_the_packets_week_begins_on_monday() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for day in range(7):
            await packet(client, "0", "12", "", "", str(day), unique=str(day), name="f;tz=UTC")
        assert [datetime.fromtimestamp(row[0], UTC).weekday() for row in schedules(server)] == list(range(7))

    played(scene)


def test_the_packet_takes_parameters_as_well_unless_names_are_read_as_they_are() -> None:
    async def scene(server: Server, client: Talk) -> None:
        answer = await packet(
            client, "0", "3", "", "", "", name="f;tz=Europe/Berlin;retries=3;priority=high;overlap=queue"
        )
        assert answer.name == "JOB_CREATED", answer.body
        assert schedules(server)[0][2:6] == (b"f", b"u", b"0 3 * * *", b"Europe/Berlin")
        shown = server.broker.show_job(answer.body)
        assert shown is not None
        assert (shown[0], shown[2]) == ("scheduled", 0)
        assert shown[9] == b"cron=0 3 * * *;tz=Europe/Berlin;retries=3;overlap=queue"

    async def literal(server: Server, client: Talk) -> None:
        for name in ("f;tz=UTC", "f;cron=* * * * *", ";", "f;"):
            assert (await packet(client, "0", "3", "", "", "", name=name)).name == "JOB_CREATED"
            assert schedules(server)[-1][2:6] == (name.encode(), b"u", b"0 3 * * *", b"")
        assert await submitted(client, "f;cron=0 3 * * *") not in {row[1] for row in schedules(server)}
        assert server.broker.job_count == 1, "a job of a function that is called so"

    played(scene)
    played(literal, LITERAL)


# --- mistakes ---

KEYS = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31, or L for the last",
    "month": "1 to 12, or jan to dec",
    "day of week": "0 to 6, Monday to Sunday, or mon to sun",
}
FORM = "also such as * or 1-5 or 1,3 or */2, not"


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    "bad", ["60", "-1", "x", " 1", "1 2", "1;2", "*/0", "5-1-2", "1,", ",1", "\u00e9", "\x1b[2J", "7" * 600]
)
def test_a_field_that_is_wrong_is_named_and_nothing_is_scheduled(place: int, bad: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        fields = [""] * 5
        fields[place] = bad
        name, allowed = list(KEYS.items())[place]
        text = await refused(client, await packet(client, *fields))
        assert text.startswith(f"the {name} of a cron has to be {allowed}, {FORM} '")
        assert len(text) < 300
        assert (schedules(server), server.functions()) == ([], [])

    played(scene)


OTHER = {
    "f;cron=* * * * *": "the submit parameter cron is given twice",
    "f;delay=5s": "the submit parameters delay and cron cannot be given together",
    "f;": "is written key=value, and not ''",
    "f;x=1": "'x' is not a submit parameter",
    "": "there is no name of a function before the semicolon",
    "f;tz=Mars": "tz has to be a zone of the zone database, such as Europe/Berlin, not 'Mars'",
}


@pytest.mark.parametrize(("name", "said"), OTHER.items())
def test_a_mistake_behind_the_packets_name_is_named(name: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert said in await refused(client, await packet(client, "", "", "", "", "", name=name))
        assert (schedules(server), server.functions()) == ([], [])

    played(scene)


def test_a_packet_that_asks_for_too_much() -> None:
    async def scene(server: Server, client: Talk) -> None:
        long = [",".join(map(str, range(60))), ",".join(map(str, range(24))), "1,2,3,4,5,6,7,8,9"]
        assert "at most 255 bytes" in await refused(client, await packet(client, *long, "", ""))
        assert "a day that comes at some time" in await refused(client, await packet(client, "0", "0", "30", "2", ""))
        answer = await packet(client, "", "", "", "", "", unique="u" * 65)
        assert answer.body == b"ARGUMENT_TOO_LARGE\0Unique value too large"
        assert schedules(server) == []

    played(scene)


BAD = {
    "cron=": "cron has to be five fields: minute, hour, day of month, month, day of week",
    "cron=* * * *": "cron has to be five fields",
    "cron=* * * * * *": "cron has to be five fields",
    "cron=@daily": "cron has to be five fields",
    "cron=60 * * * *": "the minute of a cron has to be 0 to 59",
    "cron=* 24 * * *": "the hour of a cron has to be 0 to 23",
    "cron=* * 0 * *": "the day of month of a cron has to be 1 to 31",
    "cron=* * * 13 *": "the month of a cron has to be 1 to 12",
    "cron=* * * * 8": "the day of week of a cron has to be 0 to 7, Sunday to Sunday, or sun to sat",
    "cron=0 0 31 2 *": "cron has to name a day that comes at some time, such as 29 2",
    "cron=0 0 * * *;tz=": "tz has to be",
    "cron=0 0 * * *;tz=Europe/Berlim": "a zone of the zone database, such as Europe/Berlin, not 'Europe/Berlim'",
    "cron=0 0 * * *;tz=../../etc/passwd": "tz has to be a zone of the zone database",
    "cron=0 0 * * *;tz=Europe": "tz has to be a zone of the zone database",
    "cron=0 0 * * *;overlap=both": "overlap has to be",
    "cron=0 0 * * *;catchup=all": "catchup has to be",
    "cron=0 0 * * *;cron=0 0 * * *": "cron is given twice",
    "cron=0 0 * * *;delay=5s": "cannot be given together",
    "at=0;cron=0 0 * * *": "cannot be given together",
    "cron=0 0 * * *;unique_ttl=1h": "cannot be given together",
    "cron=0 0 * * *;duplicate=replace": "cannot be given together",
    "tz=UTC": "tz",
    "overlap=skip": "overlap",
    "catchup=once": "catchup",
}


@pytest.mark.parametrize(("text", "said"), BAD.items())
def test_a_mistake_is_named(text: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        for _ in range(2):  # what was wrong once is wrong again
            told = await refused(client, await client.call(wire.SUBMIT_JOB_BG, f"f;{text}", "u", payload="x"))
            assert said in told
            assert told.endswith(OFF)
        assert (schedules(server), server.broker.job_count, server.functions()) == ([], 0, [])

    played(scene)


@pytest.mark.parametrize("kind", [wire.SUBMIT_JOB, wire.SUBMIT_JOB_HIGH, wire.SUBMIT_JOB_LOW])
def test_nobody_waits_for_a_schedule(kind: int) -> None:
    async def scene(server: Server, client: Talk) -> None:
        for text in ("cron=* * * * *", "overlap=queue;cron=* * * * *"):
            told = await refused(client, await client.call(kind, f"f;{text}", "u", payload="x"))
            assert "is for background jobs: a client waits for this one" in told
        assert schedules(server) == []

    played(scene)


# --- firing: the server's own clock, and a calendar's that the test sets ---


@contextmanager
def calendar_of(begin: tuple[int, ...]) -> Iterator[list[float]]:
    """What the calendar takes for the time, in seconds since 1970: the only one of the list."""
    year, month, day, hour, minute = (*begin, 0, 0)[:5]
    now = [datetime(year, month, day, hour, minute, tzinfo=BERLIN).timestamp()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calendar, "wall", lambda: now[0])
        yield now


async def dated(server: Server) -> None:
    """The calendar has given all of them a date."""
    while Timetable(server.broker).undated(1):
        await asyncio.sleep(0)


async def firings(server: Server, now: list[float], most: int) -> list[datetime]:
    """When the only schedule fires, one after the other: the calendar's clock is set to each date."""
    found = []
    for _ in range(most):
        await dated(server)
        (row,) = schedules(server)
        now[0] = row[0]
        server.broker.tick(time.monotonic(), now[0])
        (after,) = schedules(server)
        assert after[8] + after[9] == row[8] + row[9] + 1
        assert after[6] == row[0]
        found.append(datetime.fromtimestamp(row[0], UTC))
        await asyncio.sleep(0)
    return found


def local(*moments: str) -> list[datetime]:
    """With their offsets, as UTC."""
    return [datetime.fromisoformat(moment).astimezone(UTC) for moment in moments]


YEARS = {
    "a time that is left out": (
        "30 2 * * *", (2028, 3, 24, 12),
        local("2028-03-25T02:30+01:00", "2028-03-26T03:00+02:00", "2028-03-27T02:30+02:00"),
    ),
    "a time that comes twice": (
        "30 2 * * *", (2028, 10, 27, 12),
        local("2028-10-28T02:30+02:00", "2028-10-29T02:30+02:00", "2028-10-30T02:30+01:00"),
    ),
    "every half hour in spring": (
        "*/30 * * * *", (2028, 3, 26, 1, 15),
        local("2028-03-26T01:30+01:00", "2028-03-26T03:00+02:00", "2028-03-26T03:30+02:00"),
    ),
    "every half hour in autumn": (
        "*/30 * * * *", (2028, 10, 29, 1, 45),
        local("2028-10-29T02:00+02:00", "2028-10-29T02:30+02:00", "2028-10-29T02:00+01:00", "2028-10-29T02:30+01:00",
              "2028-10-29T03:00+01:00"),
    ),
    "leap day": ("0 12 29 2 *", (2028, 3, 1), local("2032-02-29T12:00+01:00", "2036-02-29T12:00+01:00")),
    "the end of a year": (
        "59 23 31 12 *", (2028, 12, 31, 23, 58), local("2028-12-31T23:59+01:00", "2029-12-31T23:59+01:00"),
    ),
    "the last day of a month": (
        "0 0 L * *", (2028, 1, 31, 12), local("2028-02-29T00:00+01:00", "2028-03-31T00:00+02:00"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cron", "begin", "wanted"), YEARS.values(), ids=YEARS.keys())
def test_it_fires_as_the_calendar_of_its_zone_says(cron: str, begin: tuple[int, ...], wanted: list[datetime]) -> None:
    async def scene(server: Server, client: Talk) -> None:
        with calendar_of(begin) as now:
            handle = await submitted(client, f"f;cron={cron};tz=Europe/Berlin;overlap=queue", "u", payload="x")
            server.broker.tick(time.monotonic(), now[0])  # what the machine's own clock said is over
            await asyncio.sleep(0)
            assert await firings(server, now, len(wanted)) == wanted
            async with Talk(server) as worker:
                worker.say(wire.CAN_DO, "f")
                jobs = [await worker.call(wire.GRAB_JOB) for _ in range(schedules(server)[0][8])]
                assert {job.args(3)[1:] == [b"f", b"x"] for job in jobs} == {True}
                assert handle not in {job.args(3)[0] for job in jobs}
                assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"

    played(scene)


def test_in_a_server_where_nothing_else_happens_it_fires_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the timer, which is set to each date that the calendar gives."""
    monkeypatch.setattr(calendar, "following", lambda cron, zone, fired, now: max(now, fired) + 0.02)

    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            worker.say(wire.PRE_SLEEP)
            await worker.call(wire.ECHO_REQ, payload="it sleeps")
            await submitted(client, "f;cron=0 0 1 1 *;overlap=queue", "u")
            server.broker.tick(time.monotonic(), time.time() - 3600.0)  # the clock is set back: another date
            server.calendar.date_soon()
            assert (await worker.hear()).name == "NOOP"
            while schedules(server)[0][8] < 5:
                await asyncio.sleep(0.01)

    played(scene)


def test_very_many_get_their_dates_some_at_a_time() -> None:
    async def scene(server: Server, client: Talk) -> None:
        many = 5 * calendar.SOME + 7
        for number in range(many):
            client.say(wire.SUBMIT_JOB_BG, "f;cron=0 0 1 1 *", str(number), payload="x")
        assert {(await client.hear()).name for _ in range(many)} == {"JOB_CREATED"}
        server.broker.tick(time.monotonic(), time.time() - 3600.0)
        left = [len(Timetable(server.broker).undated(many))]
        while left[-1]:
            server.calendar.date_some()
            left.append(len(Timetable(server.broker).undated(many)))
        assert left == [*range(many, 0, -calendar.SOME), 0]
        assert len({row[0] for row in schedules(server)}) == 1

    played(scene)


def test_very_many_get_their_dates_in_another_zone_some_at_a_time_and_none_is_without_one() -> None:
    async def scene(server: Server, client: Talk) -> None:
        many = 5 * calendar.SOME + 7
        for number in range(many):
            client.say(wire.SUBMIT_JOB_BG, f"f;cron={number % 60} 3 * * *", str(number), payload="x")
        assert {(await client.hear()).name for _ in range(many)} == {"JOB_CREATED"}
        before = {row[1]: row[0] for row in schedules(server)}
        server.policies.set(b"f", {"tz": "Asia/Kolkata"})
        server.calendar.zones_changed()
        server.policies.set(b"f", {"tz": "Asia/Tokyo"})  # while it is busy with the one before
        server.calendar.zones_changed()
        while server.calendar.cursor is not None:
            assert Timetable(server.broker).undated(1) == []
            server.calendar.change_some()
        after = {row[1]: row[0] for row in schedules(server)}
        assert {datetime.fromtimestamp(due, UTC).hour for due in after.values()} == {18}
        assert all(after[handle] != due for handle, due in before.items())

    played(scene)


def test_the_calendar_goes_on_when_a_zone_is_there_no_more(caplog: pytest.LogCaptureFixture) -> None:
    assert calendar.following(b"* * * * *", b"Europe/Nowhere", 0.0, 1e9) == float("inf")
    assert "A schedule does not fire any more: tz has to be a zone" in caplog.text
