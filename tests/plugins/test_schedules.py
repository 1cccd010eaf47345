"""Admin commands for schedules, and what the other commands say of them."""

from __future__ import annotations

import json
import math
import time
from datetime import datetime

import pytest

from gearfast import Server
from gearfast.broker.timetable import Timetable
from gearfast.plugins.answers import moment
from tests.plugins.test_jobs import lines, shown, submitted
from tests.support import wire
from tests.support.inside import Talk, played

YEARLY = "cron=0 3 1 1 *;tz=Europe/Berlin"


async def rows(client: Talk, line: str = "show schedules") -> list[list[str]]:
    """The columns of an answer."""
    return [row.split("\t") for row in await lines(client, line)]


def date(server: Server, handle: str, when: float) -> None:
    """It is due then."""
    Timetable(server.broker).date(int(handle.rpartition(":")[2]), when, time.monotonic())


def test_a_schedule_is_shown_from_its_begin_to_its_end() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, f"report;{YEARLY}", "nightly")
        ((due, *rest),) = await rows(client)
        assert datetime.fromisoformat(due).timestamp() > time.time()
        assert due.endswith("-01-01T02:00:00.000+00:00")
        assert rest == [handle, "report", "nightly", "0 3 1 1 *", "Europe/Berlin", "", "", "0", "0"]
        assert await lines(client, f"run now {handle}") == ["OK"]
        ((again, *rest),) = await rows(client)
        (run,) = [line.split("\t")[0] for line in await lines(client, "show jobs")]
        assert again == due, "its date stays"
        assert rest == [handle, "report", "nightly", "0 3 1 1 *", "Europe/Berlin", "", run, "1", "0"]
        assert await lines(client, f"run now {handle}") == [
            "ERR SKIPPED its last run has not ended, or no job can be made of it"
        ]
        assert (await rows(client))[0][-2:] == ["1", "1"]
        assert await lines(client, f"cancel schedule {handle}") == ["OK"]
        assert await rows(client) == []
        assert [line.split("\t")[0] for line in await lines(client, "show jobs")] == [run], "what came of it goes on"
        assert await lines(client, f"cancel schedule {handle}") == [
            f"ERR UNKNOWN_SCHEDULE there is no schedule {handle}: show schedules lists them"
        ]

    played(scene)


def test_one_that_has_fired_and_one_that_never_will_again() -> None:
    async def scene(server: Server, client: Talk) -> None:
        fired, never = await submitted(client, f"f;{YEARLY}", "1"), await submitted(client, f"f;{YEARLY}", "2")
        date(server, fired, 1e9 + 0.5)
        server.broker.tick(time.monotonic(), time.time())
        date(server, fired, 4e9)
        date(server, never, math.inf)
        told = {row[1]: row for row in await rows(client)}
        assert told[fired][0] == moment(4e9)
        assert told[fired][6] == "2001-09-09T01:46:40.500+00:00"
        assert told[fired][7].startswith("H:")
        assert told[fired][8:] == ["1", "0"]
        assert told[never][0] == ""

    played(scene)


def test_those_of_one_function_and_all_of_many() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for number in range(500):
            client.say(wire.SUBMIT_JOB_BG, f"f{number % 2};{YEARLY}", str(number), payload="x")
            client.say(wire.SUBMIT_JOB_BG, "f0", "", payload="a job")
        assert {(await client.hear()).name for _ in range(1000)} == {"JOB_CREATED"}
        every = await rows(client)
        assert sorted(int(row[3]) for row in every) == list(range(500))
        of_one = await rows(client, "show schedules f1")
        assert sorted(of_one) == sorted(row for row in every if row[2] == "f1")
        assert await rows(client, "show schedules none") == []

    played(scene)


def test_programs_get_json() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f;cron=0 3 1 1 *;overlap=queue", "\t.\u00e9")
        (line,) = await lines(client, "show schedules --json")
        told = json.loads(line)
        assert datetime.fromisoformat(told.pop("due")).timestamp() > time.time()
        assert told == {
            "handle": handle, "function": "f", "unique": "\t.\u00e9", "cron": "0 3 1 1 *", "zone": "", "fired": None,
            "last run": "", "runs": 0, "skipped": 0,
        }  # fmt: skip
        assert await lines(client, "show schedules f --json") == [line]
        assert await lines(client, "show schedules g --json") == []
        (figures,) = await lines(client, "show functions --json")
        assert json.loads(figures)["schedules"] == 1

    played(scene)


@pytest.mark.parametrize("name", ["a\nOK", "a\r\n.\r\n", "a\tb", "\x1b[2J", "a\x7fb"])
def test_no_name_forges_a_line(name: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        await submitted(client, f"{name};{YEARLY}", name)
        (row,) = await rows(client)
        assert len(row) == 10
        assert row[2] == row[3] == "".join(f"\\x{ord(one):02x}" if one < " " or one == "\x7f" else one for one in name)

    played(scene)


def test_a_name_that_is_a_dot_does_not_end_the_answer() -> None:
    async def scene(server: Server, client: Talk) -> None:
        await submitted(client, f".;{YEARLY}", ".")
        assert [row[2:4] for row in await rows(client)] == [[r"\x2e", r"\x2e"]]

    played(scene)


def test_what_is_said_of_jobs_is_not_said_of_schedules() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, f"f;{YEARLY};retries=1;priority=low", "u")
        assert await lines(client, "status") == ["f\t0\t0\t0"]
        assert await lines(client, "prioritystatus") == ["f\t0\t0\t0\t0"]
        assert await lines(client, "show jobs") == await lines(client, "show unique jobs") == []
        assert await lines(client, "show delayed") == await lines(client, "buried") == []
        told = await shown(client, handle)
        assert (told["state"], told["function"], told["unique"], told["priority"]) == ("scheduled", "f", "u", "low")
        assert told["parameters"] == f"{YEARLY};retries=1"
        assert told["due"] == (await rows(client))[0][0]
        for line, said in {
            f"cancel job {handle}": "ERR UNKNOWN_JOB",
            f"kick job {handle}": f"ERR UNKNOWN_JOB no job {handle} is buried",
            f"delete job {handle}": f"ERR UNKNOWN_JOB no job {handle} is buried",
            f"move {handle} due=1h": "ERR IS_SCHEDULE it is a schedule: submit it again for another time",
            f"move {handle} function=g": "ERR IS_SCHEDULE",
            f"move {handle} priority=high": "ERR IS_SCHEDULE",
        }.items():
            (answer,) = await lines(client, line)
            assert answer.startswith(said), answer
        (figures,) = await lines(client, "show functions --json")
        assert {key: json.loads(figures)[key] for key in ("jobs", "delayed", "schedules")} == {
            "jobs": 0, "delayed": 0, "schedules": 1,
        }  # fmt: skip
        assert len(await rows(client)) == 1, "nothing of that has changed it"
        (answer,) = await lines(client, "drop function f")
        assert answer.startswith("ERR")
        assert await lines(client, f"cancel schedule {handle}") == ["OK"]
        assert await lines(client, "status") == ["f\t0\t0\t0"]

    played(scene)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show schedules a b", "INVALID_ARGUMENTS write: show schedules [NAME]"),
        ("show schedules a b --json", "INVALID_ARGUMENTS write: show schedules [NAME]"),
        ("cancel schedule", "INVALID_ARGUMENTS write: cancel schedule HANDLE"),
        ("cancel schedule a b", "INVALID_ARGUMENTS write: cancel schedule HANDLE"),
        ("cancel schedule H:x:1", "UNKNOWN_SCHEDULE there is no schedule H:x:1: show schedules lists them"),
        ("cancel schedule \x1b[2J", "UNKNOWN_SCHEDULE there is no schedule \\x1b[2J: show schedules lists them"),
        (f"cancel schedule {'9' * 99}", f"UNKNOWN_SCHEDULE there is no schedule {'9' * 70}: show schedules lists them"),
        ("run now H:x:1", "UNKNOWN_JOB there is no job H:x:1"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(line: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await lines(client, line) == [f"ERR {said}"]

    played(scene)


def test_a_job_is_no_schedule() -> None:
    async def scene(server: Server, client: Talk) -> None:
        handle = await submitted(client, "f;delay=1h")
        (answer,) = await lines(client, f"cancel schedule {handle}")
        assert answer.startswith("ERR UNKNOWN_SCHEDULE")
        assert await lines(client, f"run now {handle}") == ["OK"]
        assert await rows(client) == []

    played(scene)


def test_help_tells_of_them() -> None:
    async def scene(server: Server, client: Talk) -> None:
        told = "\n".join(await lines(client, "help"))
        assert "show schedules [NAME]" in told
        assert "cancel schedule HANDLE" in told

    played(scene)
