"""Policies, pauses and drains for those that know nothing of them: PHP and `nc`; what docs/failure.md says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gearfast.protocol import parameters
from gearfast.server.policyfile import read_policy_file
from tests.support import wire
from tests.support.peers import PROJECT, Done, Server, peer, run, start_gearfast, until
from tests.support.wire import Connection

SHELL = Path("/bin/sh")
PAGE = (PROJECT / "docs" / "failure.md").read_text(encoding="utf-8")


def block(section: str, kind: str) -> str:
    """The one example of a kind in a section of the page."""
    text = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    (found,) = re.findall(rf"^```{kind}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(found)


def php(server: Server, section: str, tmp_path: Path) -> Done:
    """Run a section's program, as it stands there."""
    program = block(section, "php")
    assert program.count("4730") == 1
    path = tmp_path / "page.php"
    path.write_text(f"<?php\n{program.replace('4730', str(server.port))}")
    return run(peer("php"), path)


def commands(section: str) -> list[str]:
    """A section's command lines."""
    return block(section, "sh").splitlines()


def typed(server: Server, line: str) -> list[str]:
    """Run a command line, as it stands there; return what it printed."""
    assert line.count("4730") == line.count("nc -q") == 1
    done = run(SHELL, "-c", line.replace("nc -q", f"{peer('nc')} -q").replace("4730", str(server.port)))
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def state(admin: Connection, handle: str) -> str:
    """Of a job."""
    return dict(line.split(": ", 1) for line in admin.table(f"show job {handle}"))["state"]


def test_the_page_tells_of_policies(tmp_path: Path) -> None:
    """Its file, its program and its commands: the job of a plain client is tried again."""
    path = tmp_path / "policy.toml"
    path.write_text(block("Policies", "toml"))
    with start_gearfast(f"--policy={path}") as server, server.connect() as admin, server.connect() as worker:
        done = php(server, "Policies", tmp_path)
        assert (done.out, done.err) == ("", "")
        worker.request(wire.CAN_DO, "mail.welcome")
        handle, _, payload = worker.call(wire.GRAB_JOB).args(2)
        assert payload == b"hello"
        worker.request(wire.WORK_FAIL, handle)
        until(lambda: state(admin, handle.decode()) == "retrying", "the job waits for its next try")
        say, ask = commands("Policies")
        assert typed(server, say) == ["OK"]
        *rows, end = typed(server, ask)
        assert end == "."
        found = {key: (value, origin) for key, value, origin in (row.split("\t") for row in rows)}
        assert found["retries"] == ("9", "admin mail.*")
        assert found["timeout"] == ("30s", "admin mail.*")
        assert found["backoff"] == ("fixed:10s", "file mail.*")
        assert found["priority"] == ("as submitted", "default")
        assert admin.table("policy mail.password")[1] == "priority\thigh\tfile mail.password"


def test_the_page_tells_of_a_pause(tmp_path: Path) -> None:
    """A client notices nothing of it."""
    with start_gearfast() as server, server.connect() as worker:
        worker.request(wire.CAN_DO, "mail.welcome")
        pause, look, resume = commands("Pause and drain")
        assert typed(server, pause) == ["OK"]
        done = php(server, "Pause and drain", tmp_path)
        assert (done.out, done.err) == ("", "")
        assert worker.call(wire.GRAB_JOB).name == "NO_JOB"
        worker.request(wire.PRE_SLEEP)
        assert worker.sync() == b""
        row, end = typed(server, look)
        assert row.split("\t") == [
            *("mail.welcome", "1", "0", "1", "0", "1", "0", "0", "0", "0", "0"),
            *("paused", "the mail server moves until six"),
        ]
        assert end == "."
        assert typed(server, resume) == ["OK"]
        assert worker.recv_packet().name == "NOOP"
        assert worker.call(wire.GRAB_JOB).args(2)[2] == b"hello"


def test_the_page_tells_of_a_drain(tmp_path: Path) -> None:
    with start_gearfast() as server, server.connect() as admin:
        assert admin.admin("drain mail.* use the other server") == b"OK\r\n"
        done = php(server, "Pause and drain", tmp_path)
        assert "QUEUE_ERROR:Nothing more is taken for this function: use the other server" in done.out
        assert admin.table("show jobs") == []


@pytest.mark.parametrize("word", ["dead_letter_max", "dead_letter_bytes"])
def test_the_page_names_the_keys_that_only_functions_have(word: str) -> None:
    assert f"`{word}`" in PAGE.partition("\n## Policies\n")[2]
    assert word in parameters.keys(for_function=True).keys() - parameters.keys().keys()


def test_the_pages_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(block("Policies", "toml"))
    assert list(read_policy_file(str(path))) == [b"mail.*", b"mail.password"]
