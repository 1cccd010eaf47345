"""Retries for clients and workers that know nothing of them: PHP, the `gearman` tool; what docs/failure.md says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import PROJECT, Server, peer, run, start_gearfast

SHELL = Path("/bin/sh")
SEEDS = PROJECT / "tests" / "seeds"
PAGE = (PROJECT / "docs" / "failure.md").read_text(encoding="utf-8")


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
    (program,) = re.findall(r"^```php\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (submit,) = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
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
