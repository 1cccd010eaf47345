"""What the model of a broker is made of: functions, peers, jobs and schedules, and what a job asks for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gearfast.broker.peer import Report

PREFIX = b"H:model"
GONE = b"its worker went away"
HANDED_BACK = b"its worker handed it back"
TOO_LONG = b"its worker did not do it in time"
Heard = tuple[str] | tuple[Report, bytes, bytes | None]
Gate = Literal["paused", "drained"]
Status = tuple[bool, int, int, int]
DeadRow = tuple[bytes, bytes, int, bytes, int, int, float, float, float, bytes]
ScheduleRow = tuple[float, bytes, bytes, bytes, bytes, bytes, float, bytes, int, int]
UndatedRow = tuple[int, bytes, bytes, float, float, bool]
CRON = b"* * * * *"


@dataclass(eq=False)
class Function:
    """A function that the server knows."""

    name: bytes
    limits: tuple[int, int, int] = (0, 0, 0)
    line: list[Peer] = field(default_factory=list)


@dataclass(eq=False)
class Peer:
    """A client, a worker, or both."""

    heard: list[Heard] = field(default_factory=list)
    abilities: list[Function] = field(default_factory=list)  # in the order they are looked at
    known: list[Function] = field(default_factory=list)  # the same, the one said last first
    timeouts: dict[Function, int] = field(default_factory=dict)
    asleep: bool = False
    woken: bool = False
    woken_for: Function | None = None
    woken_at: float = 0.0
    lost: list[tuple[int, bool]] = field(default_factory=list)  # jobs held and lost; whether by an exception
    unasked: set[Function] = field(default_factory=set)  # taken on asleep, with work waiting: that wakes nobody


@dataclass(frozen=True)
class Asked:
    """Parameters that a job keeps; -1 and 0: not given."""

    retries: int = -1
    backoff: float = 0.0
    timeout: float = 0.0
    ttl: float = 0.0
    unique_ttl: float = 0.0
    replaces: bool = False
    free: bool = False
    comes_again: bool = False  # it is a schedule, or has come of one
    queues: bool = False
    catches_up: bool = False

    @property
    def text(self) -> bytes:
        given = [f"retries={self.retries}"] if self.retries >= 0 else []
        given += [f"backoff=fixed:{self.backoff}s"] if self.backoff else []
        given += [f"timeout={self.timeout}s"] if self.timeout else []
        given += [f"ttl={self.ttl}s"] if self.ttl else []
        given += [f"unique_ttl={self.unique_ttl}s"] if self.unique_ttl else []
        given += ["duplicate=replace"] if self.replaces else []
        given += ["graceful=free"] if self.free else []
        given += [f"cron={CRON.decode()}"] if self.comes_again else []
        given += ["overlap=queue"] if self.queues else []
        given += ["catchup=once"] if self.catches_up else []
        return ";".join(given).encode()


NOTHING = Asked()


@dataclass(eq=False)
class Job:
    """A job that is delayed, queued, running, to be tried again, or buried; or ended, with its unique id taken."""

    number: int
    function: Function
    payload: bytes
    unique: bytes
    priority: int
    background: bool
    due: float
    state: str
    queued_as: int = 0  # the later it was queued, the higher
    waiting: list[Peer] = field(default_factory=list)
    joinable: bool = False
    claimed_as: int = 0  # the later it took its unique id, the higher
    attempts: int = 0
    holder: Peer | None = None
    taken_as: int = 0
    deadline: float = 0.0
    expires: float = 0.0  # 0: not while it is as it is
    numerator: int = 0
    denominator: int = 0
    asked: Asked = NOTHING
    submitted: float = 0.0
    taken_at: float = 0.0
    started: float = 0.0  # for the first time, if it has failed
    failed: float = 0.0  # for the last time
    error: bytes = b""
    ended_as: Report = Report.COMPLETE
    begun: bool = False  # a worker has had it, or has it
    before: Job | None = None  # whose place it has taken, and which workers may have lost

    @property
    def handle(self) -> bytes:
        return b"%s:%d" % (PREFIX, self.number)

    @property
    def orphan(self) -> bool:
        return not self.waiting and not self.background

    @property
    def status(self) -> Status:
        if self.state != "running":
            return False, 0, 0, len(self.waiting)
        return True, self.numerator, self.denominator, len(self.waiting)

    @property
    def dead_row(self) -> DeadRow:
        sizes = len(self.payload), self.attempts
        times = self.submitted, self.started, self.failed
        return self.handle, self.function.name, self.priority, self.unique, *sizes, *times, self.error

    def note(self, now: float, error: bytes) -> None:
        """Its worker failed."""
        self.started = self.started or self.taken_at
        self.failed, self.error = now, error[:4096]


@dataclass(eq=False)
class Schedule:
    """Jobs come of it, one at each of its dates."""

    number: int
    function: Function
    unique: bytes
    payload: bytes = b""
    priority: int = 1
    asked: Asked = NOTHING
    submitted: float = 0.0
    due: float = 0.0  # 0: it waits for a date
    fired: float = 0.0  # the date for which it has fired last
    run: int = 0  # the number of the last job that came of it
    runs: int = 0
    skipped: int = 0
    fired_for: list[float] = field(default_factory=list)
    fired_by_hand: int = 0
    before: Schedule | None = None  # what it was until it was replaced

    @property
    def handle(self) -> bytes:
        return b"%s:%d" % (PREFIX, self.number)

    @property
    def row(self) -> ScheduleRow:
        last = b"%s:%d" % (PREFIX, self.run) if self.run else b""
        name, due = self.function.name, self.due or self.fired
        return due, self.handle, name, self.unique, CRON, b"", self.fired, last, self.runs, self.skipped

    @property
    def undated_row(self) -> UndatedRow:
        return self.number, CRON, b"", self.fired, self.fired, self.asked.catches_up


def failure(kind: Report, body: bytes) -> bytes:
    """What is kept of what a worker says."""
    if kind == Report.FAIL:
        return b"its worker said WORK_FAIL"
    return body or b"its worker said WORK_EXCEPTION, and nothing more"
