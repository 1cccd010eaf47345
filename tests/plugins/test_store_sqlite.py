"""The store in one SQLite file: the contract, and what only a file can suffer."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from gearfast.errors import ConfigError, StoreError, StoreLostError
from gearfast.plugins.sqlite import Sqlite
from gearfast.plugins.sqlite import file as file_rooms
from gearfast.plugins.sqlite import store as rooms
from gearfast.store.contract import Batch, StoredJob, StoreSettings
from gearfast.store.testing import Result, StoreContract, a_job, adding, same
from tests.support.peers import PROJECT

WRITER = """
import asyncio, sys
from gearfast.store.contract import StoreSettings
from gearfast.plugins.sqlite import Sqlite
from gearfast.store.testing import a_job, adding
from gearfast.store.contract import Batch

async def main():
    store = Sqlite(StoreSettings(url="sqlite:" + sys.argv[1], durability=sys.argv[2]))
    await store.open()
    number = 1
    while True:
        jobs = [a_job(number + more) for more in range(100)]
        await store.write(Batch([number - 100], jobs, {"ceiling": str(number + 99)}))
        number += 100
        print(number - 1, flush=True)

asyncio.run(main())
"""


def settings_of(path: Path, **fields: str) -> StoreSettings:
    return StoreSettings(url=f"sqlite:{path}", **fields)  # type: ignore[arg-type]


async def kept(path: Path, **fields: str) -> list[StoredJob]:
    """What a new store finds in the file."""
    store = Sqlite(settings_of(path, **fields))
    await store.open()
    try:
        return [job async for jobs in store.replay() for job in jobs]
    finally:
        await store.close()


async def written(path: Path, *batches: Batch, **fields: str) -> None:
    store = Sqlite(settings_of(path, **fields))
    await store.open()
    try:
        for batch in batches:
            await store.write(batch)
    finally:
        await store.close()


def refused(path: Path) -> str:
    """Why the file is no place for a store: one line."""

    async def main() -> str:
        store = Sqlite(settings_of(path))
        with pytest.raises(StoreError) as error:
            await store.open()
        await store.close()
        assert "\n" not in str(error.value)
        return str(error.value)

    return asyncio.run(main())


class TestSqlite(StoreContract):
    make_store = Sqlite

    @pytest.fixture
    def store_settings(self, tmp_path: Path) -> StoreSettings:
        return settings_of(tmp_path / "jobs.db")

    def lose(self, settings: StoreSettings) -> bool:
        Path(settings.url.removeprefix("sqlite:")).unlink()
        return True


class TestSqliteOnUvloop(TestSqlite):
    def run(self, main: Coroutine[Any, Any, Result]) -> Result:
        return uvloop.run(main)


class TestSqliteThatNeverWaits(TestSqlite):
    @pytest.fixture
    def store_settings(self, tmp_path: Path) -> StoreSettings:
        return settings_of(tmp_path / "jobs.db", durability="off", table='odd "name"; --')


# --- which file ---


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:/var/jobs.db", "/var/jobs.db"),
        ("sqlite:///var/jobs.db", "/var/jobs.db"),
        ("sqlite:jobs.db", "{cwd}/jobs.db"),
        ("sqlite:./a b/?x=1#%20", "{cwd}/a b/?x=1#%20"),
        ("sqlite:C:jobs", "{cwd}/C:jobs"),
    ],
)
def test_the_url_names_a_file(url: str, path: str) -> None:
    """Which stays the same when the process changes its folder."""
    assert Sqlite(StoreSettings(url=url)).path == path.format(cwd=os.getcwd())


@pytest.mark.parametrize("url", ["sqlite:", "sqlite://", "sqlite://host/jobs.db", "sqlite::memory:"])
def test_a_url_without_a_file_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="write sqlite:FILE"):
        Sqlite(StoreSettings(url=url))


def test_an_unknown_durability_is_refused() -> None:
    with pytest.raises(ConfigError, match="full, normal, off"):
        Sqlite(StoreSettings(url="sqlite:x", durability="some"))


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1), ("off", 0)])
def test_durability_is_sqlites_synchronous(tmp_path: Path, durability: str, synchronous: int) -> None:
    async def main() -> int:
        store = Sqlite(settings_of(tmp_path / "jobs.db", durability=durability))
        await store.open()
        found: int = await store._file.call(
            lambda: store._file.connection().execute("PRAGMA synchronous").fetchone()[0]
        )
        await store.close()
        return found

    assert asyncio.run(main()) == synchronous


def test_no_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "none" / "jobs.db") == (
        f"the folder {tmp_path}/none does not exist: create it, or use another file"
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)


def test_a_folder_nobody_can_write_to() -> None:
    assert "/proc/jobs.db" in refused(Path("/proc/jobs.db"))


@pytest.mark.parametrize("which", ["file", "folder"])
def test_what_this_user_may_not_write(tmp_path: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may everything, so the answer of the system is given here."""
    path = tmp_path / "jobs.db"
    path.touch()
    protected = str(path if which == "file" else tmp_path)
    monkeypatch.setattr(os, "access", lambda place, mode: place != protected or not mode & os.W_OK)
    assert f"{protected} cannot be written: give this user permission" in refused(path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_bytes(b"hello, world\n" * 1000)
    assert "is not an SQLite database" in refused(path)
    assert path.read_bytes() == b"hello, world\n" * 1000


def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    asyncio.run(written(path, adding([a_job(1)])))
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={rooms.FORMAT + 1}")
    connection.close()
    assert "was written by a newer gearfast: it has format 2, and this one knows 1" in refused(path)


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    asyncio.run(written(path, adding(a_job(number, payload=b"x" * 1000) for number in range(1, 200))))
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 40] = b"\xa5" * (4096 * 35)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"is damaged: save what is left with sqlite3's \.recover"):
        asyncio.run(kept(path))


def test_tables_keep_apart_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    asyncio.run(written(path, adding([a_job(1)]), table="one"))
    asyncio.run(written(path, adding([a_job(2)]), table="two"))
    same(asyncio.run(kept(path, table="one")), [a_job(1)])
    same(asyncio.run(kept(path, table="two")), [a_job(2)])
    same(asyncio.run(kept(path)), [])


# --- one file, one server ---


@pytest.mark.parametrize("durability", ["full", "off"])
def test_after_close_there_is_one_file(tmp_path: Path, durability: str) -> None:
    asyncio.run(written(tmp_path / "jobs.db", adding(map(a_job, range(1, 1000))), durability=durability))
    assert os.listdir(tmp_path) == ["jobs.db"]


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_a_server_that_is_killed_loses_nothing_and_leaves_no_lock(tmp_path: Path, durability: str) -> None:
    path = tmp_path / "jobs.db"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), durability],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(30)]
    assert "is in use by another server or program" in refused(path)
    writer.kill()
    acknowledged += map(int, writer.stdout.read().split())
    writer.wait()
    writer.stdout.close()
    found = asyncio.run(kept(path))
    last = found[-1].number
    assert last in (acknowledged[-1], acknowledged[-1] + 100)
    removed = range(1, last - 100, 100)
    same(found, [a_job(number) for number in range(1, last + 1) if number not in removed])
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT value FROM gearfast_gearman_queue_metadata").fetchall() == [(str(last),)]
    connection.close()


def test_the_log_does_not_grow_without_bound(tmp_path: Path) -> None:
    async def main() -> int:
        store = Sqlite(settings_of(tmp_path / "jobs.db", durability="off"))
        await store.open()
        for number in range(1, 80):
            await store.write(Batch([number - 1], [a_job(number, payload=b"x" * (1 << 20))], {}))
        size = os.stat(tmp_path / "jobs.db-wal").st_size
        await store.close()
        return size

    assert asyncio.run(main()) < 32 << 20


def test_slices_end_early_with_large_payloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "SLICE_BYTES", 10_000)
    jobs = [a_job(number, payload=b"x" * 1000) for number in range(1, 100)]

    async def main() -> list[int]:
        store = Sqlite(settings_of(tmp_path / "jobs.db"))
        await store.open()
        await store.write(adding(jobs))
        slices = [slice_ async for slice_ in store.replay()]
        await store.close()
        same([job for slice_ in slices for job in slice_], jobs)
        return [len(slice_) for slice_ in slices]

    assert max(asyncio.run(main())) <= 11


def test_a_row_that_cannot_be_read_is_said_and_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "jobs.db"
    asyncio.run(written(path, adding(map(a_job, range(1, 60)))))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE gearfast_gearman_queue SET function_name = 'text' WHERE number % 2 = 0")
        connection.execute("UPDATE gearfast_gearman_queue SET priority = 'high' WHERE number = 1")
    connection.close()
    for _ in range(2):
        caplog.clear()
        same(asyncio.run(kept(path)), [a_job(number) for number in range(3, 60, 2)])
        assert "the job 1 stays there" in caplog.text
        assert "10 more jobs stay there" in caplog.text


# --- writes that fail ---


async def in_file(store: Sqlite, pragma: str) -> Any:
    return await store._file.call(lambda: store._file.connection().execute(f"PRAGMA {pragma}").fetchone())


def test_a_full_disk_and_room_again(tmp_path: Path) -> None:
    """What SQLite says when a write finds no room: nothing of it is there, deletes work, and later all does."""
    path = tmp_path / "jobs.db"
    large = [a_job(number, payload=b"x" * 10_000) for number in range(1, 41)]
    more = adding(a_job(number, payload=b"y" * 10_000) for number in range(100, 300))

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding(large))
        (pages,) = await in_file(store, "page_count")
        await in_file(store, f"max_page_count={pages + 20}")
        for _ in range(3):
            with pytest.raises(StoreError, match=r"the disk of .* is full: make room there"):
                await store.write(more)
        await store.write(Batch(list(range(1, 20)), [], {}))
        await in_file(store, "max_page_count=1000000")
        await store.write(more)
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), large[19:] + more.adds)


def test_a_file_that_may_not_grow_and_then_may(tmp_path: Path) -> None:
    """What SQLite calls an I/O error: the connection is made anew."""
    path = tmp_path / "jobs.db"
    more = adding(a_job(number, payload=b"y" * 10_000) for number in range(100, 300))
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, usual[1]))
        try:
            with pytest.raises(StoreError, match="disk I/O error"):
                await store.write(more)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        await store.write(more)
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), [a_job(1), *more.adds])


class Disk:
    """What the system says of a disk."""

    f_blocks = 1000
    f_frsize = 4096

    def __init__(self, free: int) -> None:
        self.f_bavail = free // self.f_frsize


def test_the_last_of_the_disk_is_for_deletes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "jobs.db"
    free = 1 << 30
    monkeypatch.setattr(os, "statvfs", lambda place: Disk(free))
    monkeypatch.setattr(file_rooms, "LOOK_SECONDS", 0.0)

    async def main() -> None:
        nonlocal free
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding(map(a_job, range(1, 101))))
        free = file_rooms.SPARE
        with pytest.raises(StoreError, match=r"the disk of .* is full: make room there"):
            await store.write(Batch([50], [a_job(101)], {}))
        await store.write(Batch(list(range(1, 50)), [], {}))
        free = 1 << 30
        await store.write(adding([a_job(101)]))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), list(map(a_job, range(50, 102))))


def test_a_disk_that_does_not_say_how_large_it_is_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = Disk(0)
    nothing.f_blocks = 0
    monkeypatch.setattr(os, "statvfs", lambda place: nothing)
    asyncio.run(written(tmp_path / "jobs.db", adding([a_job(1)])))
    same(asyncio.run(kept(tmp_path / "jobs.db")), [a_job(1)])


def test_a_connection_that_broke_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        await store._file.call(lambda: store._file.connection().close())
        with pytest.raises(StoreError):
            await store.write(adding([a_job(2), a_job(3)]))
        await store.write(adding([a_job(2), a_job(3)]))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), [a_job(1), a_job(2), a_job(3)])


# --- a file that is taken away while it is in use ---


def mode_of(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


@pytest.mark.parametrize("gone", ["jobs.db", "jobs.db-wal", "both"])
@pytest.mark.parametrize("way", ["deleted", "moved"])
def test_a_file_that_is_taken_away_is_made_anew_and_asks_for_everything(tmp_path: Path, gone: str, way: str) -> None:
    path, elsewhere = tmp_path / "jobs.db", tmp_path / "elsewhere"
    elsewhere.mkdir()

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding(map(a_job, range(1, 10))))
        for name in ("jobs.db", "jobs.db-wal") if gone == "both" else (gone,):
            (tmp_path / name).rename(elsewhere / name) if way == "moved" else (tmp_path / name).unlink()
        with pytest.raises(StoreLostError, match=r"jobs\.db(-wal)? was deleted or moved away while in use"):
            await store.write(adding([a_job(10)]))
        await store.write(adding(map(a_job, range(1, 11))))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), list(map(a_job, range(1, 11))))
    assert mode_of(path) == "0o600"


def test_what_is_written_while_the_file_is_deleted_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for before a batch is written, and after that."""
    path = tmp_path / "jobs.db"
    write = file_rooms.SqliteFile._write

    def write_and_delete(file: Any, *what: Any) -> None:
        write(file, *what)
        if what[2]:
            path.unlink()

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        with monkeypatch.context() as patch:
            patch.setattr(file_rooms.SqliteFile, "_write", write_and_delete)
            with pytest.raises(StoreLostError):
                await store.write(adding([a_job(1)]))
        await store.write(adding([a_job(1)]))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), [a_job(1)])


def test_a_write_that_was_given_up_does_not_hide_that_the_file_was_lost(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        path.unlink()
        task = asyncio.ensure_future(store.write(adding([a_job(2)])))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(StoreLostError):
            await store.write(adding([a_job(2)]))
        await store.write(adding([a_job(1), a_job(2)]))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), [a_job(1), a_job(2)])


@pytest.mark.parametrize("name", ["jobs.db", "jobs.db-wal"])
def test_another_file_in_its_place_is_not_touched(tmp_path: Path, name: str) -> None:
    path, other = tmp_path / "jobs.db", tmp_path / "other"
    other.mkdir()

    async def main() -> None:
        await written(other / "jobs.db", adding([a_job(77)]))
        foreign = (other / "jobs.db").read_bytes()
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        (tmp_path / name).unlink()
        (tmp_path / name).write_bytes(foreign)
        for _ in range(2):
            with pytest.raises(StoreError, match=f"{name} is not the file opened at the start: move it away"):
                await store.write(adding([a_job(2)]))
        assert (tmp_path / name).read_bytes() == foreign
        (tmp_path / name).rename(other / "moved")
        with pytest.raises(StoreLostError):
            await store.write(adding([a_job(2)]))
        await store.write(adding([a_job(1), a_job(2)]))
        await store.close()
        assert (other / "moved").read_bytes() == foreign

    asyncio.run(main())
    same(asyncio.run(kept(path)), [a_job(1), a_job(2)])


def test_another_log_in_its_place_is_not_deleted_at_the_end_either(tmp_path: Path) -> None:
    path, log = tmp_path / "jobs.db", tmp_path / "jobs.db-wal"

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        log.unlink()
        log.write_bytes(b"somebody's")
        await store.close()

    asyncio.run(main())
    assert log.read_bytes() == b"somebody's"


def test_a_file_that_is_put_back_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        path.rename(tmp_path / "away")
        path.write_bytes(b"")
        with pytest.raises(StoreError, match="is not the file opened at the start"):
            await store.write(adding([a_job(2)]))
        (tmp_path / "away").rename(path)
        await store.write(adding([a_job(3)]))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), [a_job(1), a_job(3)])


def test_a_folder_that_is_deleted_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()

    async def main() -> None:
        store = Sqlite(settings_of(folder / "jobs.db"))
        await store.open()
        await store.write(adding([a_job(1)]))
        shutil.rmtree(folder)
        for _ in range(2):
            with pytest.raises(StoreError, match="folder does not exist"):
                await store.write(adding([a_job(2)]))
        folder.mkdir()
        with pytest.raises(StoreLostError, match=r"jobs\.db was deleted"):
            await store.write(adding([a_job(2)]))
        await store.write(adding([a_job(1), a_job(2)]))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(folder / "jobs.db")), [a_job(1), a_job(2)])


def test_a_file_that_is_damaged_while_in_use_is_not_to_be_left_by_the_server(tmp_path: Path) -> None:
    """Who follows the advice loses nothing."""
    path = tmp_path / "jobs.db"
    large = [a_job(number, payload=b"x" * 3000) for number in range(1, 2000)]

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding(large))
        await store._file.call(lambda: file_rooms.checkpoint(store._file.connection(), "TRUNCATE"))
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))
        await in_file(store, "shrink_memory")  # what it has read before is not asked for again
        with pytest.raises(StoreError, match="is damaged: move it away while the server runs, and all jobs"):
            await store.write(Batch([job.number for job in large], [], {}))
        path.rename(tmp_path / "damaged")
        with pytest.raises(StoreLostError):
            await store.write(adding(large))
        await store.write(adding(large))
        await store.close()

    asyncio.run(main())
    same(asyncio.run(kept(path)), large)


# --- who may read it ---


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_jobs_are_nobody_elses_business(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "jobs.db"

    async def main() -> dict[str, str]:
        store = Sqlite(settings_of(path))
        await store.open()
        await store.write(adding([a_job(1)]))
        modes = {found.name: mode_of(found) for found in tmp_path.iterdir()}
        await store.close()
        return modes

    before = os.umask(umask)
    try:
        assert asyncio.run(main()) == {"jobs.db": "0o600", "jobs.db-wal": "0o600"}
    finally:
        os.umask(before)


def test_a_file_keeps_its_mode_and_one_for_everybody_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "jobs.db"
    path.touch()
    path.chmod(0o644)

    async def main() -> None:
        store = Sqlite(settings_of(path))
        await store.open()
        await store._file.call(lambda: store._file.connection().close())
        with pytest.raises(StoreError):  # and so it is opened once more
            await store.write(adding([a_job(1), a_job(2)]))
        await store.write(adding([a_job(1)]))
        await store.close()

    asyncio.run(main())
    assert mode_of(path) == "0o644"
    assert caplog.messages == [f"{path} can be read by every user of this machine: chmod 600 it"]
    path.chmod(0o640)
    asyncio.run(written(path, adding([a_job(3)])))
    assert (mode_of(path), len(caplog.messages)) == ("0o640", 1)


def test_no_thread_is_left(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path / "jobs.db", adding([a_job(1)])))
    refused(tmp_path)
    for thread in threading.enumerate():
        if thread.name == "gearfast-sqlite":
            thread.join(10)
            assert not thread.is_alive()


def test_a_store_that_is_not_open_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        store = Sqlite(settings_of(tmp_path / "jobs.db"))
        with pytest.raises(StoreError, match="is not open"):
            await store.write(adding([a_job(1)]))
        await store.open()
        with pytest.raises(StoreError, match="is open already"):
            await store.open()
        await store.close()

    asyncio.run(main())
