"""What of a broker may be looked at, in any thread: counts, functions and jobs; and what its server says of itself."""

from gearfast.broker.peer import Peer
from gearfast.broker.submits import Submits

class Figures(Submits):
    """What anybody may look at. Use `gearfast.broker.broker.Broker`, which is one."""

    @property
    def job_count(self) -> int:
        """Jobs that are delayed, queued, running, or wait for their next try; dead letters are none."""

    @property
    def delayed_count(self) -> int:
        """Jobs that are not due yet."""
    @property
    def soonest(self) -> float:
        """When the first of them is due, in seconds since 1970; infinity if there is none."""

    @property
    def held_bytes(self) -> int:
        """Bytes of all jobs."""

    @property
    def running(self) -> int:
        """Jobs in workers' hands."""

    @property
    def unkept(self) -> int:
        """Jobs that are no background jobs: somebody waits for them, or a worker does one for nobody."""

    @property
    def dead(self) -> int:
        """Jobs that have used up their tries, and are kept for somebody to look at."""

    closing: bool
    """The server ends: what a worker loses now counts as no attempt."""
    draining: bool
    """The server ends soon, and another one goes on with what is in the store: nothing is handed out any more unless
    somebody waits for a job that is no background job."""
    winding_down: bool
    """The server ends when its jobs are done: schedules fire no more. Set from outside; False at first."""
    crowded: bool
    """No further jobs are taken, as there is little memory left for them. Set from outside; False at first."""

    def scan_figures(
        self, cursor: int, most: int
    ) -> tuple[int, list[tuple[bytes, int, int, int, int, int, int, int, int, int, int, str | None, bytes]]]:
        """Walk through the functions in steps, as `scan_functions` does, with all figures of each.

        ``(name, jobs, running, workers, queued high, normal, low, delayed, buried, bytes of those, schedules,
        gate, reason)``: the gate is ``paused``, ``drained`` or None.
        """

    def scan_functions(
        self, cursor: int, most: int
    ) -> tuple[int, list[tuple[bytes, int, int, int, tuple[int, int, int]]]]:
        """Walk through the functions in steps.

        Start with cursor 0 and go on with the one that is returned, until that is 0 again. What is
        there all the while comes exactly once, whatever else comes and goes between two steps; the
        order has no meaning. A step returns up to ``most`` rows, where less than 64 means 64, and more
        than 1,000 means 1,000.

        A row is ``(name, jobs, running, workers, (high, normal, low))``; the last are jobs that no
        worker holds, those due later among them.
        """

    def scan_jobs(self, cursor: int, most: int) -> tuple[int, list[tuple[bytes, int, bool, bool, bytes]]]:
        """Walk through the jobs in steps, as `scan_functions` does.

        A row is ``(handle, attempts, orphan, background, unique)``. ``attempts`` is how many workers
        lost the job; an orphan has lost its clients and runs on for nobody.
        """

    def scan_delayed(
        self, cursor: int, most: int
    ) -> tuple[int, list[tuple[float, bytes, bytes, int, bytes, int, bool]]]:
        """Walk through the jobs that are not due yet, in steps, as `scan_functions` does.

        A row is ``(due, handle, function, priority, unique, bytes of payload, retrying)``. ``due`` is in seconds since
        1970, but for a job that waits for its next try: then it is by the clock of ``now``. A step may return no rows.
        """

    def show_job(
        self, handle: bytes
    ) -> tuple[str, bytes, int, bytes, int, int, float, bool, int, bytes, float, Peer | None, bytes] | None:
        """Tell of one job; None if there is none such.

        ``(state, function, priority, unique, bytes of payload, attempts that failed, due, background, clients,
        parameters, submitted, worker, last error)``: the state is ``queued``, ``delayed``, ``retrying``, ``running``,
        ``buried``, ``ended`` or ``scheduled``; ``due`` is as in `scan_delayed`, or when a schedule fires next, else 0;
        ``submitted`` is in monotonic seconds.
        """
