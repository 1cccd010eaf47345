"""The file of `--policy`, what is said at run time, and what holds of both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from gearfast import Admin, Config, Server, StoreSettings, make_store
from gearfast.errors import ConfigError
from gearfast.server import policies as room
from gearfast.server.policies import RULES, Policies, covers, gate_of, is_wild, strength, unpacked
from tests.plugins.test_jobs import lines, shown
from tests.support import wire
from tests.support.durable import Contents, Obedient, serving
from tests.support.inside import Talk, play, played
from tests.support.peers import HOST
from tests.support.ruling import Rule


def file_of(tmp_path: Path, text: str) -> Path:
    """A policy file."""
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


# --- layers ---


@pytest.mark.parametrize(
    "order",
    [
        [b"*", b"?*", b"m*", b"mail.*", b"mail.h*", b"mail.[gh]igh", b"mail.high"],
        [b"*.high", b"[ab].high", b"a*.high", b"a.high"],
        [b"*b", b"[!]"],
    ],
)
def test_a_pattern_that_says_more_of_a_name_is_stronger(order: list[bytes]) -> None:
    assert [first for first, second in pairwise(order) if strength(first) >= strength(second)] == []


@pytest.mark.parametrize(
    ("pattern", "other", "does"),
    [
        (b"*", b"mail.*", True),
        (b"mail.*", b"mail.*", True),
        (b"mail.*", b"mail.a*", True),
        (b"mail.*", b"mail.[ab]", True),
        (b"mail.*", b"mail.?", True),
        (b"mail.*", b"mail.high", True),
        (b"mail.?", b"mail.?", True),
        (b"mail.?", b"mail.*", False),
        (b"mail.?*", b"mail.*", False),
        (b"mail.a*", b"mail.*", False),
        (b"mail.[a*]", b"mail.*", False),
        (b"mail.????????", b"mail.*", False),
        (b"*a*", b"a*", True),
        (b"*a*", b"*", False),
        (b"mail.*", b"*", False),
        (b"mail.high", b"mail.*", False),
    ],
)
def test_a_pattern_covers_another_when_all_names_that_fit_that_fit_it(pattern: bytes, other: bytes, does: bool) -> None:
    assert covers(pattern, other, is_wild(other)) == does


def with_file(tmp_path: Path, text: str) -> Config:
    """Settings of a server that has this policy file."""
    return Config(listen=(HOST,), port=0, policy=str(file_of(tmp_path, text)))


async def retries_of(client: Talk, name: str) -> list[str]:
    """What `policy` tells of them: value and origin."""
    (found,) = (line.split("\t")[1:] for line in await lines(client, f"policy {name}") if line.startswith("retries\t"))
    return found


def test_what_a_job_asks_for_is_stronger_than_run_time_and_that_than_the_file(tmp_path: Path) -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await retries_of(client, "mail.high") == ["3", "file mail.high"]
        assert await retries_of(client, "mail.low") == ["2", "file mail.*"]
        assert await retries_of(client, "other") == ["1", "file *"]
        assert await lines(client, "policy m* retries=7") == ["OK"]
        assert await retries_of(client, "mail.high") == ["7", "admin m*"]
        assert await retries_of(client, "mail.*") == ["7", "admin m*"]
        assert await lines(client, "policy mail.high retries=0") == ["OK"]
        assert await retries_of(client, "mail.high") == ["0", "admin mail.high"]
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "mail.high")
            for name, ends in (("mail.high", "buried"), ("mail.high;retries=1", "queued")):
                handle = (await client.call(wire.SUBMIT_JOB_BG, name, "", payload="")).body.decode()
                assert (await worker.call(wire.GRAB_JOB)).args(2)[0].decode() == handle
                worker.say(wire.WORK_FAIL, handle)
                await worker.call(wire.ECHO_REQ, payload="")
                found = server.broker.show_job(handle.encode())
                assert found is not None
                assert found[0] == ends

    played(
        scene,
        with_file(tmp_path, '[functions]\n"*".retries = 1\n"mail.*".retries = 2\n"mail.high".retries = 3\n'),
    )


def test_a_parameter_is_stronger_than_a_rule_and_that_than_the_packet() -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await lines(client, "policy f priority=low delay=1h") == ["OK"]
        for kind, name, priority, state in (
            (wire.SUBMIT_JOB_HIGH_BG, "f", "low", "delayed"),
            (wire.SUBMIT_JOB_BG, "f;priority=high;delay=0s", "high", "queued"),
            (wire.SUBMIT_JOB_BG, "f;at=0", "low", "queued"),
            (wire.SUBMIT_JOB, "f", "low", "queued"),
        ):
            answer = await client.call(kind, name, "", payload="x")
            told = await shown(client, answer.body.decode())
            assert (told["priority"], told["state"]) == (priority, state), name
        answer = await client.call(wire.SUBMIT_JOB_EPOCH, "f", "", "0", payload="x")
        assert (await shown(client, answer.body.decode()))["state"] == "queued"
        assert await lines(client, "policy f delay=0s") == ["OK"]
        answer = await client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
        assert (await shown(client, answer.body.decode()))["state"] == "queued"

    played(scene)


def test_a_schedule_fires_in_the_zone_of_its_function() -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await lines(client, "policy f tz=Asia/Tokyo") == ["OK"]
        dues = set()
        for name in ("f;cron=0 3 * * *", "g;cron=0 3 * * *;tz=Asia/Tokyo", "f;cron=0 3 * * *;tz=UTC"):
            assert (await client.call(wire.SUBMIT_JOB_BG, name, name[0] + name[-1], payload="")).name == "JOB_CREATED"
            dues = {row.split("\t")[0] for row in await lines(client, "show schedules")}
        assert len(dues) == 2
        assert {due[11:16] for due in dues} == {"18:00", "03:00"}

    played(scene)


async def due_times(client: Talk) -> dict[str, str]:
    """At what time of day each schedule is due next, by its unique id."""
    rows = [row.split("\t") for row in await lines(client, "show schedules")]
    return {row[3]: row[0][11:16] for row in rows}


@pytest.mark.parametrize("where", ["admin", "file"])
def test_schedules_that_follow_a_zone_are_dated_anew_when_it_changes(where: str, tmp_path: Path) -> None:
    config = with_file(tmp_path, "")

    async def say(server: Server, client: Talk, zone: str) -> None:
        if where == "admin":
            assert await lines(client, f"policy f tz={zone}") == ["OK"]
        else:
            file_of(tmp_path, f'[functions.f]\ntz = "{zone}"\n' if zone else "")
            server.reload()
        assert (await lines(client, "policy f"))[-1] != "", "a turn later it holds"

    async def scene(server: Server, client: Talk) -> None:
        await say(server, client, "Asia/Tokyo")
        for name, unique in (
            ("f;cron=0 3 * * *", "follows"),
            ("f;cron=0 3 * * *;tz=UTC", "own"),
            ("g;cron=0 3 * * *", "g"),
        ):
            assert (await client.call(wire.SUBMIT_JOB_BG, name, unique, payload="")).name == "JOB_CREATED"
        before = await due_times(client)
        assert (before["follows"], before["own"]) == ("18:00", "03:00")
        await say(server, client, "Asia/Kolkata")
        assert await due_times(client) == {**before, "follows": "21:30"}
        await say(server, client, "")
        assert await due_times(client) == {**before, "follows": before["g"]}

    played(scene, config)


def test_a_file_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = with_file(tmp_path, '[functions."*"]\nretries = 1\n')

    async def scene(server: Server, client: Talk) -> None:
        await client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
        file_of(tmp_path, '[functions."*"]\nretries = 2\ntimeout = "1m"')
        server.reload()
        assert await retries_of(client, "f") == ["2", "file *"]
        for bad in ('[functions."*"]\nretries = 3\nttl = 0\n', "[", None):
            if bad is None:
                (tmp_path / "policy.toml").unlink()
            else:
                file_of(tmp_path, bad)
            caplog.clear()
            server.reload()
            (said,) = (record.getMessage() for record in caplog.records)
            assert said.startswith("The policies stay as they are: ")
            assert str(tmp_path / "policy.toml") in said
            assert await retries_of(client, "f") == ["2", "file *"]
            assert "line 3" in said or bad != '[functions."*"]\nretries = 3\nttl = 0\n'

    played(scene, config)


def test_a_bad_file_ends_the_start(tmp_path: Path) -> None:
    async def scene() -> None:
        store = Obedient()
        for given in (None, store):
            with pytest.raises(ConfigError, match=r"line 2, .* retries: "):
                await Server(with_file(tmp_path, "[functions.a]\nretries = -1"), [], given).start()
        assert not store.is_open

    play(scene())


def test_without_a_file_nothing_is_read_again() -> None:
    async def scene(server: Server, client: Talk) -> None:
        server.reload()
        assert await lines(client, "policy") == []

    played(scene)


# --- what is kept ---


def test_all_of_it_is_there_again_after_a_restart(tmp_path: Path) -> None:
    """A job that waited in a paused function waits on; and jobs from the store follow the rules, too."""

    async def with_server(scene: Callable[[Server, Talk], object]) -> None:
        store = make_store(StoreSettings(url=f"sqlite:{tmp_path}/jobs.db"))
        async with Server(Config(listen=(HOST,), port=0), [Admin()], store) as server, Talk(server) as client:
            await scene(server, client)  # type: ignore[misc]

    async def before(server: Server, client: Talk) -> None:
        assert await lines(client, "pause mail.* the mail server \xe9 moves") == ["OK"]
        assert await lines(client, "policy mail.* retries=4 ttl=1h") == ["OK"]
        assert await lines(client, "drain old") == ["OK"]
        assert (await client.call(wire.SUBMIT_JOB_BG, "mail.high", "", payload="x")).name == "JOB_CREATED"

    async def after(server: Server, client: Talk) -> None:
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "mail.high")
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"
            worker.say(wire.PRE_SLEEP)
            assert (await worker.call(wire.ECHO_REQ, payload="it sleeps")).name == "ECHO_RES"
            (row,) = await lines(client, "show functions mail.high")
            assert row.endswith("\tpaused\tthe mail server \xe9 moves")
            assert await retries_of(client, "mail.high") == ["4", "admin mail.*"]
            answer = await client.call(wire.SUBMIT_JOB_BG, "old", "", payload="x")
            assert answer.body == b"QUEUE_ERROR\0Nothing more is taken for this function: it is drained"
            assert await lines(client, "resume mail.*") == ["OK"]
            assert (await worker.hear()).name == "NOOP"
            assert (await worker.call(wire.GRAB_JOB)).name == "JOB_ASSIGN"

    async def at_last(server: Server, client: Talk) -> None:
        assert await lines(client, "show functions mail.high") != []
        assert (await lines(client, "policy")) == ["mail.*\tretries\t4\tadmin", "mail.*\tttl\t1h\tadmin",
                                                   "old\tdrained\t\tadmin"]  # fmt: skip

    for scene in (before, after, at_last):
        play(with_server(scene))


def test_jobs_from_the_store_expire_by_the_rules() -> None:
    contents = Contents()
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x").name == "JOB_CREATED"
    contents.metadata[RULES] = json.dumps([["f", {"ttl": "20ms"}, None, ""]])
    with serving(Obedient(contents)) as served, served.connect() as client:
        assert client.sync() == b""
        served.store.wait_gone(1)


@pytest.mark.parametrize(
    "text",
    [
        "{", "5", "null", "[5]", "[[5, {}, null, \"\"]]", '[["f", {}, null]]', '[["f", {}, "shut", ""]]',
        '[["f", {}, ["open"], ""]]', '[["\\u0400", {}, null, ""]]', '[["f", {}, "paused", null]]',
        '[["f", 5, "paused", ""]]', "[" * 100_000,
    ],
)  # fmt: skip
def test_damaged_metadata_is_logged_and_forgotten(text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert unpacked(text) == {}
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith("What was said of functions before cannot be read, and is forgotten: ")
    store = Obedient(Contents(metadata={RULES: text}))
    with serving(store) as served, served.connect() as client:
        assert client.admin("pause f") == b"OK\r\n"


def test_a_value_that_is_not_known_is_left_out_of_what_was_kept(caplog: pytest.LogCaptureFixture) -> None:
    kept = [["f", {"retries": "5", "later": "x", "ttl": "0s", "priority": 5}, "paused", "why"]]
    found = unpacked(json.dumps(kept))[b"f"]
    assert (found.values, found.gate, found.reason) == ({"retries": "5"}, "paused", b"why")
    assert len(caplog.records) == 3


def test_more_than_a_store_keeps_is_refused_and_changes_nothing() -> None:
    async def scene(server: Server, client: Talk) -> None:
        assert await lines(client, "pause f0") == ["OK"]
        count, answer = 0, ["OK"]
        while answer == ["OK"]:
            before, count = dict(server.policies.said), count + 1
            answer = await lines(client, f"pause f{count} {'because ' * 100}")
        assert answer == ["ERR TOO_MUCH all policies together may have 60000 bytes: use patterns, or the policy file"]
        assert 60 < count < 80
        assert server.policies.said == before
        assert await lines(client, f"policy g tz={'x' * 100}") == [
            f"ERR INVALID_PARAMETER tz has to be a zone of the zone database, such as Europe/Berlin, not '{'x' * 99}..."
        ]
        assert await lines(client, "pause f* one is enough") == ["OK"]
        assert len(server.policies.said) == 1

    played(scene)


# --- many functions ---


@pytest.mark.timeout(120)
def test_ten_thousand_functions_follow_while_others_are_served() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for number in range(10_000):
            server.broker.create_function(b"f%d" % number)
        async with Talk(server) as other:
            turns = 0
            client.writer.write(b"pause * maintenance\n")
            while not server.policies.busy:
                await asyncio.sleep(0)
            while server.policies.busy:
                assert (await other.call(wire.ECHO_REQ, payload="x")).body == b"x"
                turns += 1
            assert turns >= 2
            assert await client.reader.readline() == b"OK\r\n"
            rows = await lines(client, "show functions")
            assert len(rows) == 10_000
            assert all(row.endswith("\tpaused\tmaintenance") for row in rows)
            for name in ("f0", "f5000", "f9999"):
                other.say(wire.CAN_DO, name)
            other.say(wire.PRE_SLEEP)
            for name in ("f0", "f9999"):
                await client.call(wire.SUBMIT_JOB_BG, name, "", payload=name)
            assert await lines(client, "resume *") == ["OK"]
            assert (await other.hear()).name == "NOOP"
            assert {(await other.call(wire.GRAB_JOB)).args(2)[2] for _ in range(2)} == {b"f0", b"f9999"}
            assert not any(row.endswith("\tpaused\tmaintenance") for row in await lines(client, "show functions"))

    played(scene)


def test_a_change_that_comes_while_another_is_followed_is_followed_as_well() -> None:
    async def scene(server: Server, client: Talk) -> None:
        for number in range(1000):
            await client.call(wire.SUBMIT_JOB_BG, f"f{number}", "", payload="x")
        async with Talk(server) as other, Talk(server) as worker:
            client.writer.write(b"pause *\n")
            other.writer.write(b"resume *\npause f7\nresume f7\n")
            for talk, count in ((client, 1), (other, 3)):
                for _ in range(count):
                    answer = await talk.reader.readline()
                    assert answer == b"OK\r\n" or answer.startswith(b"ERR NOT_PAUSED")
            if gate_of(server.policies.said, b"f1") is not None:
                assert await lines(client, "resume *") == ["OK"]
            for number in range(1000):
                worker.say(wire.CAN_DO, f"f{number}")
            for _ in range(1000):
                assert (await worker.call(wire.GRAB_JOB)).name == "JOB_ASSIGN"

    played(scene)


def test_functions_for_which_there_was_no_memory_get_their_rules_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(room, "PAUSE", 0.0)

    class Poor:
        """Rules for which there is no memory the first time."""

        def __init__(self, policies: Policies) -> None:
            self.real = policies.rulings
            self.tries = 0

        def set(self, rules: list[Rule]) -> None:
            self.real.set(rules)

        def apply(self, start: int) -> int:
            self.tries += 1
            if self.tries == 1:
                raise MemoryError
            return self.real.apply(start)

    async def scene(server: Server, client: Talk) -> None:
        await client.call(wire.SUBMIT_JOB_BG, "f", "", payload="x")
        server.policies.rulings = Poor(server.policies)  # type: ignore[assignment]
        assert await lines(client, "pause f") == ["OK"]
        assert [record.getMessage() for record in caplog.records] == [
            "There is no memory for the policies of some functions: they get them when there is"
        ]
        async with Talk(server) as worker:
            worker.say(wire.CAN_DO, "f")
            assert (await worker.call(wire.GRAB_JOB)).name == "NO_JOB"

    played(scene)
