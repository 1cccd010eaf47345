"""Recurring schedules: when a cron fires next in a time zone. Days and times are found by cronsim, as by Debian's cron.

A cron of fixed times fires for those that a clock set forward leaves out once, at the first minute that there is, and
for a time that a clock set back shows twice at the first of the two. One whose minute or hour starts with ``*`` goes on
in real time: by what the clock shows, in no gap, and twice where it shows a time twice.

Two corners of the latter are rough. On days when a clock is set by half an hour (Lord Howe), half an hour of a chosen
hour may be missed; where a gap begins at midnight (Santiago), chosen days may begin with a firing right behind it.
"""

import copy
import functools
import math
import os
import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

LONGEST: Final = 512
"""Characters of a cron: enough to name every minute, hour, day and month."""
LONGEST_ZONE: Final = 64
"""Characters of a zone's name: twice those of the longest that there is."""
SHOWN: Final = 100
"""Characters shown of what is wrong."""
KEPT: Final = 1024
"""Crons kept as they were read, under 10 KB each: to read one costs more than to use it."""
LOCALTIME: Final = "/etc/localtime"

FIELDS: Final = {
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31, or L for the last",
    "month": "1 to 12, or jan to dec",
    "day of week": "0 to 7, Sunday to Sunday, or sun to sat",
}
FIELDS_OF_PACKET: Final = {**FIELDS, "day of week": "0 to 6, Monday to Sunday, or mon to sun"}


def check(text: str, zone: str) -> None:
    """Raise ValueError, with one line that says what is allowed, if the cron or the zone cannot be used.

    A cron has five fields as cronsim reads them, with names, lists, ranges and steps. Where both day of month and day
    of week are given, either will do; but where one of them starts with ``*``, such as ``*/2``, both have to be right.
    """
    if not isinstance(zone, str):
        raise ValueError(_no_zone(zone))
    if not isinstance(text, str):
        raise ValueError(_no_cron(text))
    _, read = _read(text, zone)
    walk = copy.copy(read)
    # in vain it goes on for fifty years: of months of one length, which are alike, one is enough
    walk.months = set({monthrange(2001, month)[1]: month for month in read.months}.values())
    if next(walk, None) is None:
        raise ValueError(_never(text))


def next_after(text: str, zone: str, moment: float) -> float:
    """Return the first moment after this one at which the cron fires, in seconds since 1970; math.inf if there is none.

    Cron and zone are such as check() allows. An empty zone is the server's own.
    """
    where, read = _read(text, zone)
    walk = copy.copy(read)
    try:
        # with a zone or without, as it was read: cronsim looks for fixed times without
        walk.dt = datetime.fromtimestamp(math.floor(moment), where).replace(tzinfo=read.dt.tzinfo)
        # seen from the second of two equal hours, those in the first come first
        return next((fires for fires in map(datetime.timestamp, walk) if fires > moment), math.inf)
    except (OverflowError, ValueError, OSError):  # beyond the years of a calendar
        return math.inf


def of_packet(minute: bytes, hour: bytes, day: bytes, month: bytes, weekday: bytes) -> str:
    """Return the cron that the fields of a SUBMIT_JOB_SCHED stand for. Raises ValueError, which names what is wrong.

    An empty field is any, like ``*``. The packet's week is 0 to 6 from Monday and a cron's 1 to 7, so ``5-6`` becomes
    ``6-7``, and ``*/2``, every other day from Monday, ``1-7/2``; names stay. Where both day and weekday are given,
    either will do, as for check(), and so it is for a weekday such as ``*/2``.
    """
    fields = []
    for name, given in zip(FIELDS_OF_PACKET, (minute, hour, day, month, weekday), strict=True):
        read = given[: LONGEST + 1].decode("ascii", "backslashreplace")
        field = read or "*"
        if name == "day of week":
            field = _from_monday(field)
        if not _is_right(name, field):
            raise ValueError(_no_field(name, FIELDS_OF_PACKET, read))
        fields.append(field)
    text = " ".join(fields)
    check(text, "UTC")
    return text


@functools.cache
def _own_zone() -> tzinfo:
    """Return the server's own zone: the one that TZ names, else that of the system's clock, else UTC."""
    for place in (os.environ.get("TZ", "").removeprefix(":"), LOCALTIME):
        try:
            if not place.startswith("/"):
                return ZoneInfo(place)
            with open(place, "rb") as file:
                return ZoneInfo.from_file(file)
        except (OSError, ValueError, KeyError):  # there is none, or TZ is a rule such as CET-1CEST
            pass
    return UTC


@functools.lru_cache(KEPT)
def _read(text: str, zone: str) -> tuple[tzinfo, CronSim]:
    """Return the zone, and the cron, of which copies may walk. Raises ValueError."""
    try:
        if len(zone) > LONGEST_ZONE:
            raise ValueError
        where = ZoneInfo(zone) if zone else _own_zone()
    except (OSError, ValueError, KeyError):  # a folder; what leads out of the database; what is not there
        raise ValueError(_no_zone(zone)) from None
    fields = text.split()
    if len(fields) != len(FIELDS) or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        raise ValueError(_no_cron(text))
    try:
        return where, CronSim(text, datetime.fromtimestamp(0, where))
    except CronSimError:
        for name, field in zip(FIELDS, fields, strict=True):
            if not _is_right(name, field):
                raise ValueError(_no_field(name, FIELDS, field)) from None
        raise ValueError(_never(text)) from None


def _is_right(name: str, field: str) -> bool:
    """Say whether that field may be so, whatever the others are."""
    if len(field) > LONGEST or field.split() != [field]:
        return False
    try:
        CronSim(" ".join(field if name == other else "*" for other in FIELDS), datetime.fromtimestamp(0, UTC))
    except CronSimError:
        return False
    return True


def _from_monday(weekday: str) -> str:
    """Count days from Monday as 1 where they are counted from Monday as 0, and neither steps nor weeks of a month."""
    terms = []
    for term in weekday.split(","):
        days, *rest = re.split("([/#].*)", term, maxsplit=1)
        if days == "*" and rest and rest[0] != "/1":
            days = "0-6"
        terms.append("".join([re.sub("[0-9]+", lambda found: str(int(found[0]) + 1), days), *rest]))
    return ",".join(terms)


def _no_cron(text: object) -> str:
    names = ", ".join(FIELDS)
    return f"cron has to be five fields: {names}, such as 0 3 * * mon-fri, not {_shown(text)}"


def _no_field(name: str, fields: Mapping[str, str], field: str) -> str:
    return f"the {name} of a cron has to be {fields[name]}, also such as * or 1-5 or 1,3 or */2, not {_shown(field)}"


def _no_zone(zone: object) -> str:
    return f"tz has to be a zone of the zone database, such as Europe/Berlin, not {_shown(zone)}"


def _never(text: str) -> str:
    return f"cron has to name a day that comes at some time, such as 29 2, and there is none in {_shown(text)}"


def _shown(read: object) -> str:
    """What was read, so that it does no harm where it is shown."""
    text = repr(read)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
