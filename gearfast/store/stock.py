"""What stock gearmand keeps of a job, to and from ours; and what is said about jobs that are taken over."""

import logging
import math
from typing import Final, NamedTuple

from gearfast.config import UNIQUE_SIZE
from gearfast.errors import StoreError
from gearfast.ground.clock import wall
from gearfast.logs import NOTICE
from gearfast.store.contract import StoredJob
from gearfast.store.record import state_of, tells_the_past_only

log = logging.getLogger("gearfast")

PRIORITIES: Final = (0, 1, 2)
LATEST: Final = 2**63 - 1
"""The last due time gearmand can read, in seconds since 1970."""
NAMED: Final = 20
"""Bad rows that get a line of the log each. Of a million, nobody reads more."""


NO_JOBS: Final = {
    "schedule": "it is a schedule, and gearmand has none: have cron submit its job",
    "buried": "it has used up its tries and is buried, and gearmand would run it again",
    "ended": "it has ended and is kept for its unique id alone, and gearmand would run it again",
}
"""What gearmand has nothing like, by its state: the reasons why it stays."""


class StockRow(NamedTuple):
    """A job as gearmand keeps it, in any store; None is what is missing or NULL."""

    unique: bytes | None
    function: bytes | None
    priority: int | None
    """0 high, 1 normal, 2 low."""
    payload: bytes | None
    due: int | None
    """Seconds since 1970; 0 or None: at once."""


def job_of(row: StockRow, number: int) -> StoredJob:
    """Return gearmand's row as our job of that number. Raises StoreError when the row cannot be a job."""
    unique, function, priority, payload, due = row
    if function is None:
        raise StoreError("it has no function name")
    if not isinstance(function, bytes) or not isinstance(unique, bytes | None):
        raise StoreError("its function name or its unique id is not text")
    if b"\0" in function:
        raise StoreError("its function name has a NUL byte in it")
    if type(priority) is not int or priority not in PRIORITIES:
        raise StoreError(f"its priority is {priority!r}, which is not 0, 1 or 2")
    if not isinstance(payload, bytes | None):
        raise StoreError(f"its payload is not bytes but {payload!r:.40}")
    if due is not None and (type(due) is not int or due > LATEST):
        raise StoreError(f"its due time is {due!r:.40}, which is not a number of seconds")
    if unique is not None and len(unique) > UNIQUE_SIZE:
        raise StoreError(f"its unique id has {len(unique)} bytes, and {UNIQUE_SIZE} is the most")
    # gearmand ends a text that fills its field with a NUL, and then stores that too.
    kept = (unique or b"").partition(b"\0")[0]
    when = float(due) if due is not None and due > wall() else 0.0
    return StoredJob(number, function, kept, priority, when, 0, payload or b"", b"")


def row_of(job: StoredJob) -> StockRow:
    """Return our job as a row of gearmand's, with nothing in it None. Raises StoreError when it cannot be one.

    The number of attempts is lost, and so are the time of its submit and its last error: gearmand keeps none.
    """
    state = state_of(job.more)
    if state in NO_JOBS:
        raise StoreError(NO_JOBS[state])
    if not tells_the_past_only(job.more):
        raise StoreError("it has something that gearmand does not store, such as a reducer")
    if b"\0" in job.function or b"\0" in job.unique:
        raise StoreError("its function name or its unique id has a NUL byte in it")
    if len(job.unique) > UNIQUE_SIZE:
        raise StoreError(f"its unique id has {len(job.unique)} bytes, and gearmand keeps {UNIQUE_SIZE - 1}")
    if job.priority not in PRIORITIES:
        raise StoreError(f"its priority is {job.priority!r}, which is not 0, 1 or 2")
    if not (0 <= job.due <= LATEST):
        raise StoreError(f"its due time is {job.due!r}, which gearmand cannot read")
    # These would share one key of gearmand's, and all but one of them would be gone.
    named = job.unique if job.unique not in (b"", b"-") else b"gearfast-%d" % job.number
    # gearmand knows 63 bytes when the job is done and its row is to be deleted; of a longer one it finds no row.
    return StockRow(named[: UNIQUE_SIZE - 1], job.function, job.priority, job.payload, math.ceil(job.due))


def staying(job: StoredJob, reason: object) -> str:
    """Return the line about a job that gearmand cannot hold."""
    return f"job {job.number} of {shown(job.function)} stays: {reason}"


class Tally:
    """Says in the log what became of the jobs that gearmand left in one place."""

    def __init__(self, place: str) -> None:
        """Begin; ``place`` is named in every line, such as ``table gearman_queue of /var/lib/jobs.db``."""
        self.place = place
        self.taken = 0
        """Rows that are ours now. Raise it when their transaction has ended well."""
        self.bad = 0

    def reject(self, key: object, reason: object) -> None:
        """Say why a row is left where it is: an error each for the first NAMED of them."""
        self.bad += 1
        if self.bad <= NAMED:
            log.error("%s: the job %s stays there, because %s", self.place, shown(key), reason)

    def finish(self) -> None:
        """Say how many rows were taken over, and how many more were not; nothing when there were none."""
        if self.bad > NAMED:
            log.error("%s: %d more jobs stay there", self.place, self.bad - NAMED)
        if self.taken:
            log.log(NOTICE, "%s: %d jobs that gearmand left were taken over", self.place, self.taken)


def shown(key: object) -> str:
    """Return a row's key for a line of the log: one line, not too long, whatever is in it."""
    text = repr(key)
    return text if len(text) <= 200 else text[:200] + "..."
