"""Retries and dead letters for those that know nothing of them: PHP, Perl, the `gearman` tool; and docs/failure.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import PROJECT, Server, finish, free_port, launch, peer, run, start_gearfast, until
from tests.support.wire import Connection

SHELL = Path("/bin/sh")
SEEDS = PROJECT / "tests" / "seeds"
PERL = PROJECT / "tests" / "clients" / "perl"
PAGE = (PROJECT / "docs" / "failure.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```php\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server, fresh."""
    with start_gearfast() as started:
        yield started


def test_a_mail_is_sent_when_the_mail_server_is_there_again(server: Server) -> None:
    """Its worker fails twice, and gets the job again each time; a second mail is given up after one retry."""
    tool = ("-h", server.host, "-p", str(server.port), "-b")
    assert run(peer("gearman"), *tool, "-f", "sendmail;retries=2;backoff=fixed:100ms", "hello").code == 0
    done = run(peer("php"), SEEDS / "failing_worker.php", environment={"JOB_SERVERS": server.address, "FAILS": "2"})
    assert done.out == "the mail server is down\n" * 2 + "sent: hello\n"
    with server.connect() as admin:
        assert admin.table("show jobs") == []
        assert run(peer("gearman"), *tool, "-f", "sendmail;retries=1", "lost").code == 0
        assert run(peer("gearman"), *tool, "-L", "-f", "sendmail", "next").code == 0
        done = run(peer("php"), SEEDS / "failing_worker.php", environment={"JOB_SERVERS": server.address, "FAILS": "2"})
        assert done.out == "the mail server is down\n" * 2 + "sent: next\n"
        assert admin.table("show jobs") == []


def test_the_page_tells_what_is_so(server: Server, tmp_path: Path) -> None:
    """Its program and its command, as they stand there."""
    program, submit = PROGRAMS[0], COMMANDS[0]
    path = tmp_path / "page.php"
    path.write_text(f"<?php\n{program.replace('4730', str(server.port))}")
    assert run(peer("php"), path).err == ""
    tool = f"{peer('gearman')} -h {server.host} -p {server.port} "
    assert run(SHELL, "-c", submit.replace("gearman ", tool, 1)).code == 0
    done = run(peer("php"), SEEDS / "failing_worker.php", environment={"JOB_SERVERS": server.address, "FAILS": "1"})
    assert done.out.startswith("the mail server is down\nsent: ")
    with server.connect() as admin:
        (left,) = (line.split("\t")[0] for line in admin.table("show jobs"))
        told = dict(line.split(": ", 1) for line in admin.table(f"show job {left}"))
        assert (told["state"], told["attempts"], told["function"]) == ("retrying", "1", "sendmail")
        assert told["parameters"] == "retries=3;backoff=exponential:1s..5m+jitter;timeout=30s"


def buried(admin: Connection) -> list[list[str]]:
    """What `buried` lists: when, handle, attempts, bytes, function, unique id, error."""
    return [line.split("\t") for line in admin.table("buried")]


def test_a_mail_that_failed_for_good_is_kept_and_sent_when_an_administrator_kicks_it(server: Server) -> None:
    """Its worker fails three times, says why each time, and gets it once more."""
    tool = (peer("gearman"), "-h", server.host, "-p", str(server.port), "-b")
    assert run(*tool, "-f", "sendmail;retries=2;backoff=fixed:50ms", "-u", "mail-1", "hello").code == 0
    environment = {"JOB_SERVERS": server.address, "FAILS": "3"}
    worker = launch(peer("php"), SEEDS / "failing_worker.php", environment=environment)
    try:
        with server.connect() as admin:
            until(lambda: buried(admin) != [], "the job is buried")
            ((_, handle, *row),) = buried(admin)
            assert row == ["3", "5", "sendmail", "mail-1", "no mail server"]
            told = dict(line.split(": ", 1) for line in admin.table(f"show buried {handle}"))
            assert (told["last error"], told["payload"], told["attempts"]) == ("no mail server", "hello", "3")
            assert told["submitted"] <= told["first started"] < told["last failed"]
            assert admin.table("status") == ["sendmail\t0\t0\t1"]
            assert admin.admin(f"kick job {handle}") == b"OK\r\n"
            out, _ = worker.communicate(timeout=20)
            assert out == "the mail server is down\n" * 3 + "sent: hello\n"
            assert admin.table("show jobs") == admin.table("buried") == []
    finally:
        finish(worker)


def test_an_order_closes_itself_and_a_mail_is_buried_for_perl(server: Server) -> None:
    """Its client and its worker know nothing of delays and tries."""
    worker = launch(peer("perl"), PERL / "order_worker.pl", server.address)
    try:
        done = run(peer("perl"), PERL / "orders.pl", server.address)
        order, mail = (line.rpartition("//")[2] for line in done.out.splitlines())
        with server.connect() as admin:
            until(lambda: admin.table("show jobs") == [] and buried(admin) != [], "one is closed, the other is buried")
            ((_, handle, *row),) = buried(admin)
        assert handle == mail != order
        assert row == ["3", "5", "sendmail", "mail-1", "its worker said WORK_FAIL"]
        worker.kill()  # what it has said is out: each line at once
        out, _ = worker.communicate(timeout=20)
        assert sorted(out.splitlines()) == ["closed 42", *["no mail server"] * 3]
    finally:
        finish(worker)


def test_the_page_tells_how_dead_letters_come_and_go(server: Server, tmp_path: Path) -> None:
    """Its program and its commands, as they stand there; but no mail server is there."""
    program, look = PROGRAMS[1], COMMANDS[1]
    assert program.count("4730") == program.count("25,") == 1
    assert look.count("nc ") == look.count("4730") == 2
    path = tmp_path / "page.php"
    path.write_text(f"<?php\n{program.replace('4730', str(server.port)).replace('25,', f'{free_port()},')}")
    tool = (peer("gearman"), "-h", server.host, "-p", str(server.port), "-b")
    assert run(*tool, "-f", "sendmail;retries=1", "-u", "mail-1", "hello").code == 0
    worker = launch(peer("php"), path)
    try:
        with server.connect() as admin:
            until(lambda: buried(admin) != [], "the job is buried")
            done = run(SHELL, "-c", look.replace("nc ", f"{peer('nc')} ").replace("4730", str(server.port)))
            row, end, kicked = done.out.splitlines()
            assert row.split("\t")[2:] == ["2", "5", "sendmail", "mail-1", "no mail server: Connection refused"]
            assert (end, kicked) == (".", "OK 1")
            first = row.split("\t")[0]
            until(lambda: [row for row in buried(admin) if row[0] > first] != [], "it is buried again")
    finally:
        finish(worker)
