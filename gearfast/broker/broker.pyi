"""What clients and workers ask for, and what time makes necessary (protocol sections 2 and 3).

The broker knows no bytes on a wire, no socket, no clock and no event loop: it can be embedded, and
tested, by itself. From Python it is used through `gearfast.broker.inprocess.InProcessPeer`:

    from gearfast import Broker, InProcessPeer
    from gearfast.broker.peer import Report

    broker = Broker(b"H:here")
    client, worker = InProcessPeer(broker), InProcessPeer(broker)
    worker.can_do(b"reverse")
    client.submit(b"reverse", b"abc")
    handle, function, unique, payload = worker.grab()
    worker.tell(handle, Report.COMPLETE, payload[::-1])
    assert client.heard == [(Report.COMPLETE, handle, b"cba")]

It belongs to the thread that uses it first: in another one every call raises RuntimeError that does more than look.
So does a call while it works, if ever there is one: no Python runs meanwhile.
"""

from enum import IntEnum
from typing import final

from typing_extensions import disjoint_base

from gearfast.broker.figures import Figures
from gearfast.broker.life import Moved
from gearfast.broker.submits import Submitted as Submitted

class Reported(IntEnum):
    """What became of a worker's report."""

    TAKEN = 0
    """The job is, or was, in this worker's hands and has not ended before; its clients were told."""
    LATE = 1
    """This worker held the job, which has ended since: nobody is told, and nobody made a mistake."""
    UNKNOWN = 2
    """This worker never held such a job, or it was too long ago."""

class Dropped(IntEnum):
    """What became of a wish to drop a function."""

    DROPPED = 0
    NO_SUCH_FUNCTION = 1
    IN_USE = 2
    """It has workers, jobs, dead letters, schedules, or unique ids that stay taken, and stays."""

@disjoint_base
class Aftermath:
    """Whoever has something to do when a broker rests again, since it has told peers something."""

@final
class Broker(Figures):
    """All jobs of one server, from their submission to their end.

    ``handle_prefix`` stands before the colon in every handle (see `gearfast.protocol.handle.Handles`).

    ``job_retries`` is how many workers may lose a job before it fails; -1: any number, 0: like 1
    (protocol section 3.6).

    ``worker_wakeup`` is how many sleeping workers are woken when a job is queued; 0: all that can do
    it (protocol section 3.7).

    ``wakeup_grace`` is how long, in seconds, a woken worker may take to grab before `tick` wakes
    the next one.

    ``remembered_results`` is how many jobs are remembered that a worker lost, per worker: the first
    result for a job counts, whoever held it, and a later one is LATE and not UNKNOWN.

    ``memory_step`` is how many bytes of jobs have to end before free memory is handed back to the
    system (where the C library is glibc; others do it by themselves).

    ``function_rest`` is how long, in seconds, a function without jobs, workers and limits stays known
    at least; at most twice as long, and shorter if such functions need much room.

    Two clocks are passed in, and never read: ``now`` in seconds that only go forward, for deadlines
    and wake-ups, and ``wall`` in seconds since 1970, for jobs that are due later.
    """

    def __new__(
        cls,
        handle_prefix: bytes = ...,
        *,
        job_retries: int = ...,
        worker_wakeup: int = ...,
        wakeup_grace: float = ...,
        remembered_results: int = ...,
        memory_step: int = ...,
        function_rest: float = ...,
    ) -> Broker: ...
    def tick(self, now: float, wall: float) -> None:
        """Do what time has made necessary.

        Jobs that are due at ``wall`` are queued, and workers woken for them. Jobs whose deadline has
        come at ``now`` are taken from their workers. Workers that were woken ``wakeup_grace`` ago and
        have not grabbed are passed over, and the next ones woken. Peers that have left, or given up
        functions, with more jobs than were taken from them at once lose more of them. Of each kind at
        most 1,000 are dealt with; `wait` is then 0.
        """

    def wait(self, now: float, wall: float) -> float:
        """Seconds until the next `tick` is worth a call; 0 if it is at once, infinity if never."""

    def create_function(self, name: bytes) -> None:
        """Let the function be known, with no workers and no jobs; nothing happens if it is."""

    def drop_function(self, name: bytes) -> Dropped:
        """Forget a function and its limits, unless it has workers or jobs.

        If no function has exactly this name, one that differs only in case will do (protocol
        section 4.4).
        """

    def limit_function(self, name: bytes, limits: tuple[int, int, int]) -> None:
        """Set how many jobs the function may have when a high, normal or low one is submitted; 0: any number.

        All its jobs count, of every priority and state (protocol section 3.9). An unknown function
        stays unknown. Raises ValueError if the limits are not three, OverflowError if one is negative.
        """

    def move_job(
        self,
        handle: bytes,
        *,
        function: bytes | None = ...,
        priority: int | None = ...,
        due: float | None = ...,
        now: float = ...,
    ) -> Moved:
        """Give a job that waits another function, priority, or time (seconds since 1970; 0: at once).

        It takes its place in its lane like one that was submitted at this moment. Raises ValueError for a priority or
        a time that cannot be.
        """

    def cancel_job(self, handle: bytes) -> bool:
        """End a job in whatever state, and tell its clients FAIL. False if there is none such: a dead letter, too."""
