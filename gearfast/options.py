"""Every option of the command line, in one table, and the text of ``--help``.

Names, letters, defaults and what is accepted are stock gearmand's (protocol section 5.1); what
gearfast adds or reads differently says so in its own line of the table.
"""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

LOG_FILE = "/var/log/gearmand.log"
PID_FILE = "/var/gearmand.pid"
PID_FILE_NAME = "gearmand.pid"
CONFIG_FILE = "/etc/gearmand.conf"
SSL_CA_FILE = "/etc/ssl/certs/gearmand-ca.pem"
SSL_CERTIFICATE = "/etc/ssl/certs/gearmand.pem"
SSL_KEY = "/etc/ssl/certs/gearmand.key"

SIZE_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def integer(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of decimal integers between ``low`` and ``high``; it raises ValueError for all else."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]+", text) or not low <= int(text) <= high:
            raise ValueError(text)
        return int(text)

    return read


def unsigned(bits: int) -> Callable[[str], int]:
    """Return a reader of integers of so many bits; stock lets ``-1`` wrap round to the highest one."""
    read_signed = integer(1 - (1 << bits), (1 << bits) - 1)
    return lambda text: read_signed(text) % (1 << bits)


int32 = integer(-(1 << 31), (1 << 31) - 1)
milliseconds = integer(1, 60_000)


def wakeup(text: str) -> int:
    """Read ``--worker-wakeup``: how many sleepers one job wakes; 0 for ``all``."""
    return 0 if text == "all" else unsigned(32)(text)


def size(text: str) -> int:
    """Read a size in bytes, with an optional K, M or G (1024 each); below 4 GiB, the most a packet's header can say."""
    match = re.fullmatch(r"([0-9]+)([KMG]?)", text)
    if match is None:
        raise ValueError(text)
    value = int(match[1]) * SIZE_UNITS[match[2]]
    if not 1 <= value < 1 << 32:
        raise ValueError(text)
    return value


@dataclass(frozen=True, slots=True)
class Option:
    """One option: a row of the table."""

    name: str
    """The long name, without dashes."""
    short: str = ""
    """Its letter, or empty."""
    value: str = ""
    """What stands for its value in ``--help``; empty: it takes none."""
    default: str = ""
    """The value, as text, when it is not given."""
    help: str = ""
    """What it does, for ``--help``; empty: not shown there."""
    read: Callable[[str], object] = str
    """Turns the value's text into the value; raises ValueError."""
    many: bool = False
    """It may be given several times."""
    argv_only: bool = False
    """It is not allowed in the config file."""

    def usage(self) -> str:
        """How it is written: ``-p, --port P``."""
        letter = f"-{self.short}, " if self.short else "    "
        return f"{letter}--{self.name}{' ' + self.value if self.value else ''}"


@dataclass(frozen=True, slots=True)
class Group:
    """Options that stand together in ``--help``."""

    title: str
    options: tuple[Option, ...]


# fmt: off
NETWORK = Group(
    "Where it listens",
    (
        Option("listen", "L", "ADDR", "",
               "Name or address to listen on, or unix:/path; may be given several times. Default: all addresses.",
               many=True),
        Option("port", "p", "P", "4730",
               "Number or service name; 0 takes a free one. When it is 4730, GEARMAND_PORT is used instead."),
        Option("backlog", "b", "N", "32", "Connections that may wait to be accepted.", int32),
        Option("keepalive", "", "", "", "Accepted; connections always have TCP keepalive on."),
        Option("keepalive-idle", "", "N", "-1",
               "Seconds of silence before the first keepalive probe; -1: the system's figure.", int32),
        Option("keepalive-interval", "", "N", "-1",
               "Seconds between keepalive probes; -1: the system's figure.", int32),
        Option("keepalive-count", "", "N", "-1",
               "Unanswered probes that end a connection; -1: the system's figure.", int32),
        Option("max-packet-size", "", "SIZE", "256M",
               "Largest packet a peer may send, in bytes; K, M and G are understood. [gearfast]", size),
    ),
)

JOBS = Group(
    "Jobs and workers",
    (
        Option("job-retries", "j", "N", "-1",
               "Attempts a job has before it fails for good: -1 no limit, 0 no retries, or 1 to 255.", int32),
        Option("job-handle-prefix", "", "S", "",
               "What stands before the number in a job handle. Default: H:<host name>."),
        Option("worker-wakeup", "w", "N", "1",
               "Sleeping workers woken per job; all (or 0) wakes every one, which is gearmand's default.", wakeup),
        Option("worker-wakeup-grace", "", "MS", "50",
               "Milliseconds a woken worker has to ask for its job before the next is woken. [gearfast]", milliseconds),
        Option("exceptions", "", "", "", "Every connection starts with the option 'exceptions' on."),
    ),
)

TLS = Group(
    "TLS",
    (
        Option("ssl", "", "", "", "Serve TLS 1.2 and 1.3 only."),
        Option("ssl-ca-file", "", "FILE", "",
               "PEM file of the authority that signs client certificates; or GEARMAND_CA_CERTIFICATE."),
        Option("ssl-certificate", "", "FILE", SSL_CERTIFICATE,
               "PEM file of the server's certificate chain; or GEARMAND_SERVER_PEM."),
        Option("ssl-key", "", "FILE", SSL_KEY, "PEM file of the server's private key; or GEARMAND_SERVER_KEY."),
        Option("ssl-verify-client", "", "", "",
               "Refuse clients without a certificate signed by --ssl-ca-file. [gearfast]"),
    ),
)

LOGGING = Group(
    "Log",
    (
        Option("log-file", "l", "FILE", LOG_FILE, "File to write the log to; stderr, or none for no log."),
        Option("verbose", "", "LEVEL", "ERROR", "FATAL, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO or DEBUG."),
        Option("syslog", "", "", "", "Log to syslog too."),
    ),
)

START = Group(
    "Start",
    (
        Option("daemon", "d", "", "", "Run in the background; returns once the server is serving."),
        Option("pid-file", "P", "FILE", PID_FILE, "File to write the process id to; in a directory: gearmand.pid."),
        Option("user", "u", "USER", "", "User to switch to; only root can."),
        Option("file-descriptors", "f", "N", "", "Limit of open files. Default: as it is.", unsigned(64)),
        Option("config-file", "", "FILE", CONFIG_FILE,
               "File with more options, written as here. The command line wins."),
        Option("check-args", "", "", "",
               "Read the command line and the config file, say whether a start would be refused for them, and end.",
               argv_only=True),
        Option("help", "h", "", "", "Print this help."),
        Option("version", "V", "", "", "Print the version."),
    ),
)

WITHOUT_EFFECT = Group(
    "Accepted, and without effect here",
    (
        Option("threads", "t", "N", "4", "gearfast serves every connection on one thread.", unsigned(32)),
        Option("hashtable-buckets", "", "N", "991", "Its tables grow by themselves.", unsigned(32)),
        Option("round-robin", "R", "", "", "A worker's functions are always served in turn."),
        Option("coredump", "", "", "", "It installs no crash handler."),
    ),
)

QUEUE = Group(
    "Queues and protocols (this version has builtin, and Gearman's own; others refuse to start)",
    (
        Option("queue-type", "q", "NAME", "builtin", "Where background jobs are kept: builtin, in memory."),
        Option("protocol", "r", "NAME", "", "A protocol beside Gearman's own."),
        Option("http-port", "", "P", "8080"),
        Option("libsqlite3-db", "", "FILE"),
        Option("libsqlite3-table", "", "S", "gearman_queue"),
        Option("store-queue-on-shutdown"),
        Option("mysql-host", "", "S", "localhost"),
        Option("mysql-port", "", "P", "3306", "", unsigned(16)),
        Option("mysql-user", "", "S"),
        Option("mysql-password", "", "S"),
        Option("mysql-db", "", "S"),
        Option("mysql-table", "", "S", "gearman_queue"),
        Option("libpq-conninfo", "", "S"),
        Option("libpq-table", "", "S", "queue"),
        Option("redis-server", "", "S", "127.0.0.1"),
        Option("redis-port", "", "P", "6379"),
        Option("redis-password", "", "S"),
        Option("redis-prefix", "", "S", "_gear_"),
        Option("libmemcached-servers", "", "S"),
        Option("libmemcached-prefix", "", "S", "gear_"),
        Option("libtokyocabinet-file", "", "FILE"),
        Option("libtokyocabinet-optimize"),
        Option("libdrizzle-host", "", "S"),
        Option("libdrizzle-port", "", "P"),
        Option("libdrizzle-uds", "", "S"),
        Option("libdrizzle-user", "", "S"),
        Option("libdrizzle-password", "", "S"),
        Option("libdrizzle-db", "", "S", "gearman"),
        Option("libdrizzle-table", "", "S", "queue"),
        Option("libdrizzle-mysql"),
    ),
)
# fmt: on

GROUPS = (NETWORK, JOBS, TLS, LOGGING, START, WITHOUT_EFFECT, QUEUE)
OPTIONS = {option.name: option for group in GROUPS for option in group.options}
LETTERS = {option.short: option for option in OPTIONS.values() if option.short}


def help_text() -> str:
    """Return what ``--help`` prints: the groups of the table, with defaults."""
    lines = ["Usage: gearfast [options]", ""]
    lines += ["A Gearman job server. Options are gearmand's; those marked [gearfast] are its own."]
    for group in GROUPS:
        lines += ["", f"{group.title}:"]
        for option in group.options:
            if option.help:
                lines += describe(option)
    hidden = [f"--{option.name}" for option in QUEUE.options if not option.help]
    plugins = "and the options of gearmand's plugins: " + " ".join(hidden)
    lines += textwrap.wrap(plugins, 96, initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)
    return "\n".join(lines)


def describe(option: Option) -> list[str]:
    """Return an option's lines of help, 96 columns wide."""
    text = f"{option.help} (default: {option.default})" if option.default else option.help
    first, *rest = textwrap.wrap(text, 64, break_on_hyphens=False)
    return [f"  {option.usage():<30}{first}", *(" " * 32 + line for line in rest)]
