"""Delays from clients that know nothing of them: PHP, the `gearman` tool; and what docs/time.md says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gearfast.protocol import parameters
from tests.support import wire
from tests.support.peers import PROJECT, Done, Server, finish, launch, peer, run, start_gearfast, until

SHELL = Path("/bin/sh")
KINDS = ("php", "sh", "perl")
SEEDS = PROJECT / "tests" / "seeds"
PAGE = (PROJECT / "docs" / "time.md").read_text(encoding="utf-8")
FAILURE = (PROJECT / "docs" / "failure.md").read_text(encoding="utf-8")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server, fresh."""
    with start_gearfast() as started:
        yield started


def php(server: Server, *words: str | Path, **environment: str) -> Done:
    return run(peer("php"), *words, environment={"JOB_SERVERS": server.address, **environment})


def handles(server: Server) -> list[str]:
    """Of all jobs, running ones too."""
    with server.connect() as admin:
        return sorted(line.split("\t")[0] for line in admin.table("show jobs"))


def test_an_order_that_is_not_paid_closes_itself(server: Server) -> None:
    """Not before its time, and by a worker that has waited for it all the while."""
    worker = launch(peer("php"), SEEDS / "order_worker.php", environment={"JOB_SERVERS": server.address, "JOBS": "2"})
    try:
        with server.connect() as admin:
            until(lambda: admin.table("status") == ["closeOrder\t0\t0\t1"], "there is a worker")
            began = float(php(server, "-r", "printf('%.3f', microtime(true));").out)
            assert re.fullmatch(
                r"order 42 is open for 1s500ms: H:.*\n", php(server, SEEDS / "order.php", "42", DELAY="1s500ms").out
            )
            php(server, SEEDS / "order.php", "43", DELAY="0s")
            out, err = worker.communicate(timeout=60)
    finally:
        finish(worker)
    assert (err, worker.returncode) == ("", 0)
    (at, *soon), (later, *late) = (line.split(" ") for line in out.splitlines())
    assert soon == ["order", "43", "is", "closed"]
    assert late == ["order", "42", "is", "closed"]
    assert float(later) >= began + 1.5
    assert float(at) < float(later)
    assert handles(server) == []


def test_an_order_that_was_paid_does_not(server: Server) -> None:
    handle = php(server, SEEDS / "order.php", "42").out.split()[-1]
    assert handles(server) == [handle]
    assert php(server, SEEDS / "order.php", "pay", handle).out == "paid\n"
    assert handles(server) == []
    again = php(server, SEEDS / "order.php", "pay", handle)
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith("the order is closed already: ERR")


def test_the_page_tells_what_is_so(server: Server, tmp_path: Path) -> None:
    """Its program and its commands, as they stand there."""
    program, *_ = re.findall(r"^```php\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    submit, cancel, mistake, _, look, *_ = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert "4730" in program
    path = tmp_path / "page.php"
    path.write_text(f"<?php\n{program.replace('4730', str(server.port))}echo $handle;\n")
    first = php(server, path).out
    assert handles(server) == [first]
    tool = f"{peer('gearman')} -h {server.host} -p {server.port} "
    done = run(SHELL, "-c", submit.replace("gearman ", tool, 1))
    assert (done.code, done.out) == (0, "")
    assert len(handles(server)) == 2
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "closeOrder")
        assert worker.call(wire.GRAB_JOB).name == "NO_JOB"
        assert worker.table("status") == ["closeOrder\t2\t0\t1"]
    done = run(
        SHELL,
        "-c",
        cancel.replace("gearadmin ", f"{peer('gearadmin')} -h {server.host} -p {server.port} ", 1).replace(
            "H:myhost:1", first
        ),
    )
    assert done.code == 0
    (left,) = handles(server)
    done = run(SHELL, "-c", look.replace("nc ", f"{peer('nc')} ", 1).replace("4730", str(server.port)))
    (row, end) = done.out.splitlines()
    assert row.split("\t")[1:] == [left, "normal", "2", "closeOrder", "order-43"]
    assert end == "."
    refused = run(SHELL, "-c", mistake.replace("gearman ", tool, 1))
    assert "INVALID_PARAMETER" in refused.err
    assert len(handles(server)) == 1


def schedules(server: Server) -> list[list[str]]:
    """By function: unique id, cron, zone, runs, skipped; in the order of the unique ids."""
    with server.connect() as admin:
        rows = [line.split("\t") for line in admin.table("show schedules")]
    assert all(row[0] > "2026" and row[2] == "report" for row in rows)
    return sorted([row[3], row[4], row[5], row[8], row[9]] for row in rows)


def test_the_page_tells_what_is_so_of_schedules(server: Server, tmp_path: Path) -> None:
    """From PHP, the command line and Perl; what is submitted twice is there once."""
    section = PAGE.partition("## Schedules")[2].partition("\n## ")[0]
    php_, sh, perl = (re.search(rf"^```{kind}\n(.*?)^```", section, re.DOTALL | re.MULTILINE) for kind in KINDS)
    assert php_
    assert sh
    assert perl
    page, script = tmp_path / "page.php", tmp_path / "page.pl"
    page.write_text(f"<?php\n{php_[1].replace('4730', str(server.port))}echo $schedule;\n")
    script.write_text(f"use strict;\nuse warnings;\n{perl[1].replace('4730', str(server.port))}")
    tool = f"{peer('gearman')} -h {server.host} -p {server.port} "
    for _ in range(2):
        handle = php(server, page).out
        assert run(SHELL, "-c", sh[1].replace("gearman ", tool, 1)).code == 0
        assert run(peer("perl"), script).err == ""
        assert schedules(server) == [
            ["monthly", "0 0 1 * *", "UTC", "0", "0"],
            ["nightly", "30 3 * * mon-fri", "Europe/Berlin", "0", "0"],
            ["often", "*/15 * * * *", "", "0", "0"],
        ]
    assert handles(server) == []
    with server.connect() as admin, server.connect() as worker:
        assert admin.admin(f"run now {handle}") == b"OK\r\n"
        worker.request(wire.CAN_DO, "report")
        assert worker.call(wire.GRAB_JOB_UNIQ).args(3)[1:] == [b"report", b"nightly", b"all"]
        assert admin.admin(f"cancel schedule {handle}") == b"OK\r\n"
    assert [row[0] for row in schedules(server)] == ["monthly", "often"]


def test_the_pages_have_all_keys() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE + FAILURE, re.MULTILINE)
    assert sorted(set(rows) & parameters.keys().keys()) == sorted(parameters.keys())


def examples(page: str, title: str, server: Server, tmp_path: Path) -> tuple[Path, str]:
    """The program and the command of one section, as they stand there, for this server."""
    text = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    (program,) = re.findall(r"^```php\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (command,) = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert "4730" in program
    path = tmp_path / "page.php"
    path.write_text(f"<?php\n{program.replace('4730', str(server.port))}")
    return path, command.replace("gearman ", f"{peer('gearman')} -h {server.host} -p {server.port} ", 1)


def shown(server: Server, handle: str) -> dict[str, str]:
    """All of one job."""
    with server.connect() as admin:
        return dict(line.split(": ", 1) for line in admin.table(f"show job {handle}"))


def test_the_page_tells_how_a_double_click_is_one_job(server: Server, tmp_path: Path) -> None:
    """Also when the first one has been done meanwhile."""
    program, command = examples(PAGE, "A double click", server, tmp_path)
    assert php(server, program).err == ""
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "charge")
        handle = worker.call(wire.GRAB_JOB).args(2)[0]
        assert run(SHELL, "-c", command).code == 0
        assert handles(server) == [handle.decode()]
        worker.request(wire.WORK_COMPLETE, handle, payload="")
        worker.sync()
        assert run(SHELL, "-c", command).code == 0
        assert php(server, program).err == ""
        assert worker.call(wire.GRAB_JOB).name == "NO_JOB"
    assert handles(server) == []


def test_the_page_tells_how_the_end_of_an_order_moves(server: Server, tmp_path: Path) -> None:
    program, command = examples(PAGE, "An order whose end moves", server, tmp_path)
    assert php(server, program).err == ""
    (handle,) = handles(server)
    first = shown(server, handle)
    assert (first["state"], first["bytes"]) == ("delayed", str(len("44, and one thing more")))
    assert run(SHELL, "-c", command).code == 0
    assert handles(server) == [handle]
    second = shown(server, handle)
    assert second["bytes"] == str(len("44, and two things more"))
    assert datetime.fromisoformat(second["due"]) - datetime.fromisoformat(first["due"]) > timedelta(minutes=19)


def test_the_page_tells_what_is_too_late_and_what_is_handed_back(server: Server, tmp_path: Path) -> None:
    program, command = examples(FAILURE, "Too late, and in order", server, tmp_path)
    assert php(server, program).err == ""
    (handle,) = handles(server)
    with server.connect() as worker:
        worker.request(wire.CAN_DO, "notify")
        assert worker.call(wire.GRAB_JOB).args(2)[0].decode() == handle
        worker.request(wire.CANT_DO, "notify")
        worker.sync()
    assert shown(server, handle)["attempts"] == "0"
    assert run(SHELL, "-c", command).code == 0
    assert {shown(server, each)["parameters"] for each in handles(server)} == {
        "ttl=2h;retries=3;graceful=free",
        "ttl=2h",
    }


@pytest.mark.parametrize(("words", "lane"), [(["-I"], "low"), (["-L"], "high"), ([], "normal")])
def test_the_tool_asks_for_another_priority(server: Server, words: list[str], lane: str) -> None:
    place = ["-h", server.host, "-p", str(server.port)]
    assert run(peer("gearman"), *place, "-b", *words, "-f", f"f;priority={lane}", "x").code == 0
    with server.connect() as admin:
        counts = {"high": "1\t0\t0", "normal": "0\t1\t0", "low": "0\t0\t1"}
        assert admin.table("prioritystatus") == [f"f\t{counts[lane]}\t0"]
