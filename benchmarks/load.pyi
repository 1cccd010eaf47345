"""The load: many peers of one server, driven by one thread with epoll, and every answer checked.

A Load connects peers first (clients, workers, ...), each call of `run` or `run_at` then plays jobs with all of them.
Connections stay between calls; `hang_up` closes them. Nothing here is faster for being wrong: an answer that is not
the one promised (type, handle, order, function, payload, exactly once) raises WrongAnswer.

The server's queue must be empty before the first job of a Load, and no one else may use it but Loads with another
`stem`: a job of its functions that this Load did not submit is a wrong answer. Jobs that one run leaves in the queue
are there for the workers of a later one. A Load that has failed has closed its connections and plays no more
(RuntimeError). It belongs to one thread.
"""

from collections.abc import Sequence

from benchmarks.errors import Stalled, WrongAnswer

__all__ = ["Load", "Outcome", "Stalled", "WrongAnswer", "bucket_of"]

def bucket_of(nanoseconds: int) -> int:
    """Return the bucket that a latency is counted in: the same as `benchmarks.latency.bucket_of`, compiled."""

class Outcome:
    """What one run came to."""

    jobs: int
    """jobs done: answered, and where there are workers, worked"""
    seconds: float
    """from the first request to the last answer"""
    latencies: list[tuple[int, int]]
    """(bucket, count), ascending, of the jobs' answers; `benchmarks.latency` tells what a bucket is in nanoseconds.
    Closed loop: from sending to the answer. Open loop: from when the request was due. Without clients: empty"""
    polls: list[tuple[int, int]]
    """the same for the pollers' answers, from asking to the end of the answer"""

    beside: list[tuple[int, int]]
    """the same for the jobs of clients beside that were answered while the run went on, from when each was due"""

    def __init__(
        self,
        jobs: int,
        seconds: float,
        latencies: list[tuple[int, int]],
        polls: list[tuple[int, int]],
        beside: Sequence[tuple[int, int]] = (),
    ) -> None: ...

class Load:
    """Peers of the server on 127.0.0.1:`port`, or at the Unix socket `path`. `protocol` is "gearman" or "beanstalk".

    Beanstalk has neither foreground jobs and results nor functions, unique ids or admin questions: ValueError.
    All arguments out of range raise ValueError; what connects peers raises as `run` does.

    `spin`: never sleep, for a generator with a core of its own. To wake a core that sleeps is work for the one who
    sends: it would be counted as the server's, and be most of what a single request costs.
    `stem`: up to 8 letters that the names of its functions begin with, so that several Loads can play one server.
    """

    def __init__(
        self,
        port: int,
        *,
        protocol: str = "gearman",
        patience: float = 30.0,
        spin: bool = False,
        path: str = "",
        stem: str = "work",
    ) -> None: ...
    def clients(
        self,
        count: int,
        *,
        in_flight: int = 1,
        foreground: bool = False,
        payload: int = 64,
        unique: int = 0,
        delay: int = 0,
        functions: int = 1,
    ) -> None:
        """Connect clients that submit jobs, each keeping `in_flight` unanswered (open loop: as many as are due).

        `payload` in bytes; from 8 bytes on it carries the job's number. `unique`: size in bytes of a different unique
        id for each job, 6 to 64, or 0 for none. `delay`: seconds until the job is due (SUBMIT_JOB_EPOCH; background
        only), 0 for at once. `functions`: each client's jobs go to "work0", "work1", ... in turn
        ("work" or the `stem`).
        """

    def callers(self, count: int, *, payload: int = 64) -> None:
        """Have `count` clients at a time that each connect, submit one background job, read the answer and hang up."""

    def workers(self, count: int, *, functions: int = 1, result: int = -1) -> None:
        """Connect workers: each registers "work0" up to `functions`, sleeps (PRE_SLEEP) when there is no job, and
        answers a job with its payload (`result` -1) or with `result` bytes (all workers of a Load alike). They take
        jobs only during a run, and never more than it has.
        """

    def idle(self, count: int) -> None:
        """Connect peers that were answered one ECHO_REQ and then say nothing."""

    def deaf(self, count: int, *, payload: int = 65536, most: int = 1 << 28) -> None:
        """Connect peers that send ECHO_REQ during runs, for as long as the server takes them, and never read an
        answer. Each falls silent after `most` bytes: some servers keep all the answers in memory. A server may cut
        them off. Once for a Load (ValueError), unless they were hung up.
        """

    def poll(self, command: str, *, hertz: float) -> None:
        """Connect one admin peer that sends a text command so many times a second during runs (the next one not
        before the last was answered) and reads the whole answer.
        """

    def beside(self, count: int, *, rate: float, payload: int = 64, unique: int = 0) -> None:
        """Connect clients that together submit background jobs of the function "beside" at a fixed rate per second
        during runs, sent when due whether or not earlier ones were answered. They are no jobs of the run: no worker
        does the function, and nothing but `beside` of the outcome counts them. Once for a Load (ValueError), unless
        they were hung up. The payload carries a number as `clients` does; `unique` likewise.
        """

    def run(self, jobs: int, *, seconds: float = 0.0) -> Outcome:
        """Closed loop: play `jobs` jobs, or what can be begun in `seconds` (0: no limit); all begun are finished.

        With clients and no workers a job is submitted; with workers and no clients one is taken from the queue and
        completed; with both it is submitted, worked and (foreground) answered. Callers submit as clients do. When it
        returns the server has read and done everything it was sent (each connection that sent was answered last).
        Workers alone can take no more than was submitted before: ValueError, with `seconds` they take what is there.
        Raises WrongAnswer, Stalled, ConnectionError.
        """

    def run_at(self, rate: float, jobs: int) -> Outcome:
        """Open loop: the jobs are due at a fixed rate per second, sent when due whether or not earlier ones were
        answered, and latency counts from when each was due. Raises as `run`.
        """

    def hang_up(self, kinds: Sequence[str] = ()) -> None:
        """Close all connections, or those of some kinds: "clients", "callers", "workers", "idle", "deaf", "poll",
        "beside".
        """
