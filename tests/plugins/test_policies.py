"""Admin commands for policies, and for functions that are paused or drained."""

from __future__ import annotations

import json

import pytest

from gearfast import Server
from gearfast.config import DEAD_LETTER_BYTES, DEAD_LETTERS
from gearfast.protocol import parameters
from gearfast.server.policies import gate_of
from tests.plugins.test_jobs import lines, submitted
from tests.support import wire
from tests.support.inside import Talk, played

VALUES = {
    "delay": "5s",
    "priority": "low",
    "retries": "3",
    "backoff": "exponential:1s..5m+jitter",
    "timeout": "30s",
    "ttl": "1h",
    "unique_ttl": "10m",
    "duplicate": "replace",
    "graceful": "free",
    "tz": "Europe/Berlin",
    "overlap": "queue",
    "catchup": "once",
    "dead_letter_max": "10",
    "dead_letter_bytes": "64M",
}
"""One of each key."""


async def rows(client: Talk, line: str) -> list[list[str]]:
    """The answer to an admin line, cell by cell."""
    return [row.split("\t") for row in await lines(client, line)]


def test_a_policy_tells_each_value_and_where_it_comes_from() -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert list(VALUES) == list(parameters.keys(for_function=True))
        defaults = {key: (value, origin) for key, value, origin in await rows(client, "policy f")}
        assert list(defaults) == [key for key in VALUES if key != "tz"], "a zone is the server's own"
        assert {origin for _, origin in defaults.values()} == {"default"}
        assert defaults["retries"] == ("no end", "default")
        assert defaults["dead_letter_max"] == (str(DEAD_LETTERS), "default")
        assert defaults["dead_letter_bytes"] == (str(DEAD_LETTER_BYTES), "default")
        said = " ".join(f"{key}={value}" for key, value in VALUES.items())
        assert await lines(client, f"policy f* {said}") == ["OK"]
        assert await rows(client, "policy f") == [[key, value, "admin f*"] for key, value in VALUES.items()]
        assert await rows(client, "policy") == [["f*", key, value, "admin"] for key, value in VALUES.items()]
        assert (await rows(client, "policy g"))[0] == ["delay", "none", "default"]

    played(scene)


def test_what_was_said_is_taken_back_key_by_key() -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await lines(client, "policy f retries=3 timeout=5s") == ["OK"]
        assert await lines(client, "policy f retries= ttl=1h ttl-is-no-key=") != ["OK"]
        assert await rows(client, "policy") == [["f", "retries", "3", "admin"], ["f", "timeout", "5s", "admin"]]
        assert await lines(client, "policy f retries= ttl=1h") == ["OK"]
        assert await rows(client, "policy") == [["f", "timeout", "5s", "admin"], ["f", "ttl", "1h", "admin"]]
        assert await lines(client, "policy f timeout= ttl= delay=") == ["OK"]
        assert await rows(client, "policy") == []
        assert server.policies.said == {}

    played(scene)


def test_a_pause_is_seen_by_everybody_and_ends() -> None:
    async def scene(server: Server, client: Talk) -> None:
        async with Talk(server) as worker:
            for name in ("mail.high", "mail.low", "video"):
                worker.say(wire.CAN_DO, name)
                await submitted(client, name, payload=name)
            assert await lines(client, "pause mail.* the mail server moves until six, says Ann") == ["OK"]
            assert (await worker.call(wire.GRAB_JOB)).args(2)[1] == b"video"
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"
            reason = "the mail server moves until six, says Ann"
            found = {row[0]: row[1:] for row in await rows(client, "show functions")}
            assert found["mail.high"] == ["1", "0", "1", "0", "1", "0", "0", "0", "0", "0", "paused", reason]
            assert found["video"] == ["1", "1", "1", "0", "0", "0", "0", "0", "0", "0", "", ""]
            assert await rows(client, "policy") == [["mail.*", "paused", reason, "admin"]]
            worker.say(wire.PRE_SLEEP)
            assert (await worker.call(wire.ECHO_REQ, payload="it sleeps")).name == "ECHO_RES"
            assert await lines(client, "resume mail.low") == ["OK"]
            assert (await worker.hear()).name == "NOOP"
            assert (await worker.call(wire.GRAB_JOB)).args(2)[1] == b"mail.low"
            assert await lines(client, "resume mail.*") == ["OK"]
            assert await rows(client, "policy") == []
            assert (await worker.call(wire.GRAB_JOB)).args(2)[1] == b"mail.high"

    played(scene)


def test_a_drain_tells_its_reason_to_those_who_submit() -> None:
    async def scene(server: Server, client: Talk) -> None:
        first = await submitted(client, "f", "u")
        assert await lines(client, "drain f use g \x1b[2J") == ["OK"]
        for kind in (wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB):
            for unique in ("", "u"):
                answer = await client.call(kind, "f", unique, payload="x")
                assert (answer.name, answer.body) == (
                    "ERROR",
                    rb"QUEUE_ERROR" + b"\0" + rb"Nothing more is taken for this function: use g \x1b[2J",
                )
        answer = await client.call(wire.SUBMIT_JOB_BG, "f;cron=* * * * *", "s", payload="x")
        assert answer.body.startswith(b"QUEUE_ERROR\0Nothing more is taken")
        ((*_, gate, reason),) = await rows(client, "show functions f")
        assert (gate, reason) == ("drained", r"use g \x1b[2J")
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            assert (await worker.call(wire.GRAB_JOB)).args(2)[0].decode() == first
        assert await lines(client, "resume f") == ["OK"]
        await submitted(client, "f")

    played(scene)


@pytest.mark.parametrize(
    ("said", "closed", "opened"),
    [
        (["pause mail.*"], ["mail.a", "mail.b"], ["video"]),
        (["pause mail.*", "resume mail.a"], ["mail.b"], ["mail.a"]),
        (["pause *", "resume mail.*"], ["video"], ["mail.a", "mail.b"]),
        (["pause *", "resume mail.*", "pause mail.a"], ["mail.a", "video"], ["mail.b"]),
        (["pause mail.a", "pause mail.*", "resume mail.*"], [], ["mail.a", "mail.b"]),
        (["pause mail.*", "resume mail.a", "pause mail.*"], ["mail.a", "mail.b"], ["video"]),
        (["pause mail.*", "pause mail.?"], ["mail.a", "mail.long"], ["video"]),
        (["pause mail.*", "resume mail.?"], ["mail.long"], ["mail.a", "mail.b"]),
        (["drain *", "pause mail.a", "resume mail.a"], ["video", "mail.b"], ["mail.a"]),
        (["pause *", "resume *"], [], ["mail.a", "video"]),
    ],
)
def test_of_several_patterns_the_one_that_says_most_of_a_name_has_it(
    said: list[str], closed: list[str], opened: list[str]
) -> None:
    async def scene(server: Server, client: Talk) -> None:
        for line in said:
            assert await lines(client, line) == ["OK"], line
        assert [name for name in closed + opened if gate_of(server.policies.said, name.encode()) is not None] == closed
        for name in opened:
            await submitted(client, name, payload="x")
        async with Talk(server) as worker:
            for name in opened:
                worker.say(wire.CAN_DO, name)
            got = {(await worker.call(wire.GRAB_JOB)).args(2)[1].decode() for _ in opened}
            assert got == set(opened)

    played(scene)


def test_what_is_open_is_not_opened_twice() -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await lines(client, "pause mail.*") == ["OK"]
        assert await lines(client, "resume mail.a") == ["OK"]
        assert (await lines(client, "resume mail.a"))[0].startswith("ERR NOT_PAUSED ")

    played(scene)


def test_answers_for_programs() -> None:
    async def scene(server: Server, client: Talk) -> None:
        await submitted(client, "f\t\xff")
        assert await lines(client, "policy f* retries=2 --json") == ['{"ok": true}']
        assert await lines(client, "pause f* it\tmoves") == ["OK"]
        assert [json.loads(line) for line in await lines(client, "policy --json")] == [
            {"pattern": "f*", "key": "retries", "value": "2", "origin": "admin"},
            {"pattern": "f*", "key": "paused", "value": r"it\x09moves", "origin": "admin"},
        ]
        found = [json.loads(line) for line in await lines(client, "policy f --json")]
        assert {"key": "retries", "value": "2", "origin": "admin f*"} in found
        (row,) = [json.loads(line) for line in await lines(client, "show functions --json")]
        assert row == {
            "function": "f\t\xff",
            "jobs": 1,
            "running": 0,
            "workers": 0,
            "high": 0,
            "normal": 1,
            "low": 0,
            "delayed": 0,
            "buried": 0,
            "buried bytes": 0,
            "schedules": 0,
            "gate": "paused",
            "reason": r"it\x09moves",
        }
        await submitted(client, "g")
        (row,) = [json.loads(line) for line in await lines(client, "show functions g --json")]
        assert (row["gate"], row["reason"]) == (None, "")

    played(scene)


def test_names_and_reasons_forge_no_line() -> None:
    async def scene(server: Server, client: Talk) -> None:
        await submitted(client, "f\n.\nx")
        assert await lines(client, "pause f* \x1b[2J\x07 . \x0b") == ["OK"]
        assert await rows(client, "policy") == [["f*", "paused", r"\x1b[2J\x07 . \x0b", "admin"]]
        ((name, *_, reason),) = await rows(client, "show functions")
        assert (name, reason) == (r"f\x0a.\x0ax", r"\x1b[2J\x07 . \x0b")
        assert await lines(client, "policy \x1b[2J*") != []
        assert await lines(client, "policy \x1b* retries=1") == ["OK"]
        assert (await rows(client, "policy \x1bx"))[2] == ["retries", "1", r"admin \x1b*"]
        assert [row[0] for row in await rows(client, "policy")] == [r"\x1b*", "f*"]
        assert await lines(client, "pause . .") == ["OK"]
        assert ["\\x2e", "paused", "\\x2e", "admin"] in await rows(client, "policy")

    played(scene)


KEYS = ", ".join(VALUES)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("policy f retries", "INVALID_ARGUMENTS 'retries' is not key=value: write policy NAME retries=5"),
        ("policy f retries=5;ttl=1s", "INVALID_ARGUMENTS 'retries=5;ttl=1s' is not key=value: write policy NAME "),
        ("policy f retries=5 retries=6", "INVALID_ARGUMENTS 'retries=6' comes after another retries: say it once"),
        ("policy f retries=5 retries=", "INVALID_ARGUMENTS 'retries=' comes after another retries: say it once"),
        ("policy f retry=5", f"INVALID_PARAMETER 'retry' is not the key of a policy; there are {KEYS}"),
        ("policy f retry=", f"INVALID_PARAMETER 'retry' is not the key of a policy; there are {KEYS}"),
        ("policy f at=0", f"INVALID_PARAMETER 'at' is not the key of a policy; there are {KEYS}"),
        ("policy f =5", f"INVALID_PARAMETER '' is not the key of a policy; there are {KEYS}"),
        ("policy f \x1b[2J=5", r"INVALID_PARAMETER '\x1b[2J' is not the key of a policy"),
        (
            "policy f retries=-1",
            "INVALID_PARAMETER the submit parameter retries has to be a number from 0 to 1000, and not '-1'",
        ),
        (
            "policy f tz=Mars/Olympus",
            "INVALID_PARAMETER tz has to be a zone of the zone database, such as Europe/Berlin, not 'Mars/Olympus'",
        ),
        (f"policy {'f' * 255}* retries=1", "INVALID_PARAMETER a pattern may have 255 bytes"),
        (f"pause {'f' * 255}*", "TOO_MUCH a pattern may have 255 bytes"),
        ("pause", "INVALID_ARGUMENTS write: pause NAME [REASON ...]"),
        ("PAUSE", "INVALID_ARGUMENTS write: pause NAME [REASON ...]"),
        ("drain", "INVALID_ARGUMENTS write: drain NAME [REASON ...]"),
        ("resume", "INVALID_ARGUMENTS write: resume NAME"),
        ("resume a b", "INVALID_ARGUMENTS write: resume NAME"),
        (
            "resume f\x1b",
            r"NOT_PAUSED no function f\x1b is paused or drained: show functions tells which are",
        ),
        ("show functions a b", "INVALID_ARGUMENTS write: show functions [NAME]"),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(line: str, said: str) -> None:
    async def scene(server: Server, client: Talk) -> None:
        (answer,) = await lines(client, line)
        assert answer.startswith(f"ERR {said}"), answer
        assert answer.isprintable()
        assert server.policies.said == {}
        assert await lines(client, "show functions nobody") == []

    played(scene)


def test_a_long_name_by_itself_is_paused() -> None:
    async def scene(server: Server, client: Talk) -> None:
        name = "f" * 1000
        assert await lines(client, f"pause {name} why") == ["OK"]
        await submitted(client, name)
        ((*_, gate, reason),) = await rows(client, f"show functions {name}")
        assert (gate, reason) == ("paused", "why")

    played(scene)


def test_help_lists_the_commands() -> None:
    async def scene(server: Server, client: Talk) -> None:
        listed = await lines(client, "help")
        for command in (
            "policy [NAME [KEY=VALUE ...]]",
            "pause NAME [REASON ...]",
            "drain NAME [REASON ...]",
            "resume NAME",
            "show functions [NAME]",
        ):
            assert len([line for line in listed if line.startswith(f"{command}  ")]) == 1, command

    played(scene)
