"""Recurring schedules: when a cron fires, what is refused, and the fields of SUBMIT_JOB_SCHED."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gearfast.protocol import cron

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
ZONES = (BERLIN, NEW_YORK, LORD_HOWE)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
QUICK = 1.0
"""Seconds of the processor in which anything is answered: a hundred times what the worst takes, as the collector may
come in between, and what it finds is that of all tests. Days that never come would take far more."""


def at(text: str) -> float:
    """Return the moment of a text such as 2026-03-29T01:00+01:00."""
    return datetime.fromisoformat(text).timestamp()


def firings(text: str, zone: str, begin: str, count: int) -> list[str]:
    """Return how the zone's clocks show the next firings: with the offset, where it is not that of the beginning."""
    moment, shown = at(begin), []
    usual = datetime.fromisoformat(begin).utcoffset()
    for _ in range(count):
        moment = cron.next_after(text, zone, moment)
        local = datetime.fromtimestamp(moment, ZoneInfo(zone))
        shown.append(f"{local:%m-%d %H:%M}" + ("" if local.utcoffset() == usual else f"{local:%z}"))
    return shown


# --- clocks that are set ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "zone", "begin", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-03-28T00:00+01:00", ["03-28 02:30", "03-29 03:00+0200", "03-30 02:30+0200"]),
        ("30 2 * * *", NEW_YORK, "2026-03-07T00:00-05:00", ["03-07 02:30", "03-08 03:00-0400", "03-09 02:30-0400"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03T00:00+10:30", ["10-03 02:15", "10-04 02:30+1100", "10-05 02:15+1100"]),
        # all that is left out is fired for once, and so is what stands at the first minute behind it
        ("0-59/10 2 * * *", BERLIN, "2026-03-29T00:00+01:00", ["03-29 03:00+0200", "03-30 02:00+0200"]),
        ("0,30 2-3 * * *", BERLIN, "2026-03-29T00:00+01:00", ["03-29 03:00+0200", "03-29 03:30+0200"]),
    ],
)
def test_a_time_that_does_not_exist_is_the_first_one_behind_the_gap(
    text: str, zone: str, begin: str, expected: list[str]
) -> None:
    assert firings(text, zone, begin, len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "zone", "begin", "expected"),
    [
        ("30 2 * * *", BERLIN, "2026-10-24T04:00+02:00", ["10-25 02:30", "10-26 02:30+0100"]),
        ("30 1 * * *", NEW_YORK, "2026-10-31T04:00-04:00", ["11-01 01:30", "11-02 01:30-0500"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04T04:00+11:00", ["04-05 01:45", "04-06 01:45+1030"]),
        ("0,20,40 2 * * *", BERLIN, "2026-10-25T00:00+02:00", ["10-25 02:00", "10-25 02:20", "10-25 02:40"]),
    ],
)
def test_a_time_that_is_there_twice_fires_at_the_first(text: str, zone: str, begin: str, expected: list[str]) -> None:
    assert firings(text, zone, begin, len(expected)) == expected


@pytest.mark.parametrize(
    ("zone", "second", "expected"),
    [
        (BERLIN, "2026-10-25T02:10+01:00", "2026-10-26T02:30+01:00"),
        (NEW_YORK, "2026-11-01T01:10-05:00", "2026-11-01T02:30-05:00"),
        (LORD_HOWE, "2026-04-05T01:40+10:30", "2026-04-05T02:30+10:30"),
    ],
)
def test_what_was_in_the_first_of_two_hours_is_past_in_the_second(zone: str, second: str, expected: str) -> None:
    assert cron.next_after("30 2 * * *", zone, at(second)) == at(expected)
    assert cron.next_after("0-59 2 * * *", BERLIN, at("2026-10-25T02:10+01:00")) == at("2026-10-26T02:00+01:00")


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        (BERLIN, ("2026-03-29T02:00+01:00", "2026-10-25T03:00+02:00")),
        (NEW_YORK, ("2026-03-08T02:00-05:00", "2026-11-01T02:00-04:00")),
        (LORD_HOWE, ("2026-10-04T02:00+10:30", "2026-04-05T02:00+11:00")),
    ],
)
@pytest.mark.parametrize(("text", "minutes"), [("* * * * *", 1), ("*/5 * * * *", 5), ("*/30 * * * *", 30)])
def test_every_few_minutes_goes_on_in_real_time(zone: str, changes: tuple[str, str], text: str, minutes: int) -> None:
    for change in changes:
        moment = at(change) - 3 * 3600
        for _ in range(6 * 60 // minutes):
            assert cron.next_after(text, zone, moment) == moment + minutes * 60
            moment += minutes * 60


@pytest.mark.parametrize("text", ["0 * * * *", "30 */1 * * *", "7 0-23 * * *"])
@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
def test_hourly_goes_on_in_real_time_unless_its_hours_are_listed(text: str, zone: str) -> None:
    moment = at("2026-01-01T00:00+00:00")
    end = at("2027-01-01T00:00+00:00")
    gaps = []
    moment = cron.next_after(text, zone, moment)
    while moment < end:
        following = cron.next_after(text, zone, moment)
        gaps.append(round((following - moment) / 60))
        moment = following
    if text == "7 0-23 * * *":  # fixed times: what the gap leaves out comes at its end, the double hour fires once
        assert [gap for gap in gaps if gap != 60] == [53, 7, 120]
    else:
        assert set(gaps) == {60}


def test_hourly_at_half_an_hours_shift() -> None:
    """By the clock, which shows the full hour after 90 minutes."""
    assert firings("0 * * * *", LORD_HOWE, "2026-10-04T00:30+10:30", 3) == [
        "10-04 01:00",
        "10-04 03:00+1100",
        "10-04 04:00+1100",
    ]
    assert firings("0 * * * *", LORD_HOWE, "2026-04-05T00:30+11:00", 3) == [
        "04-05 01:00",
        "04-05 02:00+1030",
        "04-05 03:00+1030",
    ]


def test_the_two_rough_corners() -> None:
    """Of cronsim, and told of in the room: should it mend them, this is to be turned round."""
    assert firings("*/20 12 * * *", LORD_HOWE, "2026-10-04T00:00+10:30", 2) == ["10-04 12:40+1100", "10-05 12:00+1100"]
    assert firings("*/20 12 * * *", LORD_HOWE, "2026-10-05T00:00+11:00", 2) == ["10-05 12:00", "10-05 12:20"]
    santiago = "America/Santiago"
    assert firings("*/20 0 * * sun", santiago, "2026-09-05T12:00-04:00", 2) == ["09-06 01:00-0300", "09-13 00:00-0300"]


# --- days and times -----------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
def test_leap_day(zone: str) -> None:
    moment, years = at("2026-01-01T00:00+00:00"), []
    for _ in range(4):
        moment = cron.next_after("0 12 29 2 *", zone, moment)
        local = datetime.fromtimestamp(moment, ZoneInfo(zone))
        assert (local.month, local.day, local.hour, local.minute) == (2, 29, 12, 0)
        years.append(local.year)
    assert years == [2028, 2032, 2036, 2040]
    assert cron.next_after("0 0 29 2 *", "UTC", at("2096-03-01T00:00+00:00")) == at("2104-02-29T00:00+00:00")
    # 29 February on a Sunday, both: cronsim looks ahead for fifty years
    assert cron.next_after("0 0 29 2 */7", "UTC", at("2060-03-01T00:00+00:00")) == at("2088-02-29T00:00+00:00")


@pytest.mark.parametrize(("zone", "offset"), [(BERLIN, "+01:00"), (NEW_YORK, "-05:00"), (LORD_HOWE, "+11:00")])
def test_end_of_the_year(zone: str, offset: str) -> None:
    last, first = at(f"2026-12-31T23:59:00{offset}"), at(f"2027-01-01T00:00:00{offset}")
    assert cron.next_after("59 23 31 12 *", zone, last - 0.5) == last
    assert cron.next_after("59 23 31 12 *", zone, last) == at(f"2027-12-31T23:59:00{offset}")
    assert cron.next_after("0 0 1 1 *", zone, last + 59.999) == first
    assert cron.next_after("* * * * *", zone, last) == first


def test_strictly_after() -> None:
    noon = at("2026-07-01T12:00+00:00")
    for before in (1e-6, 1e-3, 0.5, 1, 59.9):
        assert cron.next_after("0 12 * * *", "UTC", noon - before) == noon
    for after in (0, 1e-6, 0.5, 59.9):
        assert cron.next_after("0 12 * * *", "UTC", noon + after) == noon + 86400


def test_either_of_day_and_weekday_unless_one_starts_with_a_star() -> None:
    begin = "2026-02-01T00:00+00:00"
    assert firings("0 9 13 * fri", "UTC", begin, 3) == ["02-06 09:00", "02-13 09:00", "02-20 09:00"]
    assert firings("0 9 13 * *", "UTC", begin, 2) == ["02-13 09:00", "03-13 09:00"]
    assert firings("0 9 */13 * fri", "UTC", begin, 2) == ["02-27 09:00", "03-27 09:00"]


@pytest.mark.parametrize("text", ["0 3 * JAN Mon-fri", "0 3 * 1 1-5", "0 3 * jan mon,tue,WED,thu,5", " 0  3 *  1 1-5 "])
def test_names_lists_and_ranges(text: str) -> None:
    cron.check(text, BERLIN)
    assert firings(text, BERLIN, "2026-01-02T04:00+01:00", 2) == ["01-05 03:00", "01-06 03:00"]


def test_last_and_nth_days() -> None:
    assert firings("0 0 L * *", "UTC", "2028-02-01T00:00+00:00", 2) == ["02-29 00:00", "03-31 00:00"]
    assert firings("0 0 * * mon#2", "UTC", "2026-02-01T00:00+00:00", 2) == ["02-09 00:00", "03-09 00:00"]


def test_no_calendar_goes_on_for_ever() -> None:
    for moment in (at("9999-12-31T23:59:59+00:00"), 1e12, 1e18, 1e300, math.inf, math.nan):
        for zone in ("", "UTC", BERLIN):
            assert cron.next_after("0 3 * * *", zone, moment) == math.inf


# --- any cron, any moment -----------------------------------------------------------------


class Field(NamedTuple):
    """A field's text, and the numbers that it stands for."""

    text: str
    numbers: frozenset[int]


@st.composite
def terms(draw: st.DrawFn, low: int, high: int) -> Field:
    begin = draw(st.integers(low, high))
    end = draw(st.integers(begin, high))
    kind = draw(st.sampled_from(["number", "range", "steps"]))
    if kind == "number":
        return Field(str(begin), frozenset({begin}))
    step = draw(st.integers(1, high)) if kind == "steps" and end > begin else 1
    return Field(f"{begin}-{end}" + (f"/{step}" if step > 1 else ""), frozenset(range(begin, end + 1, step)))


@st.composite
def fields(draw: st.DrawFn, low: int, high: int) -> Field:
    kind = draw(st.sampled_from(["any", "any", "steps", "list", "list"]))
    if kind == "list":
        several = draw(st.lists(terms(low, high), min_size=1, max_size=3))
        return Field(",".join(one.text for one in several), frozenset().union(*(one.numbers for one in several)))
    step = draw(st.integers(1, high)) if kind == "steps" else 1
    return Field("*" + (f"/{step}" if step > 1 else ""), frozenset(range(low, high + 1, step)))


class Cron(NamedTuple):
    """A cron by its fields."""

    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    def __str__(self) -> str:
        return " ".join(field.text for field in self)

    def is_on(self, day: date) -> bool:
        """Say whether it fires on that day."""
        both = self.day.text.startswith("*") or self.weekday.text.startswith("*")
        right = day.day in self.day.numbers, day.isoweekday() % 7 in {number % 7 for number in self.weekday.numbers}
        return day.month in self.month.numbers and (all(right) if both else any(right))

    def fires(self, local: datetime) -> bool:
        """Say whether it fires at a local minute."""
        return local.minute in self.minute.numbers and local.hour in self.hour.numbers and self.is_on(local.date())


def refusal_of(asked: Callable[..., object], *arguments: object) -> str:
    """Return the line with which it is refused, or nothing."""
    try:
        asked(*arguments)
    except ValueError as error:
        line = str(error)
    else:
        return ""
    assert line.isprintable()
    assert 0 < len(line) < 300
    return line


ANY = st.builds(Cron, fields(0, 59), fields(0, 23), fields(1, 31), fields(1, 12), fields(0, 7))
CRONS = ANY.filter(lambda one: not refusal_of(cron.check, str(one), "UTC"))
MOMENTS = st.floats(at("2000-01-01T00:00+00:00"), at("2037-01-01T00:00+00:00"))
CHANGES = tuple(
    at(text)
    for text in (
        *("2026-03-29T01:00+00:00", "2026-10-25T01:00+00:00", "2026-03-08T07:00+00:00", "2026-11-01T06:00+00:00"),
        *("2026-10-03T15:30+00:00", "2026-04-04T15:00+00:00"),
    )
)
NEAR_CHANGES = st.builds(float.__add__, st.sampled_from(CHANGES), st.floats(-9000, 9000))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(given_cron=CRONS, zone=st.sampled_from(ZONES), moment=st.one_of(MOMENTS, NEAR_CHANGES))
def test_firings_rise(given_cron: Cron, zone: str, moment: float) -> None:
    text = str(given_cron)
    moments = [moment]
    for _ in range(20):
        moments.append(cron.next_after(text, zone, moments[-1]))
    assert all(later > earlier for earlier, later in pairwise(moments))
    assert all(fires % 60 == 0 for fires in moments[1:])
    if zone != LORD_HOWE:  # one of the rough corners
        for earlier, later in pairwise(moments[1:]):  # whoever asks in between is told the same
            assert cron.next_after(text, zone, (earlier + later) / 2) == later
            assert cron.next_after(text, zone, math.nextafter(later, 0)) == later


def minutes_between(begin: float, end: float, zone: ZoneInfo) -> Iterator[datetime]:
    """All that the zone's clocks show between two moments, both excluded."""
    first = math.floor(begin / 60) * 60 + 60
    for second in range(first, math.ceil(end), 60):
        yield datetime.fromtimestamp(second, zone)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(given_cron=CRONS, zone=st.sampled_from(ZONES), moment=MOMENTS)
def test_a_firing_is_the_first_minute_that_fits(given_cron: Cron, zone: str, moment: float) -> None:
    clocks = ZoneInfo(zone)
    fires = cron.next_after(str(given_cron), zone, moment)
    local = datetime.fromtimestamp(fires, clocks)
    # what holds near a change is told above
    for near in (moment, fires):
        assume(len({datetime.fromtimestamp(near + day * 86400, clocks).utcoffset() for day in (-2, 2)}) == 1)
    assert given_cron.fires(local)
    within_two_days = max(moment, fires - 2 * 86400)
    assert not any(given_cron.fires(minute) for minute in minutes_between(within_two_days, fires, clocks))
    # before these, whole days
    day = datetime.fromtimestamp(moment, clocks).date() + timedelta(days=1)
    while day < local.date() - timedelta(days=1):
        assert not given_cron.is_on(day)
        day += timedelta(days=1)


@settings(max_examples=150, deadline=None)
@given(given_cron=CRONS, zone=st.sampled_from([BERLIN, NEW_YORK]), moment=NEAR_CHANGES)
def test_near_a_change_real_time_is_what_the_clock_shows(given_cron: Cron, zone: str, moment: float) -> None:
    assume("*" in given_cron.minute.text or "*" in given_cron.hour.text)
    fires = cron.next_after(str(given_cron), zone, moment)
    until = min(fires, moment + 86400)
    clocks = ZoneInfo(zone)
    assert fires > until or given_cron.fires(datetime.fromtimestamp(fires, clocks))
    assert not any(given_cron.fires(minute) for minute in minutes_between(moment, until, clocks))


# --- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "*",
        "* * * *",
        "0 * * * * *",
        "@daily",
        "* * * *\0*",
        "* * * *\t*",
        "* * * * *\n",
        "*\u3000* * * *",
        "٣ * * * *",
    ],
)
def test_a_cron_has_five_fields(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^cron has to be five fields: minute, hour, day of month, month, day of week, "
    ) as told:
        cron.check(text, "UTC")
    assert str(told.value).endswith(f"such as 0 3 * * mon-fri, not {text!r}")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        *(
            ("minute", field)
            for field in ("60", "-1", "*/0", "5-", "10-5", "1,,2", "mon", "L", "1.5", "0x1", "**", "9" * 300)
        ),
        *(("hour", field) for field in ("24", "1-24", "*/x", "1/2/3")),
        *(("day of month", field) for field in ("0", "32", "mon", "W")),
        *(("month", field) for field in ("0", "13", "january", "dec-jan")),
        *(("day of week", field) for field in ("8", "sunday", "fri-mon", "mon#6", "monL")),
    ],
)
def test_a_wrong_field_is_named(name: str, field: str) -> None:
    text = " ".join(field if name == other else "*" for other in cron.FIELDS)
    with pytest.raises(ValueError, match=f"^the {name} of a cron has to be {cron.FIELDS[name][:6]}") as told:
        cron.check(text, "UTC")
    assert f"not '{field[:50]}" in str(told.value)
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "0 0 30 2 *",
        "* * 31 2,4,6,9,11 *",
        "0 0 30-31 feb */2",
        "0 0 */31 * mon#5",
        "59 23 LW * */7",
        "0 0 */30 2 sat#5,sun#5,fri#5",
    ],
)
def test_a_day_that_never_comes_is_refused(text: str) -> None:
    begin = time.process_time()
    with pytest.raises(
        ValueError, match=r"^cron has to name a day that comes at some time, such as 29 2, and there is none in '"
    ):
        cron.check(text, BERLIN)
    assert time.process_time() - begin < QUICK


@pytest.mark.parametrize(
    "text", ["0 0 29 2 *", "0 0 29 2 */7", "0 0 30 2 mon", "0 0 * 2 mon#5", "0 0 */31,L 2 mon#4", "0 0 31 4,5 *"]
)
def test_a_day_that_comes_seldom_is_not(text: str) -> None:
    cron.check(text, BERLIN)
    assert cron.next_after(text, BERLIN, at("2026-01-01T00:00+00:00")) < math.inf


@pytest.mark.parametrize(
    "zone",
    [
        *(
            "Berlin",
            "Europe/berlin ",
            "America",
            "Europe/",
            "Europe//Berlin",
            "CET-1CEST",
            "+01:00",
            " ",
            ".",
            "..",
            "/",
        ),
        *(
            "/etc/localtime",
            "/usr/share/zoneinfo/UTC",
            "../zoneinfo/UTC",
            "Europe/../UTC",
            "../../../etc/passwd",
            "~",
            "zone.tab",
        ),
        *(
            "tzdata.zi",
            "__init__.py",
            "\0",
            "UTC\0",
            "UTC\n",
            "\ud800",
            "Европа/Берлин",
            "x" * 300,
            "x" * 10**6,
            "a/" * 3000 + "b",
        ),
        *("a/" * 31 + "b", "a." * 31 + "b", "Europe.Berlin", "\\UTC"),
        *(None, 0, 1.5, b"UTC", [], ["UTC"], object()),
    ],
)
def test_a_zone_is_one_of_the_database(zone: str) -> None:
    begin = time.process_time()
    with pytest.raises(
        ValueError, match=r"^tz has to be a zone of the zone database, such as Europe/Berlin, not \S"
    ) as told:
        cron.check("* * * * *", zone)
    assert time.process_time() - begin < QUICK
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 200


def test_without_the_system_zones_come_from_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    ZoneInfo.clear_cache()
    cron._read.cache_clear()
    monkeypatch.setattr("zoneinfo._tzpath.TZPATH", ())
    cron.check("* * * * *", "Pacific/Chatham")
    for zone in ("America", "zone1970.tab", "__init__.py", "../tzdata", "/etc/localtime", "\0", "x" * 300, "\ud800"):
        with pytest.raises(ValueError, match=r"^tz has to be"):
            cron.check("* * * * *", zone)


@pytest.mark.parametrize("text", [None, 5, b"* * * * *", ["*"] * 5, object()])
def test_a_cron_is_a_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"^cron has to be five fields"):
        cron.check(text, "UTC")


LIKE_A_FIELD = st.text("0123456789*/,-#?LWlwmonfeb", min_size=1, max_size=12)
LIKE_A_CRON = st.lists(st.one_of(LIKE_A_FIELD, st.just("*")), min_size=5, max_size=5).map(" ".join)
LONG = st.builds(
    lambda unit, size, rest: (unit * size)[:size] + rest,
    st.sampled_from(["*/1,", "0-59,", "0,", "9", "-", "/1", "\u0663", "1/", " "]),
    st.sampled_from([100, 500, 8000, 100_000]),
    st.sampled_from(["", "1 * * * *", " * * * *"]),
)


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(st.text(), LIKE_A_CRON, LONG),
    zone=st.one_of(st.just("UTC"), st.text(), st.sampled_from(["", BERLIN])),
)
def test_any_text_is_answered_soon_and_with_value_error_only(text: str, zone: str) -> None:
    begin = time.process_time()
    refusal = refusal_of(cron.check, text, zone)
    assert time.process_time() - begin < QUICK
    assert refusal or cron.next_after(text, zone, 1e9) > 1e9


# --- the server's own zone ----------------------------------------------------------------


@pytest.fixture
def asked_anew() -> Iterator[None]:
    cron._own_zone.cache_clear()
    cron._read.cache_clear()
    yield
    cron._own_zone.cache_clear()
    cron._read.cache_clear()


@pytest.fixture
def chatham() -> Path:
    return Path(str(files("tzdata") / "zoneinfo" / "Pacific" / "Chatham"))


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("value", ["Pacific/Chatham", ":Pacific/Chatham", "the file", ":the file"])
def test_own_zone_is_what_tz_names(value: str, chatham: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", value.replace("the file", str(chatham)))
    assert cron.next_after("0 12 * * *", "", at("2026-07-01T00:00+12:45")) == at("2026-07-01T12:00+12:45")
    monkeypatch.setenv("TZ", "UTC")
    assert cron._own_zone() is cron._own_zone(), "it is looked up once"
    assert cron.next_after("0 12 * * *", "", at("2026-07-01T00:00+12:45")) == at("2026-07-01T12:00+12:45")


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize(
    "value", [None, "", ":", "CET-1CEST,M3.5.0,M10.5.0/3", "Nowhere/Else", "/nowhere", "America", "../x"]
)
def test_own_zone_is_else_that_of_the_clock(value: str | None, chatham: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TZ", raising=False)
    if value is not None:
        monkeypatch.setenv("TZ", value)
    monkeypatch.setattr(cron, "LOCALTIME", str(chatham))
    cron.check("0 12 * * *", "")
    assert cron.next_after("0 12 * * *", "", at("2026-07-01T00:00+12:45")) == at("2026-07-01T12:00+12:45")


@pytest.mark.usefixtures("asked_anew")
@pytest.mark.parametrize("there", ["nothing", "a folder", "no zone"])
def test_own_zone_is_else_utc(there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "localtime"
    if there == "a folder":
        place.mkdir()
    elif there == "no zone":
        place.write_bytes(b"TZ")
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(cron, "LOCALTIME", str(place))
    assert cron._own_zone() is UTC
    assert cron.next_after("0 12 * * *", "", at("2026-07-01T00:00+00:00")) == at("2026-07-01T12:00+00:00")


# --- the fields of a packet ---------------------------------------------------------------


def test_an_empty_field_is_any() -> None:
    assert cron.of_packet(b"", b"", b"", b"", b"") == "* * * * *"
    assert cron.of_packet(b"*", b"*", b"*", b"*", b"*") == "* * * * *"
    assert cron.of_packet(b"*/5", b"9-17", b"", b"1,jun", b"") == "*/5 9-17 * 1,jun *"
    assert cron.of_packet(b"0", b"3", b"29", b"2", b"") == "0 3 29 2 *"


def days_of(weekday: bytes) -> set[str]:
    """Return the days of a fortnight on which it fires, in full."""
    text = cron.of_packet(b"0", b"0", b"", b"", weekday)
    moment, days = at("2026-06-01T00:00+00:00") - 1, set[str]()
    for _ in range(14):
        moment = cron.next_after(text, "UTC", moment)
        days.add(DAYS[datetime.fromtimestamp(moment, UTC).weekday()])
    return days


@pytest.mark.parametrize("number", range(7))
def test_a_packets_week_starts_with_monday(number: int) -> None:
    assert days_of(b"%d" % number) == {DAYS[number]}
    assert days_of(DAYS[number].encode()) == {DAYS[number]}
    assert days_of(DAYS[number].upper().encode()) == {DAYS[number]}


@pytest.mark.parametrize(
    ("weekday", "expected", "days"),
    [
        (b"5-6", "6-7", "sat sun"),
        (b"0-4", "1-5", "mon tue wed thu fri"),
        (b"0-6", "1-7", "mon tue wed thu fri sat sun"),
        (b"0,2,6", "1,3,7", "mon wed sun"),
        (b"0-6/2", "1-7/2", "mon wed fri sun"),
        (b"*/2", "1-7/2", "mon wed fri sun"),
        (b"*/3", "1-7/3", "mon thu sun"),
        (b"*/7", "1-7/7", "mon"),
        (b"*/1", "*/1", "mon tue wed thu fri sat sun"),
        (b"1/2", "2/2", "tue thu sat"),
        (b"6/2", "7/2", "sun"),
        (b"0,sat,3-4", "1,sat,4-5", "mon sat thu fri"),
        (b"mon-fri/2", "mon-fri/2", "mon wed fri"),
        (b"mon-6", "mon-7", "mon tue wed thu fri sat sun"),
        (b"06", "7", "sun"),
    ],
)
def test_a_packets_days_of_the_week_are_translated(weekday: bytes, expected: str, days: str) -> None:
    assert cron.of_packet(b"0", b"0", b"", b"", weekday).split()[4] == expected
    assert days_of(weekday) == set(days.split())


def test_neither_weeks_of_a_month_nor_months_nor_days_are_translated() -> None:
    assert cron.of_packet(b"0", b"0", b"", b"", b"0#1,6#2,4L") == "0 0 * * 1#1,7#2,5L"
    for number, name in enumerate(MONTHS, start=1):
        assert cron.of_packet(b"1", b"1", b"1", b"%d" % number, b"") == f"1 1 1 {number} *"
        assert cron.of_packet(b"1", b"1", b"1", name.encode(), b"") == f"1 1 1 {name} *"


def test_either_of_a_packets_day_and_weekday() -> None:
    assert cron.of_packet(b"0", b"9", b"13", b"", b"4") == "0 9 13 * 5"
    assert firings("0 9 13 * 5", "UTC", "2026-02-01T00:00+00:00", 2) == ["02-06 09:00", "02-13 09:00"]


@pytest.mark.parametrize(
    ("place", "field"),
    [
        *(
            (0, field)
            for field in (
                b"60",
                b"*/0",
                b"1 2",
                b" ",
                b"1\t",
                b"\0",
                b"\xff",
                b"\xd9\xa3",
                b"x",
                b"5\n",
                b"0," * 256 + b"0",
            )
        ),
        *((1, field) for field in (b"24", b"-1", b"1 * 2")),
        *((2, field) for field in (b"0", b"32", b"*/")),
        *((3, field) for field in (b"0", b"13", b"month")),
        *(
            (4, field)
            for field in (
                b"7",
                b"0-7",
                b"-1",
                b"*/0",
                b"0-",
                b"0,",
                b"6-0",
                b"/2",
                b"9" * 5000,
                b"0\n",
                b"*/2\n",
                b"**",
                b"*1",
            )
        ),
    ],
)
def test_a_wrong_field_of_a_packet_is_named(place: int, field: bytes) -> None:
    read = [b"*"] * 5
    read[place] = field
    name = tuple(cron.FIELDS)[place]
    with pytest.raises(ValueError, match=f"^the {name} of a cron has to be ") as told:
        cron.of_packet(*read)
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 300


def test_what_a_packet_shall_have_for_a_weekday() -> None:
    with pytest.raises(ValueError, match=r"0 to 6, Monday to Sunday, or mon to sun, also such as .*, not '7'$"):
        cron.of_packet(b"", b"", b"", b"", b"7")


def test_a_packet_may_ask_for_a_day_that_never_comes() -> None:
    with pytest.raises(ValueError, match="there is none in '0 0 30 2 "):
        cron.of_packet(b"0", b"0", b"30", b"2", b"")


@settings(max_examples=150, deadline=None)
@given(
    read=st.lists(st.one_of(st.binary(max_size=20), LIKE_A_FIELD.map(str.encode), st.just(b"")), min_size=5, max_size=5)
)
def test_what_becomes_of_a_packet_is_a_cron(read: list[bytes]) -> None:
    if not refusal_of(cron.of_packet, *read):
        cron.check(cron.of_packet(*read), BERLIN)
