"""Every default of the server, and every limit that a peer, an operator or an embedding program can meet.

Each has its unit and its reason. Figures that only say how a room works, such as how many rows it looks at in one go,
stand at the top of that room; those of a store stand in its folder under `plugins/`.
"""

import os
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

from gearfast.errors import ConfigError
from gearfast.ground.fields import Above, By, Bytes, Each, Rising, Such, Within, check, one_of

VERSION = "0.1.0"
"""What ``--version`` and the admin command ``version`` say. A test holds it together with pyproject.toml."""

KIB = 1024
MIB = 1024 * KIB
DAY = 86_400
INT = (1 << 31) - 1
"""The most that a C int holds."""
SIZE = 1 << 50
"""Bytes: more than any machine has."""

# --- limits of the protocol itself; clients rely on them (protocol section 1.3) ---------

ARGUMENT_SIZE = 8192
"""Bytes of one argument, its NUL included: stock's receive buffer. Longer closes the connection."""

LARGE_BODY = 16 * KIB
"""Bytes from which on a body is worth a system call of its own: it is sent from where it lies, not copied first."""

LINE_SIZE = 8191
"""Bytes of one admin line without its LF. Longer closes the connection."""

LINE_TOKENS = 5
"""Words of one admin line. A sixth closes the connection."""

UNIQUE_SIZE = 64
"""Bytes of a unique id or a reducer name. Longer is answered ARGUMENT_TOO_LARGE."""

HANDLE_SIZE = 63
"""Bytes of a job handle: client libraries keep 64 with the NUL."""

HANDLE_PREFIX_SIZE = 42
"""Bytes of ``--job-handle-prefix``: the colon and 20 digits must fit into a handle beside it."""

CLIENT_ID_SIZE = 127
"""Bytes kept of a SET_CLIENT_ID; the rest is cut, as stock does."""

TIMEOUT_FLOOR = 1000
"""Milliseconds: the shortest CAN_DO_TIMEOUT. Stock's floor; PHP passes seconds here by mistake."""

TIMEOUT_UNITS = {"ms": 1, "s": 1000}
"""Milliseconds of each ``--timeout-unit``."""

VISITORS = 4
"""Connections beyond the limits that may send admin lines, from Unix sockets, this machine, and others each."""

VISIT = 2.0
"""Seconds that each of them may stay though another one needs its place: gearadmin takes a hundredth of that."""

DESCRIPTORS_KEPT = 24
"""Descriptors that ordinary connections leave free, at most a quarter of all: twice VISITORS of each kind, for them,
for log files and for connections to stores."""

DEAD_LETTERS = 10_000
"""Jobs of a function that are kept after their last try; the oldest leave first."""
DEAD_LETTER_BYTES = 64 * MIB
"""The same, in bytes."""

IDLE_FUNCTIONS = 64 * KIB
"""Bytes of functions without jobs, workers and limits that stay known; beyond them the oldest are forgotten at once."""

MIN_MEMORY = 64 * MIB
"""Bytes: the least of ``max_memory``. The server by itself takes about half of it."""

MEMORY_WORDS = f"0 for no limit, or at least {MIN_MEMORY}"

IO_THREADS: Final = "auto"
"""Threads that serve connections, unless ``--io-threads`` says otherwise: as many as the load needs."""
MOST_IO_THREADS = 64
"""The most of them that may be asked for: more only wait for each other."""
AUTO_IO_THREADS = 8
"""The most of them that ``auto`` starts by itself, however many cores there are."""
IO_THREADS_WORDS = f"from 1 to {MOST_IO_THREADS}"

CLOCK_CHECK = 1.0
"""Seconds between looks at the wall clock while delayed jobs wait: it may be set forward."""

MIN_PEER_TIME = 0.00002
"""Seconds of a turn that a peer gets at least whose requests wait, however many others do: less would be lost in
getting to it."""

IO_LOOK = 1.0
"""Seconds between looks at how much of a core each thread uses, as long as there is something to do."""

IO_SAMPLE = 0.1
"""Seconds in which a saturated thread finds out who makes it work."""

IO_BUSY = 0.85
"""Part of a core from which on a thread is saturated: another one takes half of its busy connections."""

IO_IDLE = 0.4
"""Part of a core below which the loop's thread takes connections back."""

TLS_PIECE = 256 * KIB
"""Bytes encrypted for one peer at a time: a tenth of a millisecond or two."""

MEMORY_CROWDED = 0.8
"""Part of ``max_memory`` above which no further jobs are taken."""

MEMORY_LOOK = 0.001
"""Seconds between two looks at how much there is, of 2 microseconds each: what is taken meanwhile is some 2 MB."""

MEMORY_SHORT = 0.9
"""Part of it above which peers are cut off whose buffers are the largest: enough is left for results to get through."""

UNIX_PATH_SIZE = 107
"""Bytes of the path of a Unix socket: what Linux takes; macOS takes four less, and says so."""

# --- the log of the program --------------------------------------------------------------

LOG_BACKLOG = 16 * MIB
"""Bytes of lines that wait to be written; what comes then is counted and not kept. A disk that stands still for a
second while 100,000 jobs are logged costs no line."""

LINE_COST = 100
"""Bytes a waiting line takes beside its text."""

LOG_WRITE = 256 * KIB
"""Bytes written at a time: some thousand lines, put together in less time than a peer notices."""

LOG_PAUSE = 0.010
"""Seconds between two writes of the log, in which lines gather; one that comes alone is written at once."""

LOG_LAST_WRITES = 1.0
"""Seconds the end waits for the log to be written: enough for LOG_BACKLOG on most disks, and a stop stays a quick one
when nobody reads."""

LOG_REPEATS = 10.0
"""Seconds in which a line of level WARNING or above that is said again is only counted: a fault that comes in every
turn of the loop takes 2 MB a day instead of 2.6 GB in ten minutes."""

LOG_SAME = 5
"""Times it is written in those seconds when other lines come between, such as that a store is back, and away again."""

LOG_DIFFERENT = 64
"""Different lines for which that is remembered."""

LOG_LOOK = 1.0
"""Seconds between two looks whether such a count is due."""

# --- the process -------------------------------------------------------------------------

NOTIFY_PATIENCE = 1.0
"""Seconds in which systemd must take word of a state; it takes it at once, unless it hangs itself."""

CERTIFICATE_NOTICE = 14 * 24 * 3600
"""Seconds before a certificate's end from which on it is warned of: what renews by itself has done so by then."""


def default_handle_prefix() -> str:
    """``H:<nodename>``, cut so that every job number still fits into a handle."""
    node = os.uname().nodename.encode("utf-8", "surrogateescape")
    return (b"H:" + node)[:HANDLE_PREFIX_SIZE].decode("utf-8", "ignore")


def usable_cores() -> int:
    """Return how many cores this process may run on, at most AUTO_IO_THREADS: the most threads of ``auto``."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, AUTO_IO_THREADS)


def is_io_threads(value: int | str) -> bool:
    """Say whether so many threads may be asked for, or ``auto``."""
    return isinstance(value, str) or 1 <= value <= MOST_IO_THREADS


def is_address(text: str) -> bool:
    """Say whether a server might listen there: a path that is not too long, or a name that can be looked up."""
    if text.startswith("unix:"):
        return 0 < len(os.fsencode(text.removeprefix("unix:"))) <= UNIX_PATH_SIZE
    try:
        text.encode("idna")  # as getaddrinfo does
    except UnicodeError:
        return False
    return True


ADDRESSES = Each(Such(is_address, "a name, an address or unix:/path"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a server is started with. Every field has stock gearmand's default unless its comment says why not.

    A field states its range and its option beside its type. Raises ConfigError for a value outside of it.
    """

    # --- where to listen ---
    listen: Annotated[tuple[str, ...], ADDRESSES, By("--listen")] = ()
    """Names, addresses, or ``unix:/path``. Empty: all addresses of this machine."""
    port: Annotated[int, Within(0, 65535), By("--port")] = 4730
    """TCP port of every address in ``listen``; 0 takes a free one."""
    backlog: Annotated[int, Within(0, INT), By("--backlog")] = 32
    """Connections that may wait to be accepted."""
    max_connections: Annotated[int, Within(0, INT), By("--max-connections")] = 0
    """Connections that may be open; 0: as many as there are descriptors for. A few more may send admin lines."""
    max_connections_per_address: Annotated[int, Within(0, INT), By("--max-connections-per-address")] = 0
    """The same of one address; all that come through Unix sockets have one. 0: no limit of its own."""

    # --- threads ---
    io_threads: Annotated[int | Literal["auto"], Such(is_io_threads, IO_THREADS_WORDS), By("--io-threads")] = IO_THREADS
    """Threads that serve connections; ``auto``: as many as the load needs, at most ``threads``."""
    threads: Annotated[int, Within(1, MOST_IO_THREADS), By("--threads")] = field(default_factory=usable_cores)
    """The most threads of ``auto``: as many as there are cores for this process, at most AUTO_IO_THREADS."""
    io_shuffle: Annotated[float, Within(0, DAY), By("--io-shuffle")] = 0.0
    """For tests: seconds after which connections change their threads, at random, again and again; 0: never."""

    # --- jobs ---
    job_handle_prefix: Annotated[str, Bytes(HANDLE_PREFIX_SIZE), By("--job-handle-prefix")] = ""
    """What stands before ``:<number>`` in a handle; empty: ``H:<nodename>``. At most HANDLE_PREFIX_SIZE bytes."""
    job_retries: Annotated[int, Within(-1, 255), By("--job-retries")] = -1
    """Attempts a job has before it fails for good; -1: no limit, 0: like 1 (protocol section 3.6)."""
    exceptions: Annotated[bool, By("--exceptions")] = False
    """Every connection starts with the option ``exceptions`` on."""
    timeout_unit: Annotated[str, one_of(*TIMEOUT_UNITS), By("--timeout-unit")] = "ms"
    """What the number in CAN_DO_TIMEOUT counts: milliseconds, as stock has it, or seconds, as PHP's manual says."""
    policy: Annotated[str, By("--policy")] = ""
    """File that says what holds for the jobs of functions (docs/failure.md); empty: none."""
    submit_parameters: Annotated[bool, By("--submit-parameters")] = True
    """``name;key=value`` in a submit is the function ``name`` with parameters; False: it is a name, as in stock."""

    # --- wake-ups ---
    worker_wakeup: Annotated[int, Within(0, INT), By("--worker-wakeup")] = 1
    """Sleeping workers woken per queued job; 0: all, as stock does, at 300 times the work with 1,000 sleepers."""
    wakeup_grace: Annotated[float, Above(0, DAY), By("--worker-wakeup-grace")] = 0.050
    """Seconds a woken worker has to grab before the next is woken: long for a live peer, short for a person."""

    function_rest: Annotated[float, Within(0, DAY)] = 60.0
    """Seconds that a function without jobs, workers and limits stays in `status` at least (stock: for ever), so that
    whoever watches sees its workers go; at most twice as long."""

    memory_step: Annotated[int, Within(1, SIZE)] = 16 * MIB
    """Bytes of ended jobs after which free memory is handed back to the system: rare, and a millisecond or two each.
    That much the process keeps for what comes next; blocks above a quarter of it are the system's own at once."""

    # --- what one peer may cost ---
    memory_reserve: Annotated[int, Within(0, SIZE)] = 4 * MIB
    """Bytes of address space kept for the moment when there is no memory left: to say so, and to stop properly."""
    max_memory: Annotated[
        int, Such(lambda size: size == 0 or MIN_MEMORY <= size <= SIZE, MEMORY_WORDS), By("--max-memory")
    ] = 0
    """Bytes of memory of the whole process from 80 % of which on submits are refused, and from 90 % on the largest
    unfinished packets and unread answers cut off; 0: no limit, as in stock."""
    max_packet_size: Annotated[int, Within(1, 0xFFFF_FFFF), By("--max-packet-size")] = 256 * MIB
    """Bytes of one packet's body. Larger is refused before anything is allocated (stock: 4 GiB)."""
    receive_buffer: Annotated[int, Within(4 * KIB, SIZE)] = 128 * KIB
    """Bytes one recv may bring, in one buffer for all: two 64 KiB payloads, and it stays in the L2 cache."""
    output_pause: Annotated[int, Within(1, SIZE)] = 1 * MIB
    """Bytes waiting to be sent to one peer above which its requests are no longer read (stock: no limit)."""
    output_limit: Annotated[int, Within(1, SIZE)] = 64 * MIB
    """Bytes waiting for one peer above which it is cut off; one packet may exceed it, as large results must arrive."""
    remembered_results: Annotated[int, Within(0, INT)] = 1000
    """Jobs a worker held and lost whose late results still count, or are swallowed, per connection; older ones are
    forgotten."""
    peer_time: Annotated[float, Above(0, DAY)] = 0.001
    """Seconds that one peer's requests are handled before the others get their turn: some thousand plain packets."""
    turn_time: Annotated[float, Above(0, DAY)] = 0.005
    """Seconds that a turn of all peers takes, about: nobody waits much longer for the next one to begin."""
    idle_packet_timeout: Annotated[float, Above(0, DAY), By("--idle-packet-timeout")] = 60.0
    """Seconds without a further byte of an unfinished packet after which its connection is closed."""
    leaving_timeout: Annotated[float, Above(0, DAY)] = 10.0
    """Seconds without taking anything after which a peer is cut off whose session has ended and is owed answers."""
    linger: Annotated[float, Within(0, DAY)] = 2.0
    """Seconds that a connection closed for an error is still read from, so that the peer gets to see the ERROR."""
    accept_pause: Annotated[float, Above(0, DAY)] = 0.1
    """Seconds before accepting is tried again when descriptors have run out: no spin, and soon enough for a person."""
    accept_burst: Annotated[int, Within(1, INT)] = 64
    """Connections accepted per turn and listener, so that a storm does not starve the others."""

    # --- durable jobs; without effect unless there is a store ---
    store_timeout: Annotated[float, Above(0, DAY), By("--store-timeout")] = 5.0
    """Seconds a submit waits for the store before it is answered QUEUE_ERROR: a restart of a database fits in."""
    store_on_shutdown: Annotated[bool, By("--store-queue-on-shutdown")] = False
    """Nothing is written while the server runs, everything when it stops properly."""
    store_backlog: Annotated[int, Within(1, SIZE)] = 64 * MIB
    """Bytes of jobs waiting to be written above which clients that wait for the store are not read from."""
    store_batch: Annotated[int, Within(1, INT)] = 1000
    """Jobs written together at most: so many are handed over in half a millisecond, and the peers wait for that."""
    store_batch_bytes: Annotated[int, Within(1, SIZE)] = 2 * MIB
    """Bytes of jobs from which on a batch takes no further one: the same time."""
    store_numbers: Annotated[int, Within(1, 1 << 60)] = 10_000_000
    """Job numbers reserved in the store ahead of use, so that none is used twice: a write every some million jobs."""
    store_retry: Annotated[tuple[float, float], Each(Above(0, DAY)), Rising()] = (0.05, 2.0)
    """Seconds before a failed write is tried again: at first, and at most; doubled each time."""
    store_last_writes: Annotated[float, Within(0, DAY)] = 60.0
    """Seconds without success after which an orderly stop gives the store up, when jobs are lost with it that were
    acknowledged: less than the 90 of systemd."""
    store_last_removes: Annotated[float, Within(0, DAY)] = 5.0
    """The same when nothing is lost: what it did not forget is done once more after the next start."""
    store_last_close: Annotated[float, Within(0, DAY)] = 15.0
    """Seconds that closing the store may take then."""

    # --- the end ---
    drain_timeout: Annotated[float | None, Above(0, DAY), By("--drain-timeout")] = None
    """Seconds after which a drain is given up, and the server ends; None: it waits for as long as it takes."""
    drain_log_interval: Annotated[float, Above(0, DAY)] = 60.0
    """Seconds between lines of the log that say what a drain waits for."""

    # --- admin answers ---
    answer_slice: Annotated[int, Within(1, INT)] = 200
    """Lines of a long admin answer produced per turn: well under a millisecond."""

    # --- TCP keepalive on accepted sockets; None: the system's own figure ---
    # Stock has the system's, two hours: so long would a worker whose machine lost its power keep its jobs.
    keepalive_idle: Annotated[int | None, Within(1, 32767), By("--keepalive-idle")] = 60
    """Seconds of silence before the first probe."""
    keepalive_interval: Annotated[int | None, Within(1, 32767), By("--keepalive-interval")] = 15
    """Seconds between probes."""
    keepalive_count: Annotated[int | None, Within(1, 127), By("--keepalive-count")] = 4
    """Unanswered probes before the connection is given up."""

    # --- TLS ---
    ssl: Annotated[bool, By("--ssl")] = False
    """Serve TLS 1.2/1.3 on every TCP address."""
    ssl_ca_file: Annotated[str, By("--ssl-ca-file")] = ""
    """PEM file of the authority that signs client certificates."""
    ssl_certificate: Annotated[str, By("--ssl-certificate")] = ""
    """PEM file of the server's certificate chain."""
    ssl_key: Annotated[str, By("--ssl-key")] = ""
    """PEM file of the server's private key."""
    ssl_verify_client: Annotated[bool, By("--ssl-verify-client")] = False
    """Ask for a client certificate and refuse peers without one that the CA signed."""
    ssl_handshake_timeout: Annotated[float, Above(0, DAY)] = 10.0
    """Seconds a TLS handshake may take before the peer is dropped."""

    def __post_init__(self) -> None:
        check(self)
        for name in ("ssl_ca_file", "ssl_certificate", "ssl_key", "ssl_verify_client"):
            if getattr(self, name) and not self.ssl:
                raise ConfigError(
                    f"--{name.replace('_', '-')} (Config.{name}) needs --ssl (Config.ssl): without it everything "
                    "would be served in plain text"
                )
