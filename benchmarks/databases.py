"""Private database servers: a real PostgreSQL, MariaDB or Redis on a free port, with data in a folder of its own.

They are durable as in production (each commit is synced), but small. The benchmarks keep jobs in them; the tests, in
tests/support/databases.py, also kill and freeze them.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Self

from benchmarks.subjects.subject import HOST, PEERS, MissingError, free_port

START_SECONDS = 20.0
END_SECONDS = 10.0
FETCHED = PEERS.parent
USER = "gearfast"
PASSWORD = "secret"
DATABASE = "gearfast"


class Database:
    """A private database server. Made stopped; as a context it is started, and ended with its folder."""

    program: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, options: Sequence[str] = (), place: Path | None = None) -> None:
        """Make one in a new folder below `place`, else below the system's for temporary files."""
        self.options = list(options)
        self.port = self.free_port()
        self.process: subprocess.Popen[bytes] | None = None
        empty = self.empty()
        # where its user may enter; all of a kind lie in one place, so they are alike
        inside = place if place is None or self.owner() is None or _enterable(place) else None
        self.folder = _own_folder(self.program, self.owner(), inside)
        atexit.register(self.end)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        subprocess.run(["cp", "-a", str(empty), str(self.data)], check=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    # Where its programs and its port come from.

    @classmethod
    def find(cls, name: str) -> Path:
        """Return a program: the one fetched for the tests, else the installed one. Raises MissingError."""
        found = shutil.which(str(PEERS / name)) or shutil.which(name)
        if found is None:
            raise MissingError(f"{name} is not installed: fetch it privately with sh tests/peers.sh")
        return Path(found)

    @classmethod
    def free_port(cls) -> int:
        """Return a port that nobody listens on."""
        return free_port()

    # What the kinds differ in.

    @classmethod
    def empty(cls) -> Path:
        """A data folder with nothing of ours in it, to be copied."""
        raise NotImplementedError

    def command(self) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it takes connections."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """What `--store` takes."""
        raise NotImplementedError

    def run(self, statement: str) -> list[list[str]]:
        """Have the database's own client do this; return the rows it printed. Raises RuntimeError with what it said."""
        raise NotImplementedError

    @classmethod
    def owner(cls) -> pwd.struct_passwd | None:
        """The user it must run as, when not ours."""
        return None

    # What they have in common.

    @property
    def pid(self) -> int:
        """The first process's id, while it runs."""
        assert self.process is not None, f"{self.program} does not run"
        return self.process.pid

    def start(self) -> None:
        """Start on the data that are there, and wait until it takes connections."""
        assert self.process is None, f"{self.program} runs already"
        user, group, groups = _identity(self.owner())
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env=_environment(),
                start_new_session=True,  # an interrupt from the keyboard is for the tests, which then end it
                user=user,
                group=group,
                extra_groups=groups,
            )
        limit = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                self.end_processes()
                raise RuntimeError(f"{self.program} did not start: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it as an administrator would: what it holds is written, its clients are cut off."""
        self.thaw()
        if self.process is not None:
            self.process.send_signal(self.stop_signal)
            self.process.wait(END_SECONDS)
            self.process = None

    def restart(self) -> None:
        """Stop in order, and start on the same port and data."""
        self.stop()
        self.start()

    def kill(self) -> None:
        """End all its processes at once, as a crash does."""
        self.end_processes()

    def freeze(self) -> None:
        """Stop all its processes: connections stay, and nothing answers."""
        if self.process is None:
            return
        self._signal(signal.SIGSTOP, self.pid)  # it starts no more others from here on
        until(lambda: _state(self.pid) == "T", f"{self.program} is frozen")
        for child in _children(self.pid):
            self._signal(signal.SIGSTOP, child)
            until(lambda pid=child: _state(pid) in "TZX", f"all of {self.program} is frozen")  # type: ignore[misc]

    def thaw(self) -> None:
        """Let all its processes go on."""
        if self.process is not None:
            for pid in (*_children(self.pid), self.pid):
                self._signal(signal.SIGCONT, pid)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Frozen until the block is left."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def end_processes(self) -> None:
        """Leave none of its processes."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.freeze()  # so that none is born while they are counted
        children = _children(self.pid)
        for pid in (self.pid, *children):
            self._signal(signal.SIGKILL, pid)
        self.process.wait(END_SECONDS)
        for child in children:  # a database looks for left-over processes at its next start
            until(lambda pid=child: _state(pid) in "ZX", f"all of {self.program} has ended")  # type: ignore[misc]
        self.process = None

    def end(self) -> None:
        """Leave no process and no file of it."""
        self.end_processes()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.end)

    @staticmethod
    def _signal(number: signal.Signals, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class PostgreSql(Database):
    """PostgreSQL. As root it runs as somebody else: it refuses to be root."""

    program = "postgres"
    stop_signal = signal.SIGINT  # the "fast" shutdown: does not wait for clients to leave

    @classmethod
    def owner(cls) -> pwd.struct_passwd | None:
        return pwd.getpwnam("nobody") if os.getuid() == 0 else None

    @classmethod
    @functools.cache
    def empty(cls) -> Path:
        folder = _own_folder("postgres-empty", cls.owner())
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        words = ["-U", USER, "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        _do([cls._program("initdb"), "-D", str(folder / "data"), *words], cls.owner())
        single = [cls._program("postgres"), "--single", "-D", str(folder / "data"), "postgres"]
        _do(single, cls.owner(), f"CREATE DATABASE {DATABASE}\n")
        return folder / "data"

    @classmethod
    def _program(cls, name: str) -> str:
        found = cls.find(name)
        owner = cls.owner()
        enterable = owner is None or found.parent != PEERS or _open_to_all()
        return str(found if enterable else _readable_copy() / "bin" / name)

    def command(self) -> list[str]:
        settings = ("shared_buffers=32MB", "max_connections=30", "unix_socket_directories=", f"listen_addresses={HOST}")
        words = [word for setting in settings for word in ("-c", setting)]
        return [self._program("postgres"), "-D", str(self.data), "-p", str(self.port), *words, *self.options]

    def ready(self) -> bool:
        with contextlib.suppress(OSError, IndexError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(self.pid) and lines[7].strip() == "ready"
        return False

    @property
    def url(self) -> str:
        return f"postgresql://{USER}@{HOST}:{self.port}/{DATABASE}"

    @property
    def conninfo(self) -> str:
        """The same, as gearmand's `--libpq-conninfo` takes it."""
        return f"host={HOST} port={self.port} user={USER} dbname={DATABASE}"

    def run(self, statement: str) -> list[list[str]]:
        words = ["-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return _rows([str(self.find("psql")), self.url, *words])


class MariaDb(Database):
    """MariaDB, with a user and a database that nobody else has."""

    program = "mariadbd"

    @classmethod
    @functools.cache
    def empty(cls) -> Path:
        folder = _own_folder("mariadb-empty", None)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        words = [f"--datadir={folder / 'data'}", "--auth-root-authentication-method=normal", "--skip-test-db"]
        _do([str(cls.find("mariadb-install-db")), *words, *cls._settings()], None)
        return folder / "data"

    @staticmethod
    def _settings() -> list[str]:
        small = ["--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M", "--max-connections=30"]
        user = pwd.getpwuid(os.getuid()).pw_name
        return [*small, "--skip-name-resolve", *(["--user=root"] if user == "root" else [])]

    def command(self) -> list[str]:
        first = self.folder / "first.sql"
        first.write_text(
            f"CREATE DATABASE IF NOT EXISTS {DATABASE};\n"
            f"CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';\n"
            f"GRANT ALL ON {DATABASE}.* TO {USER}@'%';\n"
        )
        files = [f"--datadir={self.data}", f"--socket={self.folder / 'socket'}", f"--init-file={first}"]
        network = [f"--bind-address={HOST}", f"--port={self.port}", f"--pid-file={self.folder / 'pid'}"]
        return [str(self.find("mariadbd")), *files, *network, *self._settings(), *self.options]

    def ready(self) -> bool:
        return _greeting(self.port, b"")[4:5] == b"\x0a"  # the version of its protocol

    @property
    def url(self) -> str:
        return f"mysql://{USER}:{PASSWORD}@{HOST}:{self.port}/{DATABASE}"

    def run(self, statement: str) -> list[list[str]]:
        words = ["--no-defaults", f"--socket={self.folder / 'socket'}", "-u", "root", "-N", "-B", "-D", DATABASE]
        return _rows([str(self.find("mariadb")), *words, "-e", statement])


class Redis(Database):
    """Redis; by default each command is in its log, and on the disk, before it is answered."""

    program = "redis-server"

    def __init__(
        self,
        appendonly: bool = True,
        appendfsync: str = "always",
        options: Sequence[str] = (),
        place: Path | None = None,
    ) -> None:
        self.appendonly = appendonly
        self.appendfsync = appendfsync
        super().__init__(options, place)

    @classmethod
    @functools.cache
    def empty(cls) -> Path:
        folder = _own_folder("redis-empty", None)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "data").mkdir()
        return folder / "data"

    def command(self) -> list[str]:
        log = ["--appendonly", "yes" if self.appendonly else "no", "--appendfsync", self.appendfsync, "--save", ""]
        network = ["--bind", HOST, "--port", str(self.port), "--dir", str(self.data)]
        return [str(self.find("redis-server")), *network, *log, *self.options]

    def ready(self) -> bool:
        return _greeting(self.port, b"PING\r\n").startswith(b"+PONG")

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def run(self, statement: str) -> list[list[str]]:
        """The words of one command, split at blanks; for bytes use the Python driver."""
        return _rows([str(self.find("redis-cli")), "-e", "-h", HOST, "-p", str(self.port), *statement.split()])


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask again and again, until it is so; for what only another process can bring about. Raises TimeoutError."""
    limit = time.monotonic() + END_SECONDS
    while not condition():
        if time.monotonic() > limit:
            raise TimeoutError(f"after {END_SECONDS:.0f} s still not: {what}")
        time.sleep(0.005)


def _environment() -> dict[str, str]:
    """Ours, less what would lead a database or its client elsewhere."""
    lead = ("PG", "MYSQL", "MARIADB", "REDIS")
    return {**{key: value for key, value in os.environ.items() if not key.startswith(lead)}, "LC_ALL": "C.UTF-8"}


def _own_folder(name: str, owner: pwd.struct_passwd | None, place: Path | None = None) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=place))
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    return folder


def _identity(owner: pwd.struct_passwd | None) -> tuple[int | None, int | None, list[int] | None]:
    return (None, None, None) if owner is None else (owner.pw_uid, owner.pw_gid, [])


def _do(command: list[str], owner: pwd.struct_passwd | None, given: str = "") -> None:
    user, group, groups = _identity(owner)
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        check=False,
        user=user,
        group=group,
        extra_groups=groups,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stdout[-1000:]}{done.stderr[-1000:]}")


def _rows(command: list[str]) -> list[list[str]]:
    done = subprocess.run(command, capture_output=True, env=_environment(), timeout=60, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).decode(errors='replace').strip()}")
    return [line.split("\t") for line in done.stdout.decode(errors="surrogateescape").splitlines()]


def _greeting(port: int, said: bytes) -> bytes:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1.0) as sock:
        sock.sendall(said)
        return sock.recv(256)
    return b""


def _open_to_all() -> bool:
    """Whether any user may run what is in build/peers: nobody else may enter a checkout below /root."""
    inside = (PEERS, *PEERS.parents, FETCHED / "root", FETCHED / "root/usr/lib")
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in inside if folder.exists())


def _enterable(place: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (place, *place.parents))


@functools.cache
def _readable_copy() -> Path:
    """The programs and what they load, where every user may read them."""
    copy = Path(tempfile.mkdtemp(prefix="peers-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(PEERS, copy / "bin", symlinks=True)
    root = (FETCHED / "root").resolve()  # by the name that the programs' wrappers know
    for part in ("usr/lib/postgresql", "usr/share/postgresql"):
        if (root / part).exists():  # else the one of the machine is used
            shutil.copytree(root / part, copy / root.name / part, symlinks=True)
    for folder in (*root.glob("usr/lib/*-linux-*"), *root.glob("lib/*-linux-*")):
        target = copy / root.name / folder.relative_to(root)
        target.mkdir(parents=True)
        for library in folder.glob("*.so*"):
            shutil.copy2(library, target / library.name, follow_symlinks=False)
    subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
    return copy


def _state(pid: int) -> str:
    """The letter of a process's state; X: there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == parent:
                    found.append(int(entry.name))
    return found
