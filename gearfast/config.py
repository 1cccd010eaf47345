"""Every default and every limit of the server, each with its unit and its reason.

Nothing else in gearfast holds a number that somebody might want to change.
"""

import os
from dataclasses import dataclass

VERSION = "0.1.0"
"""What ``--version`` and the admin command ``version`` say. A test holds it together with pyproject.toml."""

KIB = 1024
MIB = 1024 * KIB

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

IDLE_FUNCTIONS = 64 * KIB
"""Bytes of functions without jobs, workers and limits that stay known; beyond them the oldest are forgotten at once."""

CLOCK_CHECK = 1.0
"""Seconds between looks at the wall clock while delayed jobs wait: it may be set forward."""

LEAST_PEER_TIME = 0.0001
"""Seconds of a turn that a peer gets at least whose requests wait, however many others do: less would be lost in
getting to it."""

TLS_PIECE = 256 * KIB
"""Bytes encrypted for one peer at a time: a tenth of a millisecond or two."""


def default_handle_prefix() -> str:
    """``H:<nodename>``, cut so that every job number still fits into a handle."""
    node = os.uname().nodename.encode("utf-8", "surrogateescape")
    return (b"H:" + node)[:HANDLE_PREFIX_SIZE].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a server is started with. Every field has stock gearmand's default unless its comment says why not."""

    # --- where to listen ---
    listen: tuple[str, ...] = ()
    """Names, addresses, or ``unix:/path``. Empty: all addresses of this machine."""
    port: int = 4730
    """TCP port of every address in ``listen``; 0 takes a free one."""
    backlog: int = 32
    """Connections that may wait to be accepted."""

    # --- jobs ---
    job_handle_prefix: str = ""
    """What stands before ``:<number>`` in a handle; empty: ``H:<nodename>``. At most HANDLE_PREFIX_SIZE bytes."""
    job_retries: int = -1
    """Attempts a job has before it fails for good; -1: no limit, 0: like 1 (protocol section 3.6)."""
    exceptions: bool = False
    """Every connection starts with the option ``exceptions`` on."""

    # --- wake-ups ---
    worker_wakeup: int = 1
    """Sleeping workers woken per queued job; 0: all, as stock does, at 300 times the work with 1,000 sleepers."""
    wakeup_grace: float = 0.050
    """Seconds a woken worker has to grab before the next is woken: long for a live peer, short for a person."""

    function_rest: float = 60.0
    """Seconds that a function without jobs, workers and limits stays in `status` at least (stock: for ever), so that
    whoever watches sees its workers go; at most twice as long."""

    memory_step: int = 16 * MIB
    """Bytes of ended jobs after which free memory is handed back to the system: rare, and a millisecond or two each.
    That much the process keeps for what comes next; blocks above a quarter of it are the system's own at once."""

    # --- what one peer may cost ---
    memory_reserve: int = 4 * MIB
    """Bytes of address space kept for the moment when there is no memory left: to say so, and to end in order."""
    max_packet_size: int = 256 * MIB
    """Bytes of one packet's body. Larger is refused before anything is allocated (stock: 4 GiB)."""
    receive_buffer: int = 128 * KIB
    """Bytes one recv may bring, in one buffer for all: two 64 KiB payloads, and it stays in the L2 cache."""
    output_pause: int = 1 * MIB
    """Bytes waiting to be sent to one peer above which its requests are no longer read (stock: no limit)."""
    output_limit: int = 64 * MIB
    """Bytes waiting for one peer above which it is cut off; one packet may exceed it, as large results must arrive."""
    remembered_results: int = 1000
    """Jobs a worker held and lost whose late results still count, or are swallowed, per connection; older ones are
    forgotten."""
    peer_time: float = 0.001
    """Seconds that one peer's requests are handled before the others get their turn: some thousand plain packets."""
    turn_time: float = 0.005
    """Seconds that a turn of all peers takes, about: nobody waits much longer for the next one to begin."""
    idle_packet_timeout: float = 60.0
    """Seconds without a further byte of an unfinished packet after which its connection is closed."""
    leaving_timeout: float = 10.0
    """Seconds without taking anything after which a peer is cut off whose session has ended and is owed answers."""
    linger: float = 2.0
    """Seconds that a connection closed for an error is still read from, so that the peer gets to see the ERROR."""
    accept_pause: float = 0.1
    """Seconds before accepting is tried again when descriptors have run out: no spin, and soon enough for a person."""
    accept_burst: int = 64
    """Connections accepted per turn and listener, so that a storm does not starve the others."""

    # --- durable jobs; without effect unless there is a store ---
    store_timeout: float = 5.0
    """Seconds a submit waits for the store before it is answered QUEUE_ERROR: a restart of a database fits in."""
    store_on_shutdown: bool = False
    """Nothing is written while the server runs, everything when it ends in order."""
    store_backlog: int = 64 * MIB
    """Bytes of jobs waiting to be written above which clients that wait for the store are not read from."""
    store_batch: int = 1000
    """Jobs written together at most: so many are handed over in half a millisecond, and the peers wait for that."""
    store_batch_bytes: int = 2 * MIB
    """Bytes of jobs from which on a batch takes no further one: the same time."""
    store_numbers: int = 10_000_000
    """Job numbers reserved in the store ahead of use, so that none is used twice: a write every some million jobs."""
    store_retry: tuple[float, float] = (0.05, 2.0)
    """Seconds before a failed write is tried again: at first, and at most; doubled each time."""
    store_last_writes: float = 60.0
    """Seconds without success after which an orderly stop gives the store up: less than the 90 of systemd."""
    store_last_close: float = 15.0
    """Seconds that closing the store may take then."""

    # --- admin answers ---
    answer_slice: int = 200
    """Lines of a long admin answer produced per turn: well under a millisecond."""

    # --- TCP keepalive on accepted sockets; None: the system's own figure ---
    keepalive_idle: int | None = None
    """Seconds of silence before the first probe."""
    keepalive_interval: int | None = None
    """Seconds between probes."""
    keepalive_count: int | None = None
    """Unanswered probes before the connection is given up."""

    # --- TLS ---
    ssl: bool = False
    """Serve TLS 1.2/1.3 on every TCP address."""
    ssl_ca_file: str = ""
    """PEM file of the authority that signs client certificates."""
    ssl_certificate: str = ""
    """PEM file of the server's certificate chain."""
    ssl_key: str = ""
    """PEM file of the server's private key."""
    ssl_verify_client: bool = False
    """Ask for a client certificate and refuse peers without one that the CA signed."""
    ssl_handshake_timeout: float = 10.0
    """Seconds a TLS handshake may take before the peer is dropped."""
