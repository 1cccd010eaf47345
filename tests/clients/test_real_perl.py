"""Perl's Gearman::Client and Gearman::Worker, also with a worker that dies in a job.

Stock cannot be asked: its WORK_FAIL kills this client, and its ERROR this worker (docs/differences.md).
"""

from __future__ import annotations

import pytest

from tests.support.peers import PROJECT, finish, launch, peer, run, start_gearfast

PROGRAMS = PROJECT / "tests" / "clients" / "perl"


@pytest.mark.parametrize("exceptions", [False, True])
def test_client_and_worker(exceptions: bool) -> None:
    """Results, progress, failures and exceptions come back, and both programs live on behind them."""
    with start_gearfast() as server:
        worker = launch(peer("perl"), PROGRAMS / "worker.pl", server.address)
        try:
            done = run(peer("perl"), PROGRAMS / "client.pl", server.address, str(int(exceptions)))
            lines = done.out.splitlines()
            assert worker.poll() is None
        finally:
            worker.kill()
            said = worker.communicate()[1]
            finish(worker)
        with server.connect() as admin:
            assert [line.split("\t", 1)[1] for line in admin.table("show jobs")] == ["0\t0\t1"]
    assert (done.code, done.err, said) == (0, "", "Job 'dies' died: it broke\n")
    assert lines[:5] == ["reverse: olleH", "status 1/3", "status 2/3", "status 3/3", "complete done abc"]
    assert lines[5:10] == ["complete <>", "complete <>", "data <>", "warning <>", "complete <after nothing>"]
    assert lines[10] == "failed fail"
    death = lines[11 : lines.index("complete <zyx>")]
    if exceptions:
        # The library hands over a frozen string, of which only the text matters here.
        assert death[0].startswith("exception dies: ")
        assert "it broke" in "".join(death)
    else:
        assert death == ["failed dies"]
    assert lines[-3:] == ["complete <zyx>", "01 11 21 31 41", "background: known waiting"]
