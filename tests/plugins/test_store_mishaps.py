"""A real database in which one thing goes wrong: tables are dropped, one job is not taken, or makes it hang."""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.store.test_durable import BACKGROUND, submit
from tests.support import wire
from tests.support.databases import DATABASE, Database, MariaDb, PostgreSql, Redis
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import log_of, wait_for_line
from tests.support.wire import Connection

TIMEOUT = 4.0
"""Seconds that a submit waits."""
WORDS = (f"--store-timeout={TIMEOUT:g}", "--verbose=NOTICE")
MIB = 1 << 20

LOSE = {
    PostgreSql: "DROP TABLE gearfast_queue, gearfast_queue_metadata",
    MariaDb: "DROP TABLE gearfast_gearman_queue, gearfast_gearman_queue_metadata",
    Redis: "FLUSHALL",
}


@pytest.fixture(name="database", scope="module", params=[PostgreSql, MariaDb, Redis])
def make_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    with request.param() as database:
        yield database


@pytest.fixture(autouse=True)
def _empty(request: pytest.FixtureRequest) -> None:
    """What an earlier test has left in it is none of the next one's business."""
    if "database" in request.fixturenames:
        database = request.getfixturevalue("database")
        database.run(LOSE[type(database)].replace("TABLE", "TABLE IF EXISTS"))
        if isinstance(database, PostgreSql):
            database.run("DROP FUNCTION IF EXISTS refuse, miss, hang")


def alone(client: Connection, server: Server) -> list[str]:
    """What `status` says, of a server that lives."""
    assert server.alive()
    return client.table("status")


def test_what_is_dropped_while_the_server_runs_is_written_again(database: Database) -> None:
    with start_gearfast(f"--store={database.url}", *WORDS) as server, server.connect() as client:
        submit(client, 150)
        database.run(LOSE[type(database)])
        submit(client, 50)
        wait_for_line(server, "All jobs are in the store again")
        wait_for_line(server, "The store begins anew, and the 150 jobs that it had are written to it again")
        server.process.kill()
        server.process.wait()
    with start_gearfast(f"--store={database.url}", *WORDS) as server, server.connect() as client:
        assert alone(client, server) == ["f\t200\t0\t0"]
        assert server.stop() == 0


def others_meanwhile(bad: Connection, good: Connection) -> float:
    """Have one submit jobs until the other one has an answer; the longest that one of them took."""
    longest = 0.0
    while not select.select([bad.sock], [], [], 0)[0]:
        began = time.monotonic()
        submit(good, 1)
        longest = max(longest, time.monotonic() - began)
    return longest


EVIL = {
    "constraint": (PostgreSql, "ALTER TABLE gearfast_queue ADD CHECK (payload <> 'evil')"),
    "trigger": (
        PostgreSql,
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.payload = 'evil' THEN RAISE EXCEPTION 'not that one'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON gearfast_queue FOR EACH ROW EXECUTE FUNCTION refuse()""",
    ),
    "trigger on a missing table": (
        PostgreSql,
        """CREATE FUNCTION miss() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.payload = 'evil' THEN DELETE FROM nowhere; END IF; RETURN NEW; END $$;
        CREATE TRIGGER miss BEFORE INSERT ON gearfast_queue FOR EACH ROW EXECUTE FUNCTION miss()""",
    ),
    "hangs": (
        PostgreSql,
        """CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.payload = 'evil' THEN PERFORM pg_sleep(3600); END IF; RETURN NEW; END $$;
        CREATE TRIGGER hang BEFORE INSERT ON gearfast_queue FOR EACH ROW EXECUTE FUNCTION hang()""",
    ),
    "MariaDB constraint": (MariaDb, "ALTER TABLE gearfast_gearman_queue ADD CONSTRAINT CHECK (payload <> 'evil')"),
    "MariaDB trigger": (
        MariaDb,
        "CREATE TRIGGER refuse BEFORE INSERT ON gearfast_gearman_queue FOR EACH ROW"
        " SET NEW.priority = IF(NEW.payload = 'evil', NULL, NEW.priority)",
    ),
    "MariaDB hangs": (
        MariaDb,
        "BEGIN; INSERT INTO gearfast_gearman_queue VALUES (1, 'x', '', 1, 0, 0, '', ''); hold",
    ),
}


@contextmanager
def done(database: Database, evil: str) -> Iterator[None]:
    """Have it done by the database's client; `hold` at its end is a transaction that is not over until the end."""
    if not evil.endswith("hold"):
        database.run(evil)
        yield
        return
    assert isinstance(database, MariaDb)
    words = [str(database.find("mariadb")), "--no-defaults", f"--socket={database.folder / 'socket'}", "-u", "root"]
    with subprocess.Popen(
        [*words, "-N", "-n", DATABASE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as person:
        assert person.stdin is not None
        assert person.stdout is not None
        person.stdin.write(evil.replace("hold", "SELECT 'held';\n"))
        person.stdin.flush()
        assert person.stdout.readline() == "held\n"
        yield


@pytest.mark.parametrize(("database", "evil"), EVIL.values(), indirect=["database"], ids=EVIL)
def test_a_job_that_the_database_does_not_take_keeps_nobody_else_waiting(database: Database, evil: str) -> None:
    with (
        start_gearfast(f"--store={database.url}", *WORDS) as server,
        server.connect() as good,
        server.connect() as bad,
        done(database, evil),
    ):
        bad.request(BACKGROUND, "f", "", payload="evil")
        assert others_meanwhile(bad, good) < TIMEOUT * 3 / 4
        code, text = bad.recv_packet().args()
        assert code == b"QUEUE_ERROR"
        assert text.startswith(b"The job could not be stored within 4 s: "), text
        wait_for_line(server, "The store does not take job 1, but others: ")
        assert server.stop() == 0


@pytest.mark.parametrize("database", [Redis], indirect=True)
def test_a_job_for_which_redis_has_no_room_is_refused_at_once(database: Database) -> None:
    with start_gearfast(f"--store={database.url}", *WORDS) as server, server.connect() as client:
        [used] = [line for [line] in database.run("INFO memory") if line.startswith("used_memory:")]
        database.run(f"CONFIG SET maxmemory {int(used.partition(':')[2]) + 8 * MIB}")
        try:
            code, text = client.call(BACKGROUND, "f", "", payload=bytes(20 * MIB)).args(1)
            assert (code, text.startswith(b"The store has room for ")) == (b"QUEUE_ERROR", True), text
            submit(client, 10)
            assert "The store is" not in log_of(server)
        finally:
            database.run("CONFIG SET maxmemory 0")


@pytest.mark.parametrize("database", [PostgreSql], indirect=True)
def test_a_row_that_somebody_holds_keeps_no_other_from_being_forgotten(database: Database) -> None:
    """A person who looks at a row with FOR UPDATE, and goes to lunch."""
    with (
        start_gearfast(f"--store={database.url}", *WORDS) as server,
        server.connect() as client,
        server.connect() as worker,
    ):
        submit(client, 20)
        hold = "BEGIN; SELECT * FROM gearfast_queue WHERE number = 3 FOR UPDATE; SELECT pg_sleep(3600)"
        person = subprocess.Popen([database.find("psql"), database.url, "-c", hold], stdout=subprocess.DEVNULL)
        try:
            held = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%3600%' AND wait_event = 'PgSleep'"
            until(lambda: database.run(held) == [["1"]], "the row is held")
            worker.request(wire.CAN_DO, "f")
            for _ in range(10):
                handle = worker.call(wire.GRAB_JOB).args(2)[0]
                worker.request(wire.WORK_COMPLETE, handle, payload="")
            worker.sync()
            left = "SELECT number FROM gearfast_queue WHERE number <= 10"
            until(lambda: database.run(left) == [["3"]], "the others are forgotten")
            began = time.monotonic()
            submit(client, 1)
            assert time.monotonic() - began < TIMEOUT * 3 / 4
        finally:
            person.kill()
            person.wait()
        database.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        until(lambda: database.run(left) == [], "it is forgotten too")
        assert server.stop() == 0
